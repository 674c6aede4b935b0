// Whether a core's matrix unit computes a contraction, and in what tiles: by an estimate of the cycles that a core spends. The rates are
// about those of a chip for data centres; only their ratios matter.
import { ZERO, coefficientOf, substituteIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { byteWidth, isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { Fragment, MatrixUnit, TileRules } from '../../kernel/ir.ts';
import { MATRIX_MEMORIES, fragmentDType, inScratchpad, matrixBytes } from '../../kernel/matrix.ts';
import type { TileFacts } from '../../runtime/device.ts';
import type { Contraction, Factor } from '../contraction.ts';
import { asFloat, inDType } from '../factors.ts';
import type { Axis } from '../nest.ts';
import type { PointExpr } from '../point.ts';
import { rangeOf } from '../range.ts';
import type { MemorySlot } from '../storage.ts';
import { pointsOf } from '../traffic.ts';

/** A matrix in memory: element `base` + line · `stride` + at, with lines along the factor's own axes or along the sum. */
export interface Strided {
  readonly slot: MemorySlot;
  readonly base: IndexExpr;
  readonly stride: number;
  readonly alongSum: boolean;
}

/** A factor as it is multiplied: a matrix that lies there, or what has to be made into one first. */
export interface MatrixFactor {
  readonly factor: Factor;
  readonly dtype: NumericDType;
  readonly value: PointExpr;
  readonly strided?: Strided;
}

export interface MatrixPlan {
  /** As large as a tile. */
  readonly unit: MatrixUnit;
  readonly a: MatrixFactor;
  readonly b: MatrixFactor;
  /** Tiles of factors that are there at a time: one is brought while another is multiplied. */
  readonly stages: 1 | 2;
}

/** Farthest that lines of a copy into the unit's memory may lie apart. */
const MAX_STRIDE = 65_535;
/** Bytes that a core moves in a cycle, and products that it sums in one: by vector instructions, and by scalar code. */
const MOVE_BYTES = 64;
const VECTOR_RATE = 20;
const SCALAR_RATE = 0.1;
/** Cycles of a step and of a tile beside their work, and of one more kernel. */
const STEP_CYCLES = 50;
const TILE_CYCLES = 200;
const KERNEL_CYCLES = 4000;
const SIDES = [1, 2, 4, 8, 16];

/** How far apart neighbours among all points of the axes lie, where that is the same everywhere. */
export function flatStride(offset: IndexExpr, axes: readonly Axis[]): number | undefined {
  const steps = axes.map((axis) => coefficientOf(offset, axis.name));
  if (steps.some((step, i) => step === undefined || (i > 0 && steps[i - 1] !== step * axes[i]!.extent))) return undefined;
  return steps.at(-1);
}

/** Where the first of the axes' points lies. */
export const baseOf = (offset: IndexExpr, axes: readonly Axis[]): IndexExpr => substituteIndex(offset, new Map(axes.map((axis) => [axis.name, ZERO])));

function stridedOf(value: PointExpr, { axes }: Factor, summed: readonly Axis[], dtype: NumericDType): Strided | undefined {
  if (value.kind !== 'load' || value.after !== undefined || value.slot.dtype !== dtype) return undefined;
  const [own, sum] = [flatStride(value.offset, axes), flatStride(value.offset, summed)];
  if (own === undefined || sum === undefined) return undefined;
  const base = baseOf(value.offset, [...axes, ...summed]);
  const fits = (stride: number, elements: number): boolean => stride >= elements && stride <= MAX_STRIDE;
  if (sum === 1 && fits(own, pointsOf(summed))) return { slot: value.slot, base, stride: own, alongSum: true };
  return own === 1 && fits(sum, pointsOf(axes)) ? { slot: value.slot, base, stride: sum, alongSum: false } : undefined;
}

/** f32 holds every integer up to this. */
const EXACT_INTEGERS = 2 ** 24;

/** Whether no sum of integers is more than f32 holds. */
function isExact(c: Contraction): boolean {
  const most = [c.a, c.b].map(({ value }) => rangeOf(value)).map(({ min, max }) => Math.max(Math.abs(min), Math.abs(max)));
  return c.sum.dtype === 'i32' && most[0]! * most[1]! * pointsOf(c.summed) <= EXACT_INTEGERS;
}

/** Units for the contraction: those that sum in its dtype, or, where there is none, those of f32 for integers that it holds. */
function unitsFor(c: Contraction, units: readonly MatrixUnit[]): readonly MatrixUnit[] {
  const own = units.filter((unit) => unit.acc === c.sum.dtype);
  return own.length > 0 || !isExact(c) ? own : units.filter((unit) => unit.in === 'f32');
}

function factorOf(factor: Factor, summed: readonly Axis[], unit: MatrixUnit): MatrixFactor | undefined {
  const dtype = fragmentDType({ unit, role: 'a', order: 'rows' });
  const value = unit.acc === 'f32' && !isFloat(factor.value.dtype) ? asFloat(factor.value) : inDType(factor.value, dtype);
  if (value === undefined) return undefined;
  const strided = stridedOf(value, factor, summed, dtype);
  return { factor, dtype, value, ...(strided === undefined ? {} : { strided }) };
}

interface Extents {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** Lines of a tile that instructions on what follows the sum may take in the scratchpad, and cycles of each that they work on. */
const ENDING_LINES = 16;
const LINE_CYCLES = 20;

function fits(unit: MatrixUnit, stages: number, tiles: number, { matrix, scratchBytes }: TileRules): boolean {
  if (matrix === undefined) return false;
  const fragment = (role: Fragment['role']): Fragment => ({ unit, role, order: 'rows' });
  const factors = Array.from({ length: stages }, () => [fragment('a'), fragment('b')]).flat();
  const bytes = matrixBytes([...factors, fragment('sum')], factors);
  const ending = matrix.sumsTo === 'scratch' ? (unit.m * tiles + ENDING_LINES) * unit.n * byteWidth(unit.acc) : 0;
  return MATRIX_MEMORIES.every((memory) => bytes[memory] <= (matrix.bytes[memory] ?? Infinity)) && inScratchpad(bytes, matrix) + ending <= scratchBytes;
}

function cyclesOf(tile: MatrixUnit, unit: MatrixUnit, { batch, m, n, k }: Extents, cores: number, width: number): number {
  const tiles = batch * Math.ceil(m / tile.m) * Math.ceil(n / tile.n);
  const multiply = (tile.m / unit.m) * (tile.n / unit.n) * (tile.k / unit.k);
  const move = ((tile.m + tile.n) * tile.k * width) / MOVE_BYTES;
  const drain = (tile.m * tile.n * byteWidth(unit.acc)) / MOVE_BYTES;
  return Math.ceil(tiles / cores) * (Math.ceil(k / tile.k) * (Math.max(multiply, move) + STEP_CYCLES) + drain + TILE_CYCLES);
}

/** Elements of what must be made into a matrix first. */
const madeElements = ({ strided, factor }: MatrixFactor, { batch, k }: Extents): number => (strided === undefined ? batch * pointsOf(factor.axes) * k : 0);

/** What the contraction is like without a matrix unit, and whether what follows the sum is done by another kernel. */
export interface Alternative {
  readonly isVector: boolean;
  readonly isEndedLater: boolean;
  /** Tiles of sums and of what they become that are in the scratchpad, where the unit stores there; more than one where that is done there. */
  readonly tiles: number;
}

/** The unit and the tile that take the least time, if they take less than the alternative. */
export function planMatrix(c: Contraction, { rules, cores, matrixCores = cores }: TileFacts, { isVector, isEndedLater, tiles }: Alternative): MatrixPlan | undefined {
  if (rules.matrix === undefined) return undefined;
  const extents: Extents = { batch: pointsOf(c.batch), m: pointsOf(c.a.axes), n: pointsOf(c.b.axes), k: pointsOf(c.summed) };
  let least = (extents.batch * extents.m * extents.n * extents.k) / (isVector ? VECTOR_RATE : SCALAR_RATE) / cores;
  let best: MatrixPlan | undefined;
  for (const unit of unitsFor(c, rules.matrix.units)) {
    const [a, b] = [factorOf(c.a, c.summed, unit), factorOf(c.b, c.summed, unit)];
    if (a === undefined || b === undefined) continue;
    const width = byteWidth(a.dtype);
    const made = [a, b].map((factor) => madeElements(factor, extents));
    const behind = isEndedLater ? extents.batch * extents.m * extents.n * byteWidth(unit.acc) : 0;
    const before = made.reduce((sum, elements) => sum + (elements > 0 ? KERNEL_CYCLES : 0) + (elements * width) / cores, 0);
    const extra = before + (isEndedLater ? KERNEL_CYCLES : 0) + behind / MOVE_BYTES / cores;
    for (const tile of tilesOf(unit, extents)) {
      const stages = extents.k > tile.k ? 2 : 1;
      if (!fits(tile, stages, tiles, rules)) continue;
      const lines = tiles > 1 ? (extents.batch * extents.m * Math.ceil(extents.n / tile.n) * LINE_CYCLES) / matrixCores : 0;
      const cycles = extra + lines + cyclesOf(tile, unit, extents, matrixCores, width);
      if (cycles < least) [best, least] = [{ unit: tile, a, b, stages }, cycles];
    }
  }
  return best;
}

function tilesOf(unit: MatrixUnit, { m, n, k }: Extents): MatrixUnit[] {
  const upTo = (side: number, extent: number): number[] => SIDES.map((x) => x * side).filter((x, i) => i === 0 || x < extent + side);
  return upTo(unit.m, m).flatMap((tileM) => upTo(unit.n, n).flatMap((tileN) => upTo(unit.k, k).map((tileK) => ({ ...unit, m: tileM, n: tileN, k: tileK }))));
}
