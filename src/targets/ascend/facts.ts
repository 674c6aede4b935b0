// Ascend processors: numbers of cores and memories from the platform configurations in CANN's open runtime (Ascend*.ini), rules of the
// vector cores from the Ascend C API reference and the architecture description of NPU 2201.
import { isSmallFloat } from '../../core/float.ts';
import type { DriverChip, DriverChips, LeastMachine, MachineFacts } from '../../driver/machine.ts';
import type { MatrixUnit, TileRules } from '../../kernel/ir.ts';
import type { TileCapabilities, VectorUnit } from '../../runtime/device.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';

const GIB = 2 ** 30;
const KIB = 2 ** 10;
/** The unified buffer of a core that kernels may fill: 8 KiB are the compiler's, 256 bytes the system's. */
const usable = (bytes: number): number => bytes - 8 * KIB - 256;
/** Units are vector cores, shared memory their unified buffer. */
const a2 = (units: number, memoryBytes: number): Omit<DriverChip, 'title'> => ({ architecture: 'dav-2201', memoryBytes, attributes: { units, sharedBytes: usable(192 * KIB) } });

/** The first is taken where none is named. Names without a suffix are of older chips: 910B is not 910B1. */
export const ascendChips = {
  '910b1': { title: 'Ascend 910B1', ...a2(48, 64 * GIB) },
  '910b2': { title: 'Ascend 910B2', ...a2(48, 64 * GIB) },
  '910b3': { title: 'Ascend 910B3', ...a2(40, 64 * GIB) },
  '910b4': { title: 'Ascend 910B4', ...a2(40, 32 * GIB) },
  '910_9391': { title: 'Ascend 910_9391', ...a2(48, 64 * GIB) },
  '910_9372': { title: 'Ascend 910_9372', ...a2(40, 64 * GIB) },
  '310p3': { title: 'Ascend 310P3', architecture: 'dav-2002', memoryBytes: 24 * GIB, attributes: { units: 8, sharedBytes: usable(256 * KIB) } },
} as const satisfies DriverChips;

/** What every chip has that kernels are compiled for at run time. */
const LEAST = ascendChips['910b4'];
export const ascendLeast: LeastMachine = {
  attributes: { maxThreads: 1, subgroupThreads: 1, major: 0, minor: 0, units: 40, sharedBytes: usable(192 * KIB), ...LEAST.attributes },
  unit: 'vector cores',
  memoryBytes: LEAST.memoryBytes,
  matrixUnitsOf: () => [],
};

/** A block of the unified buffer, a line of a core's data cache, elements of a repeat of 256 bytes of f32. */
const ascendRules = { alignBytes: 32, lineBytes: 64, countMultiple: 64 } as const;

const FLOAT = ['f32'] as const;
const NUMBER = ['f32', 'i32', 'u32'] as const;

const vectors: VectorUnit = {
  functions: {
    add: NUMBER,
    sub: NUMBER,
    mul: NUMBER,
    div: FLOAT,
    min: ['f32', 'i32'],
    max: ['f32', 'i32'],
    and: ['i32', 'u32', 'bool'],
    or: ['i32', 'u32', 'bool'],
    not: ['bool'],
    bitNot: ['i32', 'u32'],
    shl: ['i32', 'u32'],
    shr: ['i32', 'u32'],
    abs: FLOAT,
    sqrt: FLOAT,
    floor: FLOAT,
    ceil: FLOAT,
    rint: FLOAT,
    trunc: FLOAT,
    eq: ['f32', 'i32'],
    ne: FLOAT,
    lt: FLOAT,
    le: FLOAT,
    gt: FLOAT,
    ge: FLOAT,
    select: NUMBER,
    splat: NUMBER,
    across: FLOAT,
  },
  conversions: [
    ['f16', 'f32'],
    ['f32', 'f16'],
    ['bf16', 'f32'],
    ['f32', 'bf16'],
    ['u8', 'f16'],
    ['i8', 'f16'],
    ['f16', 'u8'],
    ['i16', 'f32'],
    ['f32', 'i32'],
    ['i32', 'f32'],
  ],
};

type SmallFloats = TileRules['floats'];

/** What converts only between small floats that the machine knows. */
const withFloats = (unit: VectorUnit, floats: SmallFloats): VectorUnit => ({
  ...unit,
  conversions: unit.conversions.filter((pair) => pair.every((dtype) => !isSmallFloat(dtype) || floats.some((known) => known === dtype))),
});

/**
 * What Mmad multiplies, in blocks of 512 bytes; the sides are those at which factors can be turned as they are filled. f32 is not rounded
 * first (that would be the HF32 mode, which is off).
 */
const units: readonly MatrixUnit[] = [
  { m: 16, n: 16, k: 16, in: 'f16', acc: 'f32', layout: 'fractal' },
  { m: 16, n: 16, k: 16, in: 'bf16', acc: 'f32', layout: 'fractal' },
  { m: 16, n: 16, k: 16, in: 'f32', acc: 'f32', layout: 'fractal' },
  { m: 32, n: 32, k: 32, in: 'i8', acc: 'i32', layout: 'fractal' },
];

/** AI cores do not compute in f64. */
const storage = storedDTypes.filter((dtype) => dtype !== 'f64');

const capabilitiesOf = ({ attributes: { units, sharedBytes }, memoryBytes }: MachineFacts, unit: VectorUnit, floats: SmallFloats): TileCapabilities => ({
  family: 'tile',
  storage,
  tile: { cores: units, rules: { ...ascendRules, scratchBytes: sharedBytes, floats }, vectors: withFloats(unit, floats) },
  maxBufferBytes: memoryBytes,
});

/** L1 but for 256 bytes, both buffers of factors, the buffer of sums; there is a cube core for two vector cores. */
const cube = { staging: 512 * KIB - 256, a: 64 * KIB, b: 64 * KIB, sum: 128 * KIB };
const VECTOR_CORES = 2;

/** With the cube cores and some of their units. */
function withCube(capabilities: TileCapabilities, used: readonly MatrixUnit[]): TileCapabilities {
  const { tile } = capabilities;
  return {
    ...capabilities,
    tile: { ...tile, matrixCores: tile.cores / VECTOR_CORES, rules: { ...tile.rules, matrix: { isApart: true, units: used, bytes: cube, sumsTo: 'global' } } },
  };
}

/** Chips of architecture 2002 have no bf16, and their cube units are not used. */
export const ascendCapabilities = (machine: MachineFacts): TileCapabilities =>
  machine.architecture === 'dav-2002' ? capabilitiesOf(machine, vectors, ['f16']) : withCube(capabilitiesOf(machine, vectors, ['f16', 'bf16']), units);

const { floor: _floor, ceil: _ceil, rint: _rint, trunc: _trunc, ...unrounded } = vectors.functions;
/**
 * The same chip by PTO's instructions. Its simulator rounds f32 to no whole number, where the pages of TCVT say that it does, and has bf16
 * with compilers of C++23 alone: kernels do without either. Rows of tiles have a length that is part of their type.
 */
export function ptoCapabilities(machine: MachineFacts): TileCapabilities {
  const capabilities = withCube(
    capabilitiesOf(machine, { ...vectors, functions: unrounded }, ['f16']),
    units.filter((unit) => unit.in !== 'bf16'),
  );
  return { ...capabilities, tile: { ...capabilities.tile, fixedCopies: true } };
}
