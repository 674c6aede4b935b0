// Biren's GPUs BR100 and BR104, through the BIRENSUPA driver.
import { createDriverTarget } from '../../driver/target.ts';
import type { DriverTarget } from '../../driver/target.ts';
import { createCudaLanguage } from '../../render/cuda/language.ts';
import type { Target } from '../../runtime/device.ts';
import { birenTable } from './driver.ts';
import { ARCHITECTURE, birenChips, birenLeast } from './facts.ts';

/** SUPA C++: CUDA's, with C's own names for functions. */
export const supaLanguage = createCudaLanguage({
  name: 'supa-c',
  head: '#include <supa.h>\n#include <supa_device.h>\n#include <math.h>\n',
  indices: { block: 'block_idx.x', thread: 'thread_idx.x' },
  builtins: { nan: () => '__builtin_nanf("")', infinity: () => '__builtin_inff()', fma: () => 'fmaf' },
  lacksDoubles: true,
});

export const createBirenTarget = (options: Partial<DriverTarget> = {}): Target =>
  createDriverTarget({
    name: 'biren',
    evidence: 'E0',
    rank: 175,
    table: birenTable,
    language: supaLanguage,
    least: birenLeast,
    architecture: ARCHITECTURE,
    chips: birenChips,
    ...options,
  });
