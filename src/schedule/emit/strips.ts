// The innermost loop of a stage: cut where a guard changes its answer, so that the long middle part has no guard, and each part run in
// strips of vectors with the rest one by one.
import { addIndex, indexSymbol } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { add, binary, index, mul } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import { Substitution } from '../point.ts';
import type { PointExpr } from '../point.ts';
import type { Axis } from '../nest.ts';
import { findCuts } from './cuts.ts';
import type { Emitter } from './emitter.ts';

export interface StripRange {
  readonly from: Expr;
  readonly to: Expr;
}
const isConst = (x: Expr): x is Extract<Expr, { kind: 'const' }> => x.kind === 'const';

export interface Strips {
  readonly axis: Axis;
  /** All of the axis where absent. */
  readonly range?: StripRange;
  /** 1 for a scalar loop. */
  readonly lanes: number;
  /** Vectors in one step of the loop. */
  readonly unroll?: number;
  /** Expressions whose guards decide where the axis is cut. */
  readonly values: readonly PointExpr[];
  /** Writes one vector or scalar; `copy` counts the vectors of an unrolled step. */
  readonly write: (substitution: Substitution, isVector: boolean, copy: number) => void;
}

/** Substitutes index symbols for one kernel, keeping the meaning of dynamic symbols. */
export const substitute = (emitter: Emitter, name: string, value: IndexExpr): Substitution =>
  new Substitution(new Map([[name, value]]), emitter.dynamic, (definition) => emitter.dynamicSymbol(definition));

export function writeStrips(emitter: Emitter, strips: Strips): void {
  const { axis, range } = strips;
  if (range !== undefined) return writePart(emitter, strips, range.from, range.to, 0, axis.extent);
  const ends = [0, ...findCuts(axis, strips.values, emitter.dynamic), axis.extent];
  for (let i = 1; i < ends.length; i++) writePart(emitter, strips, index(ends[i - 1]!), index(ends[i]!), ends[i - 1]!, ends[i]!);
}

/** from ≤ axis < to, all within [low, high). */
function writePart(emitter: Emitter, { axis, lanes, unroll = 1, write }: Strips, from: Expr, to: Expr, low: number, high: number): void {
  const scalars = (start: Expr): void => {
    const at = emitter.fresh(`${axis.name}_`);
    emitter.loop(at, start, to, 1, () => write(substitute(emitter, axis.name, indexSymbol(at, low, high - 1)), false, 0));
  };
  if (lanes === 1) return scalars(from);
  const vectors = (start: Expr, end: Expr, copies: number): void => {
    const [at, lane] = [emitter.fresh(`${axis.name}_`), emitter.fresh('lane')];
    emitter.loop(at, start, end, lanes * copies, () =>
      emitter.withLanes(lane, lanes, () => {
        for (let copy = 0; copy < copies; copy++) {
          const base = addIndex(indexSymbol(at, low, Math.max(high - lanes * copies, low)), copy * lanes);
          write(substitute(emitter, axis.name, addIndex(base, indexSymbol(lane, 0, lanes - 1))), true, copy);
        }
      }),
    );
  };
  let start = from;
  for (const copies of unroll > 1 ? [unroll, 1] : [1]) {
    const end = wholeSteps(emitter, start, to, lanes * copies);
    vectors(start, end, copies);
    start = end;
  }
  scalars(start);
}

/** The last position that whole steps from `from` reach without passing `to`. */
function wholeSteps(emitter: Emitter, from: Expr, to: Expr, step: number): Expr {
  if (isConst(from) && isConst(to)) return index(Number(from.value) + Math.floor((Number(to.value) - Number(from.value)) / step) * step);
  const count = binary('div', binary('sub', to, from), index(step));
  return emitter.bind(add(from, mul(count, index(step))));
}
