// What every NVIDIA GPU has that is as new as the oldest one compiled for, and which matrix units architectures have: CUDA C++ Programming
// Guide, "Compute Capabilities"; PTX ISA, "Warp Level Matrix Multiply-Accumulate Instructions".
import type { LeastMachine } from '../../driver/machine.ts';
import type { MatrixUnit } from '../../kernel/ir.ts';

export const LEAST_ARCHITECTURE = 'sm_80';

const square = { m: 16, n: 16, layout: 'strided' } as const;

/** By the first compute capability, ×10, that has them. */
const matrixUnits: readonly { readonly since: number; readonly unit: MatrixUnit }[] = [
  { since: 70, unit: { ...square, k: 16, in: 'f16', acc: 'f32' } },
  { since: 72, unit: { ...square, k: 16, in: 'i8', acc: 'i32' } },
  { since: 72, unit: { ...square, k: 16, in: 'u8', acc: 'i32' } },
  { since: 80, unit: { ...square, k: 16, in: 'bf16', acc: 'f32' } },
  { since: 80, unit: { ...square, k: 8, in: 'tf32', acc: 'f32' } },
];

/** Units that read memory of the block themselves: of one architecture alone, in code made for no other. */
const WARPGROUP_ARCHITECTURE = 'sm_90';
const warpgroupUnits: readonly MatrixUnit[] = ([256, 128, 64] as const).flatMap((n) =>
  (['f16', 'bf16', 'tf32'] as const).map((input): MatrixUnit => ({ m: 64, n, k: input === 'tf32' ? 8 : 16, in: input, acc: 'f32', layout: 'swizzled', threads: 128 })),
);

export const cudaLeast: LeastMachine = {
  shuffles: true,
  attributes: { maxThreads: 1024, sharedBytes: 48 << 10, givenSharedBytes: 99 << 10, subgroupThreads: 32, units: 16, major: 8, minor: 0 },
  memoryBytes: 4 * 2 ** 30,
  // From 8.0 on, as the oldest one is.
  fetchBytesOf: () => [16, 8, 4],
  matrixUnitsOf: (architecture) => {
    const capability = Number(/^sm_(\d+)/.exec(architecture)?.[1] ?? 0);
    const strided = matrixUnits.filter(({ since }) => since <= capability).map(({ unit }) => unit);
    return architecture === WARPGROUP_ARCHITECTURE ? [...warpgroupUnits, ...strided] : strided;
  },
};
