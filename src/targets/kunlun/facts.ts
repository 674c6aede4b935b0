// Kunlunxin's chips. R200: XPU C/C++ guide 2.2, chapters 2 and 3. P800: open code that runs on it (FlagTree: 12 clusters of 64 cores) and
// what its xpu-smi prints (98304 MiB); its local memory is printed nowhere public and taken to be that of R200.
import type { DriverChip, DriverChips, LeastMachine, MachineFacts } from '../../driver/machine.ts';
import type { TileCapabilities, VectorUnit } from '../../runtime/device.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';

const GIB = 2 ** 30;
const CLUSTER_CORES = 64;
/** Of a core: four share 32 KiB, and their stacks lie there too, for which kernels leave some. */
const LOCAL_BYTES = 8 << 10;
const STACK_BYTES = 2 << 10;

/** Units are clusters. Scalar stores are copies of single bytes: no line of a cache comes between. */
const chip = (clusters: number, architecture: string, memoryBytes: number): Omit<DriverChip, 'title'> => ({
  architecture,
  memoryBytes,
  attributes: { units: clusters },
  limits: { clusters, clusterCores: CLUSTER_CORES, localBytes: LOCAL_BYTES, lineBytes: 0 },
});

/** The first is taken where none is named. */
export const kunlunChips = {
  r200: { title: 'Kunlunxin R200', ...chip(8, 'xpu2', 16 * GIB) },
  p800: { title: 'Kunlunxin P800', ...chip(12, 'xpu3', 96 * GIB) },
} as const satisfies DriverChips;

/** What every chip has. */
export const kunlunLeast: LeastMachine = {
  attributes: { maxThreads: 1, sharedBytes: LOCAL_BYTES, subgroupThreads: 1, units: 8, major: 0, minor: 0 },
  unit: 'clusters',
  memoryBytes: kunlunChips.r200.memoryBytes,
  matrixUnitsOf: () => [],
};

/** Registers of the SIMD unit are read and written at multiples of 64 bytes, 16 lanes at a time; copies move single bytes. */
const rules = { alignBytes: 64, lineBytes: 1, countMultiple: 16, floats: ['f16', 'bf16'], scratchBytes: LOCAL_BYTES - STACK_BYTES } as const;

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
    ['f16', 'f32'],
    ['f32', 'f16'],
    ['bf16', 'f32'],
    ['f32', 'bf16'],
    ['i32', 'f32'],
    ['f32', 'i32'],
    ['u32', 'f32'],
    ['f32', 'u32'],
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
  narrowing: (['i32', 'u32'] as const).flatMap((from) => (['i8', 'u8', 'i16', 'u16'] as const).map((to) => [from, to] as const)),
};

/** Cores do not compute in f64. */
const storage = storedDTypes.filter((dtype) => dtype !== 'f64');

export const kunlunCapabilities = ({ attributes: { units }, memoryBytes }: MachineFacts): TileCapabilities => ({
  family: 'tile',
  storage,
  tile: { cores: units * CLUSTER_CORES, rules, vectors },
  maxBufferBytes: memoryBytes,
});
