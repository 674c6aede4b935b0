// MLU chips. Rules of vector functions and of filters as Cambricon's open operators state them (mlu-ops kernels/kernel.h); architectures and
// memories from the same (independent_build.sh). Cores and NRAM differ between cards of a series: the driver is asked. Chips have what every
// card of theirs has, as far as is known.
import type { DriverChips, LeastMachine, MachineFacts } from '../../driver/machine.ts';
import type { MatrixUnit } from '../../kernel/ir.ts';
import type { TileCapabilities, VectorUnit } from '../../runtime/device.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';

const GIB = 2 ** 30;
const KIB = 2 ** 10;
const NRAM_BYTES = 512 * KIB;
/** Of its neural memory mlu-ops leaves so much to a core's stack. */
const STACK_BYTES = 128 << 10;

/** The first is taken where none is named. Units are cores, shared memory the neural memory (NRAM) of one. */
export const cambriconChips: DriverChips = {
  mlu370: { title: 'Cambricon MLU370', architecture: 'mtp_372', memoryBytes: 22 * GIB, attributes: { units: 24, sharedBytes: 768 * KIB } },
  mlu590: { title: 'Cambricon MLU590', architecture: 'mtp_592', memoryBytes: 80 * GIB, attributes: { units: 32 } },
};

export const cambriconLeast: LeastMachine = {
  attributes: { maxThreads: 1, subgroupThreads: 1, sharedBytes: NRAM_BYTES, units: 24, major: 372, minor: 0 },
  unit: 'cores',
  memoryBytes: 22 * GIB,
  matrixUnitsOf: () => [],
};

/** NFU_ALIGN_SIZE; GDRAM is written 64 bytes at a time, less is read first; lengths are multiples of 64 elements. */
const cambriconRules = { alignBytes: 128, lineBytes: 64, countMultiple: 64 } as const;

const FLOAT = ['f32'] as const;

const vectors: VectorUnit = {
  functions: { add: FLOAT, sub: FLOAT, mul: FLOAT, min: FLOAT, max: FLOAT, abs: FLOAT, sqrt: FLOAT, floor: FLOAT, ceil: FLOAT, rint: FLOAT, trunc: FLOAT, splat: FLOAT },
  conversions: [
    ['f16', 'f32'],
    ['f32', 'f16'],
    ['i8', 'f32'],
    ['i32', 'f32'],
    ['f32', 'i32'],
  ],
};

/**
 * What __bang_matmul multiplies into f32: rows of a filter take whole 64 bytes, and there are a multiple of 64 of them. That of f32 is called
 * so by mlu-ops (kernels/fft); the one of f16 is declared by the toolkit's header and listed in its guide, and no open code calls it.
 * Not used: that of i8, whose public forms round the sum to f16 or f32, so bytes are multiplied as f32, as far as its sums hold them; bf16, of
 * which nothing is public.
 */
const units: readonly MatrixUnit[] = [
  { m: 16, n: 64, k: 16, in: 'f32', acc: 'f32', layout: 'lines' },
  { m: 16, n: 64, k: 32, in: 'f16', acc: 'f32', layout: 'lines' },
];

/** Weight memory (WRAM) of a core, which the driver is not asked for: what every chip has, and those that have more. */
const WRAM_BYTES = 512 * KIB;
const moreWram: Readonly<Record<string, number>> = { mtp_372: 1024 * KIB };

/** Cores do not compute in f64. */
const storage = storedDTypes.filter((dtype) => dtype !== 'f64');

export const cambriconCapabilities = ({ architecture, attributes: { units: cores, sharedBytes }, memoryBytes }: MachineFacts): TileCapabilities => ({
  family: 'tile',
  storage,
  tile: {
    cores,
    rules: {
      ...cambriconRules,
      scratchBytes: sharedBytes - STACK_BYTES,
      floats: ['f16'],
      matrix: { isApart: false, units, bytes: { b: moreWram[architecture] ?? WRAM_BYTES }, sumsTo: 'scratch' },
    },
    vectors,
  },
  maxBufferBytes: memoryBytes,
});
