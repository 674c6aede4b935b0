// MLU chips. Rules of vector functions as Cambricon's open operators state them (mlu-ops kernels/kernel.h); architectures from the same.
// Cores and NRAM differ between cards of a series and are not printed anywhere public: what every card of it has, as far as is known.
import type { TileCapabilities, VectorUnit } from '../../runtime/device.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';

interface CambriconChip {
  readonly title: string;
  /** Number of the architecture: mtp_372. */
  readonly architecture: number;
  readonly cores: number;
  readonly memoryBytes: number;
  /** Neural memory of a core that kernels may fill: mlu-ops leaves 128 KiB of 512 to the stack. */
  readonly scratchBytes: number;
}

const GIB = 2 ** 30;
const NRAM_BYTES = 384 << 10;

/** The first is taken where none is named. */
export const cambriconChips = {
  mlu370: { title: 'Cambricon MLU370', architecture: 372, cores: 24, memoryBytes: 22 * GIB, scratchBytes: NRAM_BYTES },
  mlu590: { title: 'Cambricon MLU590', architecture: 592, cores: 32, memoryBytes: 80 * GIB, scratchBytes: NRAM_BYTES },
} as const satisfies Record<string, CambriconChip>;

/** NFU_ALIGN_SIZE; GDRAM is written 64 bytes at a time, less is read first; lengths are multiples of 64 elements. */
export const cambriconRules = { alignBytes: 128, lineBytes: 64, countMultiple: 64 } as const;

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

export const cambriconCapabilities = ({ cores, scratchBytes, memoryBytes }: CambriconChip): TileCapabilities => ({
  family: 'tile',
  storage,
  tile: { cores, rules: { ...cambriconRules, scratchBytes, floats: ['f16'] }, vectors },
  maxBufferBytes: memoryBytes,
});
