// Which axes a reduction takes, and the shape it leaves.
import { normalizeAxes } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

export interface ReduceAttrs {
  readonly keepdims: number;
  readonly noop_with_empty_axes: number;
}

/** No axes means all of them, unless `noop_with_empty_axes`: then none. */
export function reducedAxes(shape: Shape, axes: readonly number[] | undefined, attrs: ReduceAttrs): number[] {
  if (axes === undefined || axes.length === 0) return attrs.noop_with_empty_axes !== 0 ? [] : [...shape.keys()];
  return normalizeAxes(axes, shape.length);
}

/** The result's shape: reduced axes are 1, or gone. */
export const reducedShape = (shape: Shape, axes: readonly number[], keepdims: boolean): number[] =>
  keepdims ? shape.map((d, i) => (axes.includes(i) ? 1 : d)) : shape.filter((_, i) => !axes.includes(i));
