// The innermost work of a blocked product: one tile of results in registers over a stretch of the depth. Everything is written out
// register by register; addresses inside the loop are one base per operand and constants.
import { ZERO, addIndex, indexSymbol, scaleIndex } from '../../../core/indexExpr.ts';
import type { IndexExpr } from '../../../core/indexExpr.ts';
import { elementCount } from '../../../core/shape.ts';
import type { WordParts } from '../../../core/words.ts';
import { add, assign, binary, constant, declare, dot, fma, index, load, mul, splat, store, variable } from '../../../kernel/build.ts';
import type { ComputeDType, Expr } from '../../../kernel/ir.ts';
import { typed } from '../../emit/compute.ts';
import type { Emitter } from '../../emit/emitter.ts';
import type { RegisterTile } from './blocking.ts';

/** `base` of index type plus a constant, the form that address modes hold. */
export const at = (base: Expr, offset: number): Expr => add(base, index(offset));

/** A name for the value of `x` from here on, known as an index symbol. */
export function nameIndex(emitter: Emitter, x: IndexExpr): IndexExpr {
  if (x.terms.length === 0) return x;
  const name = emitter.fresh('at');
  emitter.define(name, emitter.bind(emitter.index(x)));
  return indexSymbol(name, x.min, x.max);
}

/** What a tile multiplies at one depth: scalars of its rows and vectors of its columns. Written into the innermost loop. */
export interface TileOperands {
  rows(depth: IndexExpr): readonly Expr[];
  columns(depth: IndexExpr): readonly Expr[];
  /** What the sums along so many steps, which divide the depth, are multiplied by: a vector for each of the columns, at the first of the steps. */
  readonly scale?: { readonly steps: number; at(depth: IndexExpr): readonly Expr[] };
}

export interface TilePlace {
  readonly buffer: string;
  /** Where the first vector of the tile lies; the others follow row by row. */
  readonly base: Expr;
  /** Where it lies before, if elsewhere. */
  readonly before?: Expr;
  /** Elements from row to row: those of a row where absent. */
  readonly pitch?: number;
}

/** The product of what operands 0 and 1 of a contraction hold, and the sum so far. */
export type MultiplyAdd = (x: Expr, y: Expr, sum: Expr) => Expr;

/** How the products of a contraction are added up: x·y + sum, or the same part by part. */
export const multiplyAddOf = (words: WordParts | undefined): MultiplyAdd =>
  words === undefined ? (x, y, sum) => (sum.type.dtype === 'f32' ? fma(x, y, sum) : add(mul(x, y), sum)) : (x, y, sum) => dot(words, x, y, sum);

/** The most steps of the depth at once that divide it. */
function unrollOf({ unroll }: RegisterTile, steps: Expr): number {
  if (steps.kind !== 'const') return 1;
  for (let by = unroll; by > 1; by--) if (Number(steps.value) % by === 0) return by;
  return 1;
}

/** How far a tile goes into the depth. */
export interface DepthRange {
  readonly steps: Expr;
  /** The most that `steps` can be. */
  readonly most: number;
  /** The axes that the steps count through, where there is a loop for each; `steps` is constant then. */
  readonly axes?: readonly number[];
}

/** Loops over the outer of the axes that a stretch of the depth counts through; `write` is given where each innermost stretch begins. */
function overAxes(emitter: Emitter, range: DepthRange, first: IndexExpr, write: (first: IndexExpr, range: DepthRange) => void): void {
  const [extent, ...inner] = range.axes ?? [];
  if (extent === undefined) return write(first, range);
  if (inner.length === 0) return write(first, { steps: index(extent), most: extent });
  const name = emitter.fresh('tap');
  const at = scaleIndex(indexSymbol(name, 0, extent - 1), elementCount(inner));
  emitter.loop(name, index(0), index(extent), 1, () => overAxes(emitter, { ...range, axes: inner }, addIndex(first, at), write));
}

export interface TileWork {
  readonly tile: RegisterTile;
  readonly lanes: number;
  /** Compute type of the sums. */
  readonly dtype: ComputeDType;
  readonly depth: DepthRange;
  readonly operands: TileOperands;
  /** Of a row and a column. */
  readonly multiplyAdd: MultiplyAdd;
  readonly place: TilePlace;
  /** Where it holds, the sums begin with what lies at `place` instead of zero. */
  readonly resumes: Expr | true | undefined;
  /** Writes what becomes of the sums, row by row, where they are not just left at their place; `keep` writes what leaves them there. */
  finish?(sums: readonly Expr[], keep: () => void): void;
}

/** Sums the products over a stretch of the depth and leaves the tile at its place. */
export function writeTile(emitter: Emitter, { tile, lanes, dtype, depth, operands, multiplyAdd, place, resumes, finish }: TileWork): void {
  const zero = splat(constant(dtype, typed(dtype, 0)), lanes);
  const sums = Array.from({ length: tile.rows * tile.vectors }, () => emitter.fresh('a'));
  const sum = (i: number): Expr => variable(sums[i]!, dtype, lanes);
  const { pitch = tile.vectors * lanes } = place;
  const placeOf = (i: number, base = place.base): Expr => at(base, Math.floor(i / tile.vectors) * pitch + (i % tile.vectors) * lanes);
  const before = (i: number): Expr => load(place.buffer, placeOf(i, place.before), dtype, lanes);
  sums.forEach((name, i) => emitter.push(declare(name, resumes === true ? before(i) : zero)));
  if (resumes !== undefined && resumes !== true) emitter.push({ kind: 'if', condition: resumes, then: sums.map((name, i) => assign(name, before(i))), else: [] });
  const { scale } = operands;
  if (scale === undefined) overAxes(emitter, depth, ZERO, (first, range) => sumStretch(emitter, { tile, lanes, operands, multiplyAdd, sums, dtype }, first, range));
  else {
    const stretch = emitter.fresh('stretch');
    emitter.loop(stretch, index(0), quotient(emitter, depth.steps, scale.steps), 1, () => {
      const first = scaleIndex(indexSymbol(stretch, 0, Math.ceil(depth.most / scale.steps) - 1), scale.steps);
      const parts = sums.map(() => emitter.fresh('a'));
      for (const name of parts) emitter.push(declare(name, zero));
      sumStretch(emitter, { tile, lanes, operands, multiplyAdd, sums: parts, dtype }, first, { steps: index(scale.steps), most: scale.steps });
      const factors = scale.at(first).map((x) => emitter.bind(x));
      sums.forEach((name, i) => emitter.push(assign(name, fma(variable(parts[i]!, dtype, lanes), factors[i % tile.vectors]!, sum(i)))));
    });
  }
  const keep = (): void => sums.forEach((_, i) => emitter.push(store(place.buffer, placeOf(i), sum(i))));
  if (finish === undefined) return keep();
  finish(
    sums.map((_, i) => sum(i)),
    keep,
  );
}

/** The lesser of two index values; decided here where both are constants. */
export const least = (a: Expr, b: Expr): Expr => (a.kind === 'const' && b.kind === 'const' ? index(Math.min(Number(a.value), Number(b.value))) : binary('min', a, b));

/** ⌊x / by⌋ of an index value that is not negative, and the least quotient that is not below x / by; computed here where x is constant. */
export const quotient = (emitter: Emitter, x: Expr, by: number): Expr => (x.kind === 'const' ? index(Math.floor(Number(x.value) / by)) : emitter.bind(binary('div', x, index(by))));
export const quotientUp = (emitter: Emitter, x: Expr, by: number): Expr => quotient(emitter, x.kind === 'const' ? index(Number(x.value) + by - 1) : at(x, by - 1), by);

/** a − b; computed here where both are constants. */
export const minus = (a: Expr, b: Expr): Expr => (a.kind === 'const' && b.kind === 'const' ? index(Number(a.value) - Number(b.value)) : binary('sub', a, b));

type Stretch = Pick<TileWork, 'tile' | 'lanes' | 'operands' | 'multiplyAdd' | 'dtype'> & { readonly sums: readonly string[] };

/** Adds the products of `steps` steps of the depth from `first` on to the sums. */
function sumStretch(emitter: Emitter, { tile, lanes, operands, multiplyAdd, sums, dtype }: Stretch, first: IndexExpr, { steps, most }: DepthRange): void {
  const unroll = unrollOf(tile, steps);
  const depth = emitter.fresh('depth');
  // Counted in groups of so many, so that what lies in blocks of the depth can be told.
  emitter.loop(depth, index(0), unroll === 1 ? steps : quotient(emitter, steps, unroll), 1, () => {
    for (let copy = 0; copy < unroll; copy++) {
      const k = addIndex(addIndex(first, scaleIndex(indexSymbol(depth, 0, Math.ceil(most / unroll) - 1), unroll)), copy);
      const columns = operands.columns(k).map((x) => emitter.bind(x));
      for (const [r, row] of operands.rows(k).entries()) {
        const value = emitter.bind(splat(row, lanes));
        for (const [v, column] of columns.entries()) {
          const name = sums[r * tile.vectors + v]!;
          emitter.push(assign(name, multiplyAdd(value, column, variable(name, dtype, lanes))));
        }
      }
    }
  });
}
