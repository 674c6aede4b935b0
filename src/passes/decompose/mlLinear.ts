// Decompositions of linear models and support vector machines: matrix products with the constants of the model.
import type { NumericDType } from '../../core/dtype.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { badModel, binaryLabels, kernelOf, labelsOf, linearClassifier, linearModel, pairwiseSvm, postTransformOf } from '../../graph/ops/classes.ts';
import type { Kernel, KernelKind, LinearModel } from '../../graph/ops/classes.ts';
import type { mlOps } from '../../graph/ops/ml.ts';
import { inputAt, onHost } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { bestOf, binaryScores, chooseLabel, featureMatrix, pickLabels, transformScores } from './mlScores.ts';
import { dropAxes } from './views.ts';

const matrix = (b: Builder, dtype: NumericDType, shape: readonly number[], values: readonly number[]): Operand => b.constant(tensorFrom(dtype, shape, values));

/** Scores [N, targets]. */
function predict(b: Builder, x: Operand, { targets, weights, offsets }: LinearModel): Operand {
  const columns = b.transpose(matrix(b, x.dtype, [targets, x.shape[1]!], weights), [1, 0]);
  return b.add(b.matmul(x, columns), matrix(b, x.dtype, [1, targets], offsets));
}

const products = (b: Builder, x: Operand, support: Operand): Operand => b.matmul(x, b.transpose(support, [1, 0]));
const affine = (b: Builder, k: Kernel, x: Operand): Operand => b.add(b.mul(x, b.scalar(x.dtype, k.gamma)), b.scalar(x.dtype, k.offset));

const kernelValues: Readonly<Record<KernelKind, (b: Builder, k: Kernel, x: Operand, support: Operand) => Operand>> = {
  LINEAR: (b, _, x, s) => products(b, x, s),
  POLY: (b, k, x, s) => b.pow(affine(b, k, products(b, x, s)), b.scalar(x.dtype, k.degree)),
  // Differences first: |x|² − 2x·s + |s|² would cancel where it matters.
  RBF: (b, k, x, s) => {
    const difference = b.sub(b.reshape(x, [x.shape[0]!, 1, x.shape[1]!]), b.reshape(s, [1, s.shape[0]!, s.shape[1]!]));
    const distance = dropAxes(b, b.reduce('sum', b.mul(difference, difference), [2]), [2]);
    return b.exp(b.mul(distance, b.scalar(x.dtype, -k.gamma)));
  },
  SIGMOID: (b, k, x, s) => b.tanh(affine(b, k, products(b, x, s))),
};

/** The kernel of every row with every support vector, [N, vectors]. */
const kernelMatrix = (b: Builder, kernel: Kernel, x: Operand, support: readonly number[], vectors: number): Operand =>
  kernelValues[kernel.kind](b, kernel, x, matrix(b, x.dtype, [vectors, x.shape[1]!], support.slice(0, vectors * x.shape[1]!)));

export const linearLowerings: Lowerings<keyof Pick<typeof mlOps, 'LinearClassifier' | 'LinearRegressor' | 'SVMClassifier' | 'SVMRegressor'>> = {
  LinearRegressor(b, { attrs }, inputs) {
    const x = featureMatrix(b, inputAt(inputs, 0));
    const scores = predict(b, x, linearModel(attrs.targets, x.shape[1]!, attrs.coefficients, attrs.intercepts));
    return [b.cast(transformScores(b, scores, postTransformOf(attrs.post_transform)), 'f32')];
  },

  LinearClassifier(b, { attrs }, inputs) {
    const x = featureMatrix(b, inputAt(inputs, 0));
    const labels = labelsOf(attrs.classlabels_ints, attrs.classlabels_strings);
    const model = linearClassifier(x.shape[1]!, attrs, labels);
    const names = model.targets > 1 ? labels! : binaryLabels(labels);
    if (names.kind === 'strings') return onHost('the labels are strings');
    const transform = postTransformOf(attrs.post_transform);
    const raw = predict(b, x, model);
    if (model.targets > 1) return [pickLabels(b, names, bestOf(b, raw)), b.cast(transformScores(b, raw, transform), 'f32')];
    const scores = labels?.values.length === 2 ? binaryScores(b, raw, transform, true) : transformScores(b, raw, transform);
    return [chooseLabel(b, names, b.gt(raw, b.scalar(raw.dtype, 0))), b.cast(scores, 'f32')];
  },

  SVMRegressor(b, { attrs }, inputs) {
    const x = featureMatrix(b, inputAt(inputs, 0));
    const { coefficients = [], rho = [], support_vectors: support = [], n_supports: vectors } = attrs;
    const needed = vectors > 0 ? vectors : x.shape[1]!;
    if (coefficients.length < needed || support.length < vectors * x.shape[1]! || rho.length < 1) {
      badModel(`${coefficients.length} coefficients and ${support.length} numbers for ${vectors} support vectors of ${x.shape[1]} features`);
    }
    const kernel = vectors > 0 ? kernelMatrix(b, kernelOf(attrs), x, support, vectors) : x;
    const score = b.add(b.matmul(kernel, matrix(b, x.dtype, [needed, 1], coefficients.slice(0, needed))), b.scalar(x.dtype, rho[0]!));
    if (attrs.one_class === 1) return [b.where(b.gt(score, b.scalar(x.dtype, 0)), b.scalar('f32', 1), b.scalar('f32', -1))];
    return [b.cast(transformScores(b, score, postTransformOf(attrs.post_transform)), 'f32')];
  },

  SVMClassifier(b, { attrs }, inputs) {
    const x = featureMatrix(b, inputAt(inputs, 0));
    const labels = labelsOf(attrs.classlabels_ints, attrs.classlabels_strings) ?? badModel('SVMClassifier has no class labels');
    if (labels.kind === 'strings') return onHost('the labels are strings');
    const classes = labels.values.length;
    const transform = postTransformOf(attrs.post_transform);
    const perClass = attrs.vectors_per_class ?? [];
    if (perClass.every((n) => n === 0)) {
      const raw = predict(
        b,
        x,
        linearModel(
          classes,
          x.shape[1]!,
          attrs.coefficients,
          Array.from({ length: classes }, () => attrs.rho?.[0] ?? 0),
        ),
      );
      const scores = b.cast(transformScores(b, raw, transform), 'f32');
      const both = binaryLabels(labels);
      if (classes === 1 && both.kind === 'ints') return [chooseLabel(b, both, b.gt(raw, b.scalar(raw.dtype, 0))), scores];
      return [pickLabels(b, labels, bestOf(b, raw)), scores];
    }
    if ((attrs.prob_a?.length ?? 0) > 0) return onHost('probabilities of classes are found by iteration until they settle');
    const svm = pairwiseSvm(x.shape[1]!, attrs, perClass, classes);
    const pairs = svm.offsets.length;
    const kernel = kernelMatrix(b, svm.kernel, x, svm.support, svm.vectors);
    const raw = b.add(b.matmul(kernel, matrix(b, x.dtype, [svm.vectors, pairs], svm.weights)), matrix(b, x.dtype, [1, pairs], svm.offsets));
    // Each pair gives its vote to one class: +1 to the first where its score is positive, else to the second.
    const ballot = (winners: readonly number[]): Operand =>
      matrix(
        b,
        x.dtype,
        [pairs, classes],
        winners.flatMap((winner) => labels.values.map((_, c) => Number(c === winner))),
      );
    const won = b.cast(b.gt(raw, b.scalar(x.dtype, 0)), x.dtype);
    const votes = b.add(b.matmul(won, ballot(svm.first)), b.matmul(b.sub(b.scalar(x.dtype, 1), won), ballot(svm.second)));
    const scores = classes === 2 ? binaryScores(b, raw, transform, false) : transformScores(b, raw, transform);
    return [pickLabels(b, labels, bestOf(b, votes)), b.cast(scores, 'f32')];
  },
};
