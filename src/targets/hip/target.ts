// Hygon's DCUs, and AMD's GPUs, through HIP.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { clangFloats } from '../../render/cuda/halves.ts';
import { createCudaLanguage } from '../../render/cuda/language.ts';
import type { Target } from '../../runtime/device.ts';
import { hipChips } from './chips.ts';
import { hipTable } from './driver.ts';

/** The run-time compiler knows the language by itself; the program has to be told. */
const HEAD = '#ifndef __HIPCC_RTC__\n#include <hip/hip_runtime.h>\n#endif\n';

export const createHipTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'hip',
    evidence: 'E1',
    rank: 180,
    table: hipTable,
    language: createCudaLanguage({ name: 'hip-c', head: HEAD, floats: clangFloats, shuffle: (x, mask) => `__shfl_xor(${x}, ${mask})` }),
    // DCU Z100 and MI50 (gfx906): 64 threads in step, 64 KiB shared by a block.
    least: {
      shuffles: true,
      attributes: { maxThreads: 1024, sharedBytes: 64 << 10, subgroupThreads: 64, units: 60, major: 9, minor: 0 },
      memoryBytes: 16 * 2 ** 30,
      matrixUnitsOf: () => [],
    },
    architecture: 'gfx906',
    chips: hipChips,
    ...options,
  });
