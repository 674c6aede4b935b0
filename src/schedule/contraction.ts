// Sums of products as tiles: what a nest must be like to be one, and which of its axes each factor depends on.
// Any reduction of a product is one, whatever made it: a matrix product, a convolution, an einsum with work fused in front of it.
import { coefficientOf } from '../core/indexExpr.ts';
import { dtypes } from '../core/dtype.ts';
import type { Axis, Nest, Stage } from './nest.ts';
import { visitPoints } from './point.ts';
import type { DynamicSymbols, PointExpr } from './point.ts';
import { pointsOf } from './traffic.ts';

/** One factor, and the outer axes that the other does not depend on. */
export interface Factor {
  readonly value: PointExpr;
  readonly axes: readonly Axis[];
  /** Whether neighbours along the summed axes, rather than along its own, lie side by side in memory. */
  readonly alongSum: boolean;
}

export interface Contraction {
  readonly sum: Extract<Stage, { readonly kind: 'reduce' }>;
  readonly result: Extract<Stage, { readonly kind: 'store' }>;
  /** All other axes. */
  readonly batch: readonly Axis[];
  readonly a: Factor;
  readonly b: Factor;
  readonly summed: readonly Axis[];
}

/** Fewer points than this along an axis leave nothing to share. */
const LEAST_SUM = 8;
const LEAST_OWN = 2;
const LEAST_TILE = 64;

/** Every symbol the value depends on, through dynamic symbols too. */
function symbolsOf(value: PointExpr, dynamic: DynamicSymbols): ReadonlySet<string> {
  const found = new Set<string>();
  visitPoints([value], dynamic, (e) => e.symbols.forEach((s) => found.add(s)));
  return found;
}

function factorOf(value: PointExpr, axes: readonly Axis[], summed: readonly Axis[], dynamic: DynamicSymbols): Factor {
  const [own, sum] = [axes.at(-1), summed.at(-1)];
  let alongSum = false;
  visitPoints([value], dynamic, (e) => {
    if (e.kind !== 'load') return;
    const steps = (axis: Axis | undefined): number | undefined => (axis === undefined ? undefined : coefficientOf(e.offset, axis.name));
    if (steps(sum) === 1 && steps(own) !== 1) alongSum = true;
  });
  return { value, axes, alongSum };
}

export function findContraction(nest: Nest): Contraction | undefined {
  const [sum, result] = nest.stages;
  if (nest.stages.length !== 2 || sum?.kind !== 'reduce' || result?.kind !== 'store' || result.axes.length > 0) return undefined;
  const { value } = sum;
  if (sum.fn !== 'sum' || value.kind !== 'apply' || value.op.op !== 'binary' || value.op.attrs.fn !== 'mul' || dtypes[sum.dtype].bits < 32 || sum.dtype === 'bool')
    return undefined;
  const [x, y] = [value.args[0]!, value.args[1]!];
  const [inX, inY] = [symbolsOf(x, nest.dynamic), symbolsOf(y, nest.dynamic)];
  const own = (inside: ReadonlySet<string>, outside: ReadonlySet<string>): Axis[] => nest.outer.filter((axis) => inside.has(axis.name) && !outside.has(axis.name));
  // A factor that is the same everywhere, as weights filled with one number are, takes the axes that neither depends on.
  const free = nest.outer.filter((axis) => !inX.has(axis.name) && !inY.has(axis.name));
  const [onlyX, onlyY] = [own(inX, inY), own(inY, inX)];
  const [axesX, axesY] = [onlyX.length === 0 ? free : onlyX, onlyY.length === 0 && onlyX.length > 0 ? free : onlyY];
  const tile = pointsOf(axesX) * pointsOf(axesY);
  if (Math.min(pointsOf(axesX), pointsOf(axesY)) < LEAST_OWN || tile < LEAST_TILE || pointsOf(sum.axes) < LEAST_SUM) return undefined;
  const batch = nest.outer.filter((axis) => !axesX.includes(axis) && !axesY.includes(axis));
  const factors = [factorOf(x, axesX, sum.axes, nest.dynamic), factorOf(y, axesY, sum.axes, nest.dynamic)] as const;
  // The result is written in runs along b: the factor whose axes end the result.
  const last = nest.outer.at(-1);
  const [b, a] = last !== undefined && axesX.includes(last) ? factors : [factors[1], factors[0]];
  return { sum, result, batch, a, b, summed: sum.axes };
}
