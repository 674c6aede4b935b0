// The innermost loop of a stage: cut where a guard changes its answer, so that the long middle part has no guard, and each part run in
// strips of vectors with the rest one by one.
import { substitute } from './places.ts';
import { addIndex, indexSymbol } from '../../core/indexExpr.ts';
import { add, binary, index, mul } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { PointExpr, Substitution } from '../point.ts';
import type { Axis } from '../nest.ts';
import { findCuts } from './cuts.ts';
import type { Emitter } from './emitter.ts';

/** A part of an axis; it begins at a multiple of the widest vectors. */
export interface StripRange {
  readonly from: Expr;
  readonly to: Expr;
}
const isConst = (x: Expr): x is Extract<Expr, { kind: 'const' }> => x.kind === 'const';

export interface Strips {
  readonly axis: Axis;
  /** All of the axis where absent. */
  readonly range?: StripRange;
  /** Lanes of the vectors to use, the widest first; what is left goes one by one. None for a scalar loop. */
  readonly widths: readonly number[];
  /** Vectors of the first width in one step of its loop. */
  readonly unroll?: number;
  /** Whether points may be computed twice: then what does not fill a vector is done by one that begins earlier. */
  readonly overlap?: boolean;
  /** Expressions whose guards decide where the axis is cut. */
  readonly values: readonly PointExpr[];
  /** Writes one vector, or a scalar where `lanes` is 1; `copy` counts the vectors of an unrolled step. */
  readonly write: (substitution: Substitution, lanes: number, copy: number) => void;
}

/** Narrower vectors save less than they cost. */
const MIN_LANES = 4;

/** The widest vectors for `extent` points; 1 where none fit. */
export function widestLanes(extent: number, lanes: number): number {
  let width = lanes;
  while (width > extent && width >= MIN_LANES) width /= 2;
  return width < MIN_LANES ? 1 : width;
}

/** Vectors of `lanes`, of half as many, and so on: what does not fill one width fills the next. */
export function halvings(lanes: number): readonly number[] {
  return lanes < MIN_LANES ? [] : [lanes, ...halvings(lanes / 2)];
}

export function writeStrips(emitter: Emitter, strips: Strips): void {
  const { axis, range } = strips;
  if (range !== undefined) return writePart(emitter, strips, range.from, range.to, 0, axis.extent);
  const ends = [0, ...findCuts(axis, strips.values, emitter.dynamic), axis.extent];
  for (let i = 1; i < ends.length; i++) writePart(emitter, strips, index(ends[i - 1]!), index(ends[i]!), ends[i - 1]!, ends[i]!);
}

/** from ≤ axis < to, all within [low, high); where points may be computed twice, exactly these bounds. */
function writePart(emitter: Emitter, strips: Strips, from: Expr, to: Expr, low: number, high: number): void {
  const { axis, widths, unroll = 1, write } = strips;
  let start = from;
  let left = high - low;
  const vectors = (first: Expr, end: Expr, lanes: number, copies: number): void => {
    const [at, lane] = [emitter.fresh(`${axis.name}_`), emitter.fresh('lane')];
    emitter.loop(at, first, end, lanes * copies, () =>
      emitter.withLanes(lane, lanes, () => {
        for (let copy = 0; copy < copies; copy++) {
          const base = addIndex(indexSymbol(at, low, high - lanes * copies), copy * lanes);
          write(substitute(emitter, new Map([[axis.name, addIndex(base, indexSymbol(lane, 0, lanes - 1))]])), lanes, copy);
        }
      }),
    );
  };
  const steps = widths.flatMap((lanes, i) => (i === 0 && unroll > 1 ? [unroll, 1] : [1]).map((copies) => ({ lanes, copies })));
  for (const { lanes, copies } of steps) {
    const step = lanes * copies;
    if (left >= step) {
      const end = wholeSteps(emitter, start, to, step);
      vectors(start, end, lanes, copies);
      start = end;
      left %= step;
    }
    const closing = widths.findLast((width) => width >= left);
    if (strips.overlap === true && left > 0 && copies === 1 && closing !== undefined && closing <= high - low) return vectors(index(high - closing), to, closing, 1);
  }
  if (left === 0) return;
  const at = emitter.fresh(`${axis.name}_`);
  emitter.loop(at, start, to, 1, () => write(substitute(emitter, new Map([[axis.name, indexSymbol(at, low, high - 1)]])), 1, 0));
}

/** The last position that whole steps from `from` reach without passing `to`. */
export function wholeSteps(emitter: Emitter, from: Expr, to: Expr, step: number): Expr {
  if (isConst(from) && isConst(to)) return index(Number(from.value) + Math.floor((Number(to.value) - Number(from.value)) / step) * step);
  const count = binary('div', binary('sub', to, from), index(step));
  return emitter.bind(add(from, mul(count, index(step))));
}
