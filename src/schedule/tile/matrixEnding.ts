// What becomes of the sums of a matrix unit. It writes them to global memory, rounded at most, or it leaves them in the scratchpad, where
// vector instructions do what is fused behind the sum; else a kernel of its own does that.
import { substitute } from '../emit/places.ts';
import { ZERO, addIndex, indexSymbol, scaleIndex } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { cast, compare, constant, index, load, splat, store } from '../../kernel/build.ts';
import { computeType } from '../../kernel/computeType.ts';
import type { Expr, Fragment, MatrixRules, MatrixUnit, Rows } from '../../kernel/ir.ts';
import { holdsFragment } from '../../kernel/matrix.ts';
import type { Contraction } from '../contraction.ts';
import type { Emitter } from '../emit/emitter.ts';
import { writeStage } from '../emit/stages.ts';
import type { Axis, Nest } from '../nest.ts';
import { applyPoint, guardPoint, indicesOf, loadPoint, visitPoints } from '../point.ts';
import type { PointExpr } from '../point.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
import { pointsOf } from '../traffic.ts';
import { baseOf, flatStride } from './matrixPlan.ts';

/** Where sums go: [batch][a][b], b side by side. */
export interface Target {
  readonly slot: MemorySlot;
  readonly base: IndexExpr;
  readonly stride: number;
}

/** direct: as they are, or rounded. tile: what follows is done on each tile, in the scratchpad. later: by another kernel. */
export type Ending = { readonly how: 'direct' | 'tile'; readonly target: Target } | { readonly how: 'later' };

type Load = Extract<PointExpr, { readonly kind: 'load' }>;

/** The value with other values in the place of some of its parts. */
function replaceIn(e: PointExpr, replace: (e: PointExpr) => PointExpr | undefined): PointExpr {
  const inside = (x: PointExpr): PointExpr => replaceIn(x, replace);
  const other = replace(e);
  if (other !== undefined) return other;
  if (e.kind === 'apply') return applyPoint(e.op, e.dtype, e.args.map(inside));
  return e.kind === 'guard' ? guardPoint(e.conditions, inside(e.inside), inside(e.outside)) : e;
}

/** The value with what a stage made read from memory instead. */
export const withLoad = (e: PointExpr, local: string, read: PointExpr): PointExpr => replaceIn(e, (x) => (x.kind === 'local' && x.name === local ? read : undefined));

const isSum = (e: PointExpr, { sum }: Contraction): boolean => e.kind === 'local' && e.name === sum.local;

/** Whether the result is the sum, in a dtype that the units store it as. */
function isStored(c: Contraction, { units, sumsTo }: MatrixRules): boolean {
  const { value, slot } = c.result;
  // A unit that sums in another dtype leaves what must be converted.
  if (!units.some(({ acc }) => acc === c.sum.dtype)) return false;
  if (slot.dtype === c.sum.dtype) return isSum(value, c);
  const isRounded = value.kind === 'apply' && value.op.op === 'cast' && isSum(value.args[0]!, c);
  const holds = (unit: MatrixUnit): boolean => unit.acc !== c.sum.dtype || holdsFragment(slot.dtype, { unit, role: 'sum', order: 'rows' } satisfies Fragment);
  return isRounded && sumsTo === 'global' && units.every(holds);
}

/** Where results go, if columns lie side by side. */
function targetOf({ result: { slot, offset }, a, b }: Contraction): Target | undefined {
  const [stride, column] = [flatStride(offset, a.axes), flatStride(offset, b.axes)];
  if (column !== 1 || stride === undefined || stride < pointsOf(b.axes)) return undefined;
  return { slot, base: baseOf(offset, [...a.axes, ...b.axes]), stride };
}

/** Whether all that the result reads sees the axes of either factor as one. */
function isFlat({ result, a, b }: Contraction, { dynamic }: Nest): boolean {
  const indices: IndexExpr[] = [];
  visitPoints([result.value], dynamic, (e) => indices.push(...indicesOf(e)));
  return [a, b].every(({ axes }) => indices.every((x) => flatStride(x, axes) !== undefined));
}

/** The ways, best first. */
export function endingsOf(c: Contraction, nest: Nest, rules: MatrixRules): readonly Ending[] {
  const target = targetOf(c);
  if (target !== undefined && isStored(c, rules)) return [{ how: 'direct', target }];
  return target !== undefined && rules.sumsTo === 'scratch' && isFlat(c, nest) ? [{ how: 'tile', target }, { how: 'later' }] : [{ how: 'later' }];
}

/** Matrices that the result reads whole, beside the sum. */
function matricesIn({ result, a, b }: Contraction, nest: Pick<Nest, 'dynamic'>): readonly Load[] {
  const found: Load[] = [];
  let isGuarded = false;
  visitPoints([result.value], nest.dynamic, (e) => {
    if (e.kind === 'guard') isGuarded = true;
    if (e.kind === 'load' && e.after === undefined && flatStride(e.offset, b.axes) === 1 && flatStride(e.offset, a.axes)! > 0) found.push(e);
  });
  // What is read under a condition may not be there elsewhere.
  return isGuarded ? [] : found;
}

/** Tiles in the scratchpad that an ending takes: the sums, what they become, and matrices beside them. */
export const endingTiles = (c: Contraction, nest: Nest, { how }: Ending): number => (how === 'tile' ? 2 + matricesIn(c, nest).length : 1);

/** Point `at` of axes that count as one. */
const flatAt = (axes: readonly Axis[], at: IndexExpr): Bindings => new Map(axes.map((axis, i) => [axis.name, i === axes.length - 1 ? at : ZERO]));

/** A tile of sums in scratch memory: where it begins along both factors, how many lines there are, and where results go. */
export interface SummedTile {
  readonly buffer: string;
  readonly startA: IndexExpr;
  readonly startB: IndexExpr;
  readonly rows: Expr;
  readonly unit: MatrixUnit;
  readonly to: Rows;
}

/** Writes what is fused behind the sum, line after line of tiles. */
export class EndingWriter {
  readonly #emitter: Emitter;
  readonly #c: Contraction;
  readonly #result: MemorySlot;
  readonly #matrices: readonly { readonly load: Load; readonly slot: MemorySlot }[];

  constructor(emitter: Emitter, c: Contraction, { m, n }: MatrixUnit) {
    [this.#emitter, this.#c] = [emitter, c];
    const tile = (dtype: NumericDType): MemorySlot => createSlot('scratch', { dtype, shape: [m, n] });
    this.#result = tile(c.result.slot.dtype);
    this.#matrices = matricesIn(c, emitter).map((found) => ({ load: found, slot: tile(found.dtype) }));
  }

  /** The columns that every tile has, then those of the last one. */
  write(batch: Bindings, tile: SummedTile): void {
    const { n } = tile.unit;
    const extent = pointsOf(this.#c.b.axes);
    const rest = extent % n;
    if (rest === 0) return this.#columns(batch, tile, n);
    if (extent < n) return this.#columns(batch, tile, rest);
    const condition = compare('le', this.#emitter.index(tile.startB), index(extent - n));
    const [then, last] = [n, rest].map((width) => this.#emitter.block(() => this.#columns(batch, tile, width), true));
    this.#emitter.push({ kind: 'if', condition, then: then!, else: last! });
  }

  #columns(batch: Bindings, tile: SummedTile, width: number): void {
    const { c, emitter } = { c: this.#c, emitter: this.#emitter };
    const { startA, startB, unit, rows } = tile;
    const [row, lane] = [emitter.fresh('row'), emitter.fresh('lane')];
    const line = indexSymbol(row, 0, unit.m - 1);
    const inTile = addIndex(scaleIndex(line, unit.n), indexSymbol(lane, 0, width - 1));
    const brought = new Map<PointExpr, MemorySlot>();
    for (const matrix of this.#matrices) if (this.#bring(batch, tile, matrix, width)) brought.set(matrix.load, matrix.slot);
    const value = replaceIn(c.result.value, (e) => {
      const slot = brought.get(e);
      return slot === undefined ? undefined : loadPoint(slot, inTile);
    });
    emitter.loop(row, index(0), rows, 1, () =>
      emitter.withLanes(lane, width, () => {
        const at = [flatAt(c.a.axes, addIndex(startA, line)), flatAt(c.b.axes, addIndex(startB, indexSymbol(lane, 0, width - 1)))];
        const sums = load(tile.buffer, emitter.index(scaleIndex(line, unit.n)), computeType(unit.acc), width);
        emitter.define(c.sum.local, unit.acc === c.sum.dtype ? sums : emitter.bind(cast(computeType(c.sum.dtype), sums)));
        const stage = { ...c.result, value, slot: this.#result, offset: inTile };
        writeStage({ emitter, lanes: 1, outerLanes: width, substitution: substitute(emitter, batch, ...at), overlap: false }, stage);
      }),
    );
    emitter.push({ kind: 'copy', to: tile.to, from: { buffer: emitter.buffer(this.#result, 'read'), index: index(0), stride: unit.n }, rows, elements: index(width) });
  }

  /** Copies a tile of a matrix that is read whole; what instructions work on beyond its columns is 0, of f32 alone. */
  #bring(
    batch: Bindings,
    { startA, startB, unit, rows }: SummedTile,
    { load: { slot: from, offset, dtype }, slot }: { readonly load: Load; readonly slot: MemorySlot },
    width: number,
  ): boolean {
    const emitter = this.#emitter;
    const { a, b } = this.#c;
    if (width < unit.n && dtype !== 'f32') return false;
    const [buffer, stride] = [emitter.buffer(slot, 'write'), flatStride(offset, a.axes)!];
    if (width < unit.n) emitter.push(store(buffer, index(0), splat(constant('f32', 0), unit.m * unit.n)));
    const place = substitute(emitter, batch, flatAt(a.axes, startA), flatAt(b.axes, startB)).index(offset);
    const source: Rows = { buffer: emitter.buffer(from, 'read', dtype), index: emitter.index(place), stride };
    emitter.push({ kind: 'copy', to: { buffer, index: index(0), stride: unit.n }, from: source, rows, elements: index(width) });
    return true;
  }
}
