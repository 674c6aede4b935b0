// Kunlunxin's chips, through the XPU runtime and XTDK's compiler.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { text } from '../../driver/table.ts';
import { onChip } from '../../driver/virtualChips.ts';
import { xpuLanguage } from '../../render/xpu/language.ts';
import { CompileCache } from '../../runtime/compileCache.ts';
import type { Target } from '../../runtime/device.ts';
import { createVirtualTarget } from '../../runtime/virtualTarget.ts';
import { kunlunTable } from './driver.ts';
import { CLUSTER_CORES, LOCAL_BYTES, kunlunCapabilities, kunlunChips } from './facts.ts';

/** What every chip has. */
const LEAST = kunlunChips.r200;

/** The runtime has its texts of errors in its header alone; the library of a virtual chip says which rule was broken. */
const virtualTable = { ...kunlunTable, calls: { ...kunlunTable.calls, errorText: text('anychip_message', 'status') } };

export function createKunlunTarget(options: Partial<DriverTarget> = {}): Target {
  const { cache = new CompileCache() } = options;
  const target: Target = createDriverTarget({
    name: 'kunlun',
    evidence: 'E1',
    rank: 183,
    table: kunlunTable,
    language: xpuLanguage,
    least: {
      attributes: { maxThreads: 1, sharedBytes: 0, subgroupThreads: 1, units: LEAST.clusters, major: 0, minor: 0 },
      memoryBytes: LEAST.memoryBytes,
      matrixUnitsOf: () => [],
    },
    capabilities: kunlunCapabilities(LEAST),
    architecture: `xpu${LEAST.architecture}`,
    virtual: {
      names: Object.keys(kunlunChips),
      open: (name, called) => {
        const chip = Object.entries(kunlunChips).find(([own]) => own === name)?.[1];
        if (chip === undefined) return undefined;
        const { title, ...facts } = chip;
        const capabilities = kunlunCapabilities(chip);
        return createVirtualTarget({
          name: called,
          // Scalar stores are copies of single bytes: no line of a cache comes between.
          chip: { vendor: 'kunlun', family: 'tile', program: 'xtdk', title, facts: { ...facts, clusterCores: CLUSTER_CORES, scratchBytes: LOCAL_BYTES, lineBytes: 0 } },
          capabilities,
          real: target,
          cache,
          on: (built) => createKunlunTarget({ cache, capabilities, table: onChip(virtualTable, built, `xpu${chip.architecture}`) }),
        });
      },
    },
    ...options,
    cache,
  });
  return target;
}
