// Cambricon's MLU chips, through their driver interface and their compiler at run time.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { bangLanguage } from '../../render/bang/language.ts';
import { CompileCache } from '../../runtime/compileCache.ts';
import type { Target } from '../../runtime/device.ts';
import { createVirtualTarget } from '../../runtime/virtualTarget.ts';
import { cambriconTable } from './driver.ts';
import { cambriconCapabilities, cambriconChips, cambriconRules } from './facts.ts';

/** What every chip has that kernels are compiled for at run time. */
const LEAST = cambriconChips.mlu370;

export function createCambriconTarget(options: Partial<DriverTarget> = {}): Target {
  const { cache = new CompileCache() } = options;
  const target: Target = createDriverTarget({
    name: 'cambricon',
    evidence: 'E0',
    rank: 185,
    table: cambriconTable,
    language: bangLanguage,
    least: { attributes: { maxThreads: 1, sharedBytes: 0, subgroupThreads: 1, units: LEAST.cores, major: 0, minor: 0 }, memoryBytes: LEAST.memoryBytes, matrixUnitsOf: () => [] },
    capabilities: cambriconCapabilities(LEAST),
    architecture: `mtp_${LEAST.architecture}`,
    virtual: {
      names: Object.keys(cambriconChips),
      open: (name, called) => {
        const chip = Object.entries(cambriconChips).find(([own]) => own === name)?.[1];
        if (chip === undefined) return undefined;
        const { title, ...facts } = chip;
        return createVirtualTarget({
          name: called,
          chip: { vendor: 'cambricon', family: 'tile', title, facts: { ...facts, ...cambriconRules } },
          capabilities: cambriconCapabilities(chip),
          real: target,
          cache,
          on: ({ path, identity }) => {
            const libraries = { other: [path] };
            const compiler = { ...cambriconTable.compiler, title: `virtual CNRTC ${identity}`, library: { ...cambriconTable.compiler.library!, names: libraries } };
            const architecture = { always: `mtp_${chip.architecture}` };
            return createCambriconTarget({
              cache,
              capabilities: cambriconCapabilities(chip),
              table: { ...cambriconTable, title: 'virtual Cambricon', libraries, architecture, compiler },
            });
          },
        });
      },
    },
    ...options,
    cache,
  });
  return target;
}
