// MetaX's GPUs, through the MACA runtime.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { createCudaLanguage } from '../../render/cuda/language.ts';
import type { Target } from '../../runtime/device.ts';
import { metaxChips } from './chips.ts';
import { metaxTable } from './driver.ts';

export const createMetaxTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'metax',
    evidence: 'E0',
    rank: 160,
    table: metaxTable,
    language: createCudaLanguage({ name: 'maca-c', shuffle: (x, mask) => `__shfl_xor_sync(0xffffffffffffffffull, ${x}, ${mask})` }),
    // C500: 104 processors, 64 threads in step, 64 KiB shared by a block, 64 GiB.
    least: {
      shuffles: true,
      attributes: { maxThreads: 1024, sharedBytes: 64 << 10, subgroupThreads: 64, units: 104, major: 10, minor: 0 },
      memoryBytes: 64 * 2 ** 30,
      matrixUnitsOf: () => [],
    },
    architecture: 'xcore1000',
    chips: metaxChips,
    ...options,
  });
