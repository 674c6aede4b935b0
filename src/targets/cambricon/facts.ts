// MLU chips. Rules of vector functions as Cambricon's open operators state them (mlu-ops kernels/kernel.h); architectures from the same.
// Cores and NRAM differ between cards of a series: the driver is asked. Chips have what every card of theirs has, as far as is known.
import type { DriverChips, LeastMachine, MachineFacts } from '../../driver/machine.ts';
import type { TileCapabilities, VectorUnit } from '../../runtime/device.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';

const GIB = 2 ** 30;
const NRAM_BYTES = 512 << 10;
/** Of its neural memory mlu-ops leaves so much to a core's stack. */
const STACK_BYTES = 128 << 10;

/** The first is taken where none is named. Units are cores, shared memory the neural memory (NRAM) of one. */
export const cambriconChips: DriverChips = {
  mlu370: { title: 'Cambricon MLU370', architecture: 'mtp_372', memoryBytes: 22 * GIB, attributes: { units: 24 } },
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
  ],
};

/** Cores do not compute in f64. */
const storage = storedDTypes.filter((dtype) => dtype !== 'f64');

export const cambriconCapabilities = ({ attributes: { units, sharedBytes }, memoryBytes }: MachineFacts): TileCapabilities => ({
  family: 'tile',
  storage,
  tile: { cores: units, rules: { ...cambriconRules, scratchBytes: sharedBytes - STACK_BYTES, floats: ['f16'] }, vectors },
  maxBufferBytes: memoryBytes,
});
