// What normalisations, losses and attention have in common: moments and softmax over axes that stay as 1, so that everything broadcasts.
import { elementCount } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { accumulatorOf } from '../lowering.ts';

/** x in the dtype that its formulas are computed in. */
export const widened = (b: Builder, x: Operand): Operand => b.cast(x, accumulatorOf(x.dtype));

/** Mean over `axes`, which stay as 1. */
export function meanOver(b: Builder, x: Operand, axes: readonly number[]): Operand {
  const count = elementCount(axes.map((a) => x.shape[a]!));
  return b.mul(b.reduce('sum', x, axes), b.scalar(x.dtype, 1 / count));
}

export interface Moments {
  /** x − mean. */
  readonly centred: Operand;
  readonly mean: Operand;
  readonly variance: Operand;
}

export function momentsOver(b: Builder, x: Operand, axes: readonly number[]): Moments {
  const mean = meanOver(b, x, axes);
  const centred = b.sub(x, mean);
  return { centred, mean, variance: meanOver(b, b.mul(centred, centred), axes) };
}

/** exp(x − max) and its sum over `axes`. */
function shiftedPowers(b: Builder, x: Operand, axis: number): { readonly shifted: Operand; readonly powers: Operand; readonly sum: Operand } {
  const shifted = b.sub(x, b.reduce('max', x, [axis]));
  const powers = b.exp(shifted);
  return { shifted, powers, sum: b.reduce('sum', powers, [axis]) };
}

/** Softmax over `axis`, in the dtype of x. */
export function softmax(b: Builder, x: Operand, axis: number): Operand {
  const { powers, sum } = shiftedPowers(b, x, axis);
  return b.div(powers, sum);
}

/** Logarithm of the softmax over `axis`, in the dtype of x. */
export function logSoftmax(b: Builder, x: Operand, axis: number): Operand {
  const { shifted, sum } = shiftedPowers(b, x, axis);
  return b.sub(shifted, b.log(sum));
}
