// What every NVIDIA GPU has that is as new as the oldest one compiled for, from the CUDA C++ Programming Guide, "Compute Capabilities".
import type { LeastMachine } from '../../driver/machine.ts';

export const LEAST_ARCHITECTURE = 'sm_80';

export const cudaLeast: LeastMachine = {
  attributes: { maxThreads: 1024, sharedBytes: 48 << 10, subgroupThreads: 32, units: 16, major: 8, minor: 0 },
  memoryBytes: 4 * 2 ** 30,
  matrixUnitsOf: () => [],
};
