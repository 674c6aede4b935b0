// Kunlunxin's chips. R200: XPU C/C++ guide 2.2, chapters 2 and 3. P800: open code that runs on it (FlagTree: 12 clusters of 64 cores) and
// what its xpu-smi prints (98304 MiB); its local memory is printed nowhere public and taken to be that of R200.
import type { TileCapabilities, VectorUnit } from '../../runtime/device.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';

interface KunlunChip {
  readonly title: string;
  /** Number of the architecture: xpu2. */
  readonly architecture: number;
  readonly clusters: number;
  readonly memoryBytes: number;
}

const GIB = 2 ** 30;

/** The first is taken where none is named. */
export const kunlunChips = {
  r200: { title: 'Kunlunxin R200', architecture: 2, clusters: 8, memoryBytes: 16 * GIB },
  p800: { title: 'Kunlunxin P800', architecture: 3, clusters: 12, memoryBytes: 96 * GIB },
} as const satisfies Record<string, KunlunChip>;

export const CLUSTER_CORES = 64;
/** Of a core: four share 32 KiB, and their stacks lie there too. */
export const LOCAL_BYTES = 8 << 10;
const STACK_BYTES = 2 << 10;

/** Registers of the SIMD unit are read and written at multiples of 64 bytes, 16 lanes at a time; copies move single bytes. */
const rules = { alignBytes: 64, lineBytes: 1, countMultiple: 16, floats: [], scratchBytes: LOCAL_BYTES - STACK_BYTES } as const;

const FLOAT = ['f32'] as const;
const INTEGER = ['i32', 'u32'] as const;
const NUMBER = ['f32', 'i32', 'u32'] as const;
const BITS = ['i32', 'u32', 'bool'] as const;

/** What a core does with its local memory, by SIMD instructions or by scalar code. */
const vectors: VectorUnit = {
  functions: {
    add: NUMBER,
    sub: NUMBER,
    mul: NUMBER,
    min: NUMBER,
    max: NUMBER,
    div: FLOAT,
    abs: FLOAT,
    sqrt: FLOAT,
    floor: FLOAT,
    ceil: FLOAT,
    rint: FLOAT,
    trunc: FLOAT,
    and: BITS,
    or: BITS,
    xor: BITS,
    not: ['bool'],
    bitNot: INTEGER,
    shl: INTEGER,
    shr: INTEGER,
    eq: NUMBER,
    ne: NUMBER,
    lt: NUMBER,
    le: NUMBER,
    gt: NUMBER,
    ge: NUMBER,
    select: NUMBER,
    across: NUMBER,
    splat: NUMBER,
  },
  conversions: [
    ['i32', 'f32'],
    ['f32', 'i32'],
    ['u8', 'f32'],
    ['f32', 'u8'],
    ['i8', 'f32'],
    ['i16', 'f32'],
    ['u16', 'f32'],
    ['u8', 'i32'],
    ['i8', 'i32'],
    ['i16', 'i32'],
    ['u16', 'i32'],
  ],
};

/** Cores do not compute in f64. */
const storage = storedDTypes.filter((dtype) => dtype !== 'f64');

export const kunlunCapabilities = ({ clusters, memoryBytes }: KunlunChip): TileCapabilities => ({
  family: 'tile',
  storage,
  tile: { cores: clusters * CLUSTER_CORES, rules, vectors },
  maxBufferBytes: memoryBytes,
});
