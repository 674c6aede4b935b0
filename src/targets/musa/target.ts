// Moore Threads' GPUs, through the MUSA driver.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { createCudaLanguage } from '../../render/cuda/language.ts';
import type { Target } from '../../runtime/device.ts';
import { musaChips } from './chips.ts';
import { musaTable } from './driver.ts';

export const createMusaTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'musa',
    evidence: 'E0',
    rank: 170,
    table: musaTable,
    language: createCudaLanguage({ name: 'musa-c' }),
    // MTT S4000 (mp_22), the least of what is sold for servers.
    least: {
      shuffles: true,
      attributes: { maxThreads: 1024, sharedBytes: 28 << 10, subgroupThreads: 32, units: 48, major: 2, minor: 2 },
      memoryBytes: 16 * 2 ** 30,
      matrixUnitsOf: () => [],
    },
    architecture: 'mp_22',
    chips: musaChips,
    ...options,
  });
