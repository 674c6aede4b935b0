// Decompositions of the classification losses: a gather of the labelled class, weights, a reduction.
import type { NumericDType } from '../../core/dtype.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { checkLoss } from '../../graph/ops/normGeometry.ts';
import { inputAt } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { logSoftmax, widened } from './rows.ts';

interface LossAttrs {
  readonly ignore_index: number | undefined;
  readonly reduction: string;
}

/** −weight · logarithm of the labelled class, reduced, in the dtype of `logs` [N, C, d…]; labels [N, d…]. */
function likelihoodLoss(b: Builder, logs: Operand, labels: Operand, weights: Operand | null, attrs: LossAttrs, out: NumericDType): Operand {
  const reduction = checkLoss(logs.shape, labels.shape, weights?.shape, attrs.reduction);
  const { dtype } = logs;
  const ignored = attrs.ignore_index === undefined ? undefined : b.eq(labels, b.scalar(labels.dtype, attrs.ignore_index));
  // Ignored labels may lie outside the classes, so they read class 0 and weigh nothing.
  const classes = ignored === undefined ? labels : b.where(ignored, b.scalar(labels.dtype, 0), labels);
  const sources = logs.shape.map((_, axis) => (axis === 1 ? { index: 0 } : { axis: Math.max(axis - 1, 0) }));
  const picked = b.neg(b.gather(logs, sources, [classes], labels.shape));
  const listed = weights === null ? b.full(dtype, labels.shape, 1) : b.gather(b.cast(weights, dtype), [{ index: 0 }], [classes], labels.shape);
  const zero = b.scalar(dtype, 0);
  const weight = ignored === undefined ? listed : b.where(ignored, zero, listed);
  const weighted = weights === null ? picked : b.mul(picked, weight);
  // Selected rather than multiplied: an ignored logarithm may be infinite.
  const losses = ignored === undefined ? weighted : b.where(ignored, zero, weighted);
  if (reduction === 'none') return b.cast(losses, out);
  const total = (x: Operand): Operand =>
    b.reshape(
      b.reduce(
        'sum',
        x,
        x.shape.map((_, i) => i),
      ),
      [],
    );
  return b.cast(reduction === 'sum' ? total(losses) : b.div(total(losses), total(weight)), out);
}

export const lossLowerings: Lowerings<'SoftmaxCrossEntropyLoss' | 'NegativeLogLikelihoodLoss'> = {
  SoftmaxCrossEntropyLoss(b, { attrs, outputs }, inputs) {
    const [scores, labels, weights] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2] ?? null];
    const logs = logSoftmax(b, widened(b, scores), 1);
    const loss = likelihoodLoss(b, logs, labels, weights, attrs, scores.dtype);
    return [loss, (outputs[1] ?? null) === null ? null : b.cast(logs, scores.dtype)];
  },
  NegativeLogLikelihoodLoss(b, { attrs }, inputs) {
    const [logs, labels, weights] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2] ?? null];
    return [likelihoodLoss(b, widened(b, logs), labels, weights, attrs, logs.dtype)];
  },
};
