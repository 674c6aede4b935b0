// Reference of the classification losses: negative log likelihood, alone and after a softmax.
import { AnychipError } from '../core/error.ts';
import { elementCount } from '../core/shape.ts';
import { numberReader, scalar, tensorFrom } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { checkLoss } from '../graph/ops/normGeometry.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';
import { castTensor } from './prims/elementwise.ts';
import { logSoftmaxOf, mapRows, sumOf } from './rows.ts';

interface LossAttrs {
  readonly ignore_index: number | undefined;
  readonly reduction: string;
}

/** −weight · logarithm of the labelled class, for logarithms [N, C, d…] and labels [N, d…]. A label of `ignore_index` weighs nothing. */
function likelihoodLoss(logs: NumericTensor, labels: NumericTensor, weights: NumericTensor | undefined, attrs: LossAttrs): NumericTensor {
  const reduction = checkLoss(logs.shape, labels.shape, weights?.shape, attrs.reduction);
  const [classes, inner] = [logs.shape[1]!, elementCount(logs.shape.slice(2))];
  const [log, label] = [numberReader(logs), numberReader(labels)];
  const weightOf = weights === undefined ? () => 1 : numberReader(weights);
  const terms = Array.from({ length: labels.data.length }, (_, i) => {
    const c = label(i);
    if (c === attrs.ignore_index) return { loss: 0, weight: 0 };
    if (!(c >= 0 && c < classes)) throw new AnychipError('run', `label ${c} of ${classes} classes`, { hint: 'Labels are class numbers from 0, or ignore_index.' });
    const weight = weightOf(c);
    return { loss: -log((Math.floor(i / inner) * classes + c) * inner + (i % inner)) * weight, weight };
  });
  const losses = terms.map((t) => t.loss);
  if (reduction === 'none') return tensorFrom(logs.dtype, labels.shape, losses);
  return scalar(logs.dtype, reduction === 'sum' ? sumOf(losses) : sumOf(losses) / sumOf(terms.map((t) => t.weight)));
}

export const lossEvaluations: Evaluations<'SoftmaxCrossEntropyLoss' | 'NegativeLogLikelihoodLoss'> = {
  SoftmaxCrossEntropyLoss({ attrs }, inputs) {
    const scores = numericAt(inputs, 0);
    const logs = mapRows(scores, [1], logSoftmaxOf, 'f64');
    const loss = likelihoodLoss(logs, numericAt(inputs, 1), optionalAt(inputs, 2), attrs);
    return [castTensor(loss, scores.dtype, false), castTensor(logs, scores.dtype, false)];
  },
  NegativeLogLikelihoodLoss: ({ attrs }, inputs) => [likelihoodLoss(numericAt(inputs, 0), numericAt(inputs, 1), optionalAt(inputs, 2), attrs)],
};
