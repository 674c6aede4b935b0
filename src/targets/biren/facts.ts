// Biren's chips of hardware version 1.0. Threads, shared memory and grids: BIRENSUPA programming guide, "compute attributes". Processors and
// memory: Biren's presentation of BR100 and BR104 (Hot Chips 34), where a BR104 is one of the two dies of a BR100. Neither computes in f64.
// Kernels are of general mode, which alone computes in f16; of tensor mode, which runs blocks of 512 to 4096 threads, in steps of 512, over a
// cluster of four processors and alone has bf16 and matrix units, none are made. Small floats are stored only; kernels compute in f32.
// Threads do not shuffle: public code found the answers wrong on these chips with one release of the SDK, and right with another.
import type { DriverChips, LeastMachine } from '../../driver/machine.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';

const GIB = 2 ** 30;

/** Both are of it. */
export const ARCHITECTURE = 'br100';

/** 16 clusters of four processors. */
const DIE_UNITS = 64;

export const birenLeast: LeastMachine = {
  storage: storedDTypes.filter((dtype) => dtype !== 'f64'),
  attributes: { maxThreads: 1024, sharedBytes: 32 << 10, subgroupThreads: 32, units: DIE_UNITS, major: 1, minor: 0 },
  memoryBytes: 32 * GIB,
  matrixUnitsOf: () => [],
};

/** Most threads and blocks along each axis. */
const limits = { blockX: 1024, blockY: 1024, blockZ: 32, gridX: 2 ** 27, gridY: 65_536, gridZ: 65_536 };

export const birenChips: DriverChips = {
  br100: { title: 'Biren BR100', architecture: ARCHITECTURE, memoryBytes: 64 * GIB, attributes: { units: 2 * DIE_UNITS }, limits },
  br104: { title: 'Biren BR104', architecture: ARCHITECTURE, memoryBytes: 32 * GIB, limits },
};
