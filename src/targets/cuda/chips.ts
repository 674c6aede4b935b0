// NVIDIA's data-centre GPUs as virtual chips. Sources: the CUDA C++ programming guide (compute capabilities), NVIDIA's data sheets; memory
// and multiprocessors as in the data sheets.

interface CudaChip {
  readonly title: string;
  /** Compute capability, ×10. */
  readonly architecture: number;
  readonly memoryBytes: number;
  /** Multiprocessors. */
  readonly units: number;
  /** Of one multiprocessor, and of one block that asks for more than `SHARED_BYTES`. */
  readonly sharedBytesPerUnit: number;
  readonly sharedBytesOptIn: number;
}

const GIB = 2 ** 30;
const KIB = 2 ** 10;
const ampere = { architecture: 80, units: 108, sharedBytesPerUnit: 164 * KIB, sharedBytesOptIn: 163 * KIB };
const hopper = { architecture: 90, units: 132, sharedBytesPerUnit: 228 * KIB, sharedBytesOptIn: 227 * KIB };

/** The first is taken where none is named. */
export const cudaChips = {
  h100: { title: 'NVIDIA H100', memoryBytes: 80 * GIB, ...hopper },
  a100: { title: 'NVIDIA A100', memoryBytes: 80 * GIB, ...ampere },
  a800: { title: 'NVIDIA A800', memoryBytes: 80 * GIB, ...ampere },
  h20: { title: 'NVIDIA H20', memoryBytes: 96 * GIB, ...hopper, units: 78 },
  h200: { title: 'NVIDIA H200', memoryBytes: 141 * GIB, ...hopper },
} as const satisfies Record<string, CudaChip>;
export type CudaChipName = keyof typeof cudaChips;

/** What all of them have: threads of a block and of a warp, shared memory that a block has without asking, the driver's version. */
export const cudaCommon = { maxThreads: 1024, subgroupThreads: 32, sharedBytes: 48 * KIB, driverVersion: 12_080 } as const;
