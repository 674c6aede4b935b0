// Whether a contraction can be computed by a matrix unit, which, and in what tiles: by an estimate of the cycles that a multiprocessor
// spends. The rates are about those of a data-centre GPU; only their ratios matter.
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { MatrixUnit } from '../../kernel/ir.ts';
import { SWIZZLE } from '../../kernel/matrix.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { guardPoint, loadPoint, zeroOf } from '../point.ts';
import type { PointExpr } from '../point.ts';
import { inDType } from '../factors.ts';
import { pointsOf } from '../traffic.ts';
import type { Contraction, Factor } from '../contraction.ts';

/** How a factor reaches shared memory. */
export interface MatrixInput {
  readonly value: PointExpr;
  /** Of its tile in shared memory. */
  readonly dtype: NumericDType;
  /** Whether neighbours along the sum lie side by side. */
  readonly alongSum: boolean;
}

export interface MatrixTile {
  readonly unit: MatrixUnit;
  readonly a: MatrixInput;
  readonly b: MatrixInput;
  /** Subgroups of a block along each side of its tile, and fragments of a subgroup along each side of its own. */
  readonly subgroupsA: number;
  readonly subgroupsB: number;
  readonly fragmentsA: number;
  readonly fragmentsB: number;
  /** Points of the sum that are brought at a time, a multiple of the unit's k. */
  readonly depth: number;
}

export const sideA = (t: MatrixTile): number => t.subgroupsA * t.fragmentsA * t.unit.m;
export const sideB = (t: MatrixTile): number => t.subgroupsB * t.fragmentsB * t.unit.n;
export const subgroupsOf = (t: MatrixTile): number => t.subgroupsA * t.subgroupsB;
export const threadsOf = (t: MatrixTile, facts: SimtFacts): number => subgroupsOf(t) * (t.unit.threads ?? facts.subgroupThreads);

/** Products a cycle of the matrix units and of the threads' own arithmetic, elements a cycle that reach shared memory or leave it. */
const MATRIX_RATE = 1024;
const THREAD_RATE = 64;
const MOVE_RATE = 32;
/** Cycles of a step beside its work: two waits of the block for each other. */
const STEP_CYCLES = 60;
/** Subgroups that keep the matrix units busy. */
const BUSY_SUBGROUPS = 4;
/** Sums that a thread can hold in registers: fragments of a subgroup. */
const MAX_FRAGMENTS = 8;
/** Steps of the unit's k that are brought at a time. */
const DEPTH_STEPS = 2;
/** Tiles are brought while others are multiplied. */
export const STAGES = 2;

/** What memory holds of each input, where it is moved without being looked at: floats of 16 bits as their bits. */
const moved: { readonly [I in MatrixUnit['in']]: { readonly held: NumericDType; readonly bits: NumericDType } } = {
  f16: { held: 'f16', bits: 'u16' },
  bf16: { held: 'bf16', bits: 'u16' },
  tf32: { held: 'f32', bits: 'f32' },
  f32: { held: 'f32', bits: 'f32' },
  i8: { held: 'i8', bits: 'i8' },
  u8: { held: 'u8', bits: 'u8' },
};

/** The bits of a value that is read from memory, or 0; undefined where it is computed. */
function asBits(e: PointExpr, bits: NumericDType): PointExpr | undefined {
  if (e.kind === 'load') return e.after === undefined ? loadPoint(e.slot, e.offset, bits) : undefined;
  if (e.kind === 'literal') return Object.is(Number(e.value), 0) ? zeroOf(bits) : undefined;
  if (e.kind !== 'guard') return undefined;
  const [inside, outside] = [asBits(e.inside, bits), asBits(e.outside, bits)];
  return inside === undefined || outside === undefined ? undefined : guardPoint(e.conditions, inside, outside);
}

function inputOf({ value, alongSum }: Factor, { in: input }: MatrixUnit): MatrixInput | undefined {
  const { held, bits } = moved[input];
  const exact = inDType(value, held);
  if (exact === undefined) return undefined;
  const plain = bits === held ? undefined : asBits(exact, bits);
  return plain === undefined ? { value: exact, dtype: held, alongSum } : { value: plain, dtype: bits, alongSum };
}

/** What is asked of tiles for the units of one layout. */
interface TileRules {
  /** Tiles that could be. */
  readonly choices: (unit: MatrixUnit, a: MatrixInput, b: MatrixInput, k: number) => readonly MatrixTile[];
  readonly fits: (t: MatrixTile, facts: SimtFacts) => boolean;
  /** Cycles of a block: those of a step, and those of what follows them. */
  readonly stepCycles: (t: MatrixTile) => number;
  readonly endCycles: (t: MatrixTile) => number;
}

const POWERS = [1, 2, 4];

/** Units multiply twice as wide elements half as fast; rates are those of 16 bits. */
const slowness = (t: MatrixTile): number => Math.max(dtypes[t.a.dtype].bytes, 2) / 2;

/** Factors are brought by the threads, in step with what they multiply. */
const strided: TileRules = {
  choices: (unit, a, b, k) => {
    const depth = unit.k * (k > unit.k ? DEPTH_STEPS : 1);
    return POWERS.flatMap((subgroupsA) =>
      POWERS.flatMap((subgroupsB) =>
        POWERS.flatMap((fragmentsA) => POWERS.map((fragmentsB): MatrixTile => ({ unit, a, b, subgroupsA, subgroupsB, fragmentsA, fragmentsB, depth }))),
      ),
    );
  },
  fits: (t, facts) => {
    const threads = threadsOf(t, facts);
    const tiles = STAGES * t.depth * (sideA(t) * dtypes[t.a.dtype].bytes + sideB(t) * dtypes[t.b.dtype].bytes);
    const sums = subgroupsOf(t) * t.unit.m * t.unit.n * dtypes[t.unit.acc].bytes;
    // Every thread brings as many elements as the others.
    const isEven = [sideA(t), sideB(t)].every((side) => (t.depth * side) % threads === 0) && (t.unit.m * t.unit.n) % facts.subgroupThreads === 0;
    return isEven && threads <= facts.maxThreads && tiles + sums <= facts.sharedBytes && t.fragmentsA * t.fragmentsB <= MAX_FRAGMENTS;
  },
  stepCycles: (t) => {
    const multiply = (((sideA(t) * sideB(t) * t.depth) / MATRIX_RATE) * slowness(t)) / Math.min(1, subgroupsOf(t) / BUSY_SUBGROUPS);
    const move = (t.depth * (sideA(t) + sideB(t))) / MOVE_RATE;
    return multiply + move + STEP_CYCLES;
  },
  endCycles: (t) => (sideA(t) * sideB(t)) / MOVE_RATE,
};

/** Products a cycle of units that read 16 bits of each factor themselves, and bytes a cycle that reach a block from the cache that all share. */
const SWIZZLED_RATE = 2048;
const FETCH_RATE = 40;
/** Elements a cycle that come one by one, because a unit reads them along the sum alone and they do not lie so. */
const TURNED_RATE = 2.5;
export const readsAlongSum = (dtype: NumericDType): boolean => dtypes[dtype].bits > 16;
const isTurned = ({ dtype, alongSum }: MatrixInput): boolean => readsAlongSum(dtype) && !alongSum;
/** Elements a cycle that leave the block, and cycles until the first tiles are there. */
const RESULT_RATE = 12;
const START_CYCLES = 1500;
const SWIZZLED_STEP_CYCLES = 40;
/** Stages of swizzled memory: one is multiplied, one may be still, two are on their way. */
export const SWIZZLED_STAGES = 4;
/** Columns of sums that pass through memory of the block at a time; between their lines, so that neighbours lie in different banks. */
export const STRIP = { columns: 32, pad: 8 } as const;
/** Groups of threads along a, and sums of each along it; columns of all sums of a group, which its threads hold in registers. */
const GROUPS = [1, 2];
const MOST_COLUMNS = 256;

/** Factors are fetched, and read by the units, beside what threads do. */
const swizzled: TileRules = {
  choices: (unit, a, b) => {
    const depth = SWIZZLE.lineBytes / dtypes[a.dtype].bytes;
    const fragments = GROUPS.filter((count) => count * unit.n <= MOST_COLUMNS);
    return GROUPS.flatMap((subgroupsA) => fragments.map((fragmentsA): MatrixTile => ({ unit, a, b, subgroupsA, subgroupsB: 1, fragmentsA, fragmentsB: 1, depth })));
  },
  fits: (t, facts) => {
    const tiles = SWIZZLED_STAGES * SWIZZLE.lineBytes * (sideA(t) + sideB(t));
    const strip = t.subgroupsA * t.unit.m * (STRIP.columns + STRIP.pad) * dtypes[t.unit.acc].bytes;
    return threadsOf(t, facts) <= facts.maxThreads && tiles + strip <= (facts.givenSharedBytes ?? facts.sharedBytes) && (facts.fetchBytes ?? []).length > 0;
  },
  stepCycles: (t) => {
    const multiply = ((sideA(t) * sideB(t) * t.depth) / SWIZZLED_RATE) * slowness(t);
    const fetch = ([input, side]: readonly [MatrixInput, number]): number => (isTurned(input) ? (t.depth * side) / TURNED_RATE : (SWIZZLE.lineBytes * side) / FETCH_RATE);
    return Math.max(multiply, fetch([t.a, sideA(t)]) + fetch([t.b, sideB(t)])) + SWIZZLED_STEP_CYCLES;
  },
  endCycles: (t) => START_CYCLES + (sideA(t) * sideB(t)) / RESULT_RATE,
};

const rules: Readonly<Partial<Record<MatrixUnit['layout'], TileRules>>> = { strided, swizzled };

interface Extents {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function cyclesOf(t: MatrixTile, { stepCycles, endCycles }: TileRules, { batch, m, n, k }: Extents, units: number): number {
  const blocks = batch * Math.ceil(m / sideA(t)) * Math.ceil(n / sideB(t));
  return Math.ceil(blocks / units) * (Math.ceil(k / t.depth) * stepCycles(t) + endCycles(t));
}

/** The unit and tile that take the least time, if they take less than the threads themselves would. */
export function chooseMatrixTile(c: Contraction, facts: SimtFacts): MatrixTile | undefined {
  const extents: Extents = { batch: pointsOf(c.batch), m: pointsOf(c.a.axes), n: pointsOf(c.b.axes), k: pointsOf(c.summed) };
  let best: MatrixTile | undefined;
  let least = (extents.batch * extents.m * extents.n * extents.k) / (THREAD_RATE * facts.units);
  for (const unit of facts.matrixUnits) {
    const asked = rules[unit.layout];
    if (unit.acc !== c.sum.dtype || asked === undefined) continue;
    const [a, b] = [inputOf(c.a, unit), inputOf(c.b, unit)];
    if (a === undefined || b === undefined) continue;
    for (const tile of asked.choices(unit, a, b, extents.k)) {
      if (!asked.fits(tile, facts)) continue;
      const cycles = cyclesOf(tile, asked, extents, facts.units);
      if (cycles < least) [best, least] = [tile, cycles];
    }
  }
  return best;
}
