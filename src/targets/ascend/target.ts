// Huawei's Ascend processors: vector cores, through the ACL runtime and its compiler at run time.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { ascendLanguage } from '../../render/ascendc/language.ts';
import { CompileCache } from '../../runtime/compileCache.ts';
import type { Target } from '../../runtime/device.ts';
import { createVirtualTarget } from '../../runtime/virtualTarget.ts';
import { ascendTable } from './driver.ts';
import { ascendCapabilities, ascendChips, ascendLeast, ascendRules } from './facts.ts';

/** What every chip has that kernels are compiled for at run time. */
const LEAST = ascendChips['910b4'];

export function createAscendTarget(options: Partial<DriverTarget> = {}): Target {
  const { cache = new CompileCache() } = options;
  const target: Target = createDriverTarget({
    name: 'ascend',
    evidence: 'E2',
    rank: 190,
    table: ascendTable,
    language: ascendLanguage,
    least: ascendLeast,
    capabilities: ascendCapabilities(LEAST),
    architecture: `dav-${LEAST.architecture}`,
    virtual: {
      names: Object.keys(ascendChips),
      open: (name, called) => {
        const chip = Object.entries(ascendChips).find(([own]) => own === name)?.[1];
        if (chip === undefined) return undefined;
        const { title, ...facts } = chip;
        return createVirtualTarget({
          name: called,
          chip: { vendor: 'ascend', family: 'tile', title, facts: { ...facts, ...ascendRules } },
          capabilities: ascendCapabilities(chip),
          real: target,
          cache,
          on: ({ path, identity }) => {
            const libraries = { other: [path] };
            const compiler = { ...ascendTable.compiler, title: `virtual aclrtc ${identity}`, library: { ...ascendTable.compiler.library!, names: libraries } };
            const architecture = { always: `dav-${chip.architecture}` };
            return createAscendTarget({ cache, capabilities: ascendCapabilities(chip), table: { ...ascendTable, title: 'virtual Ascend', libraries, architecture, compiler } });
          },
        });
      },
    },
    ...options,
    cache,
  });
  return target;
}
