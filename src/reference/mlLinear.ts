// Reference of linear models and support vector machines.
import { AnychipError } from '../core/error.ts';
import { toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { badModel, binaryLabels, kernelOf, labelsOf, linearClassifier, linearModel, pairwiseSvm, postTransformOf, rowsOf } from '../graph/ops/classes.ts';
import type { Kernel, KernelKind, Labels, LinearModel, PairwiseSvm } from '../graph/ops/classes.ts';
import type { HostValue } from '../graph/graph.ts';
import type { OnnxAttrs } from '../graph/ops.ts';
import type { mlOps } from '../graph/ops/ml.ts';
import { numericAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';
import { bestOf, binaryScores, matrixFrom, pickLabels, transformScores } from './mlScores.ts';

function matrixOf(x: NumericTensor): { readonly rows: number[][]; readonly features: number } {
  const [count, features] = rowsOf(x.shape);
  const values = toNumbers(x);
  return { rows: Array.from({ length: count }, (_, r) => values.slice(r * features, (r + 1) * features)), features };
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const predict = ({ targets, weights, offsets }: LinearModel, row: readonly number[]): number[] =>
  Array.from({ length: targets }, (_, t) => offsets[t]! + dot(row, weights.slice(t * row.length, (t + 1) * row.length)));

const kernelValues: Readonly<Record<KernelKind, (k: Kernel, x: readonly number[], s: readonly number[]) => number>> = {
  LINEAR: (_, x, s) => dot(x, s),
  POLY: (k, x, s) => (k.gamma * dot(x, s) + k.offset) ** k.degree,
  RBF: (k, x, s) => Math.exp(-k.gamma * x.reduce((sum, v, i) => sum + (v - s[i]!) ** 2, 0)),
  SIGMOID: (k, x, s) => Math.tanh(k.gamma * dot(x, s) + k.offset),
};

/** The kernel of a row with every support vector. */
const kernelRow = (kernel: Kernel, row: readonly number[], support: readonly number[], vectors: number): number[] =>
  Array.from({ length: vectors }, (_, v) => kernelValues[kernel.kind](kernel, row, support.slice(v * row.length, (v + 1) * row.length)));

/** One score per pair of classes, and how many pairs each class won. */
function pairScores(svm: PairwiseSvm, row: readonly number[]): { readonly scores: number[]; readonly votes: number[] } {
  const kernel = kernelRow(svm.kernel, row, svm.support, svm.vectors);
  const pairs = svm.offsets.length;
  const scores = svm.offsets.map((offset, p) => kernel.reduce((sum, k, v) => sum + k * svm.weights[v * pairs + p]!, offset));
  const votes = Array.from({ length: svm.classes }, () => 0);
  scores.forEach((score, p) => votes[score > 0 ? svm.first[p]! : svm.second[p]!]!++);
  return { scores, votes };
}

/**
 * Probabilities of classes from those of pairs: the second method of Wu, Lin and Weng, "Probability Estimates for Multi-class
 * Classification by Pairwise Coupling" (2004), with libsvm's stopping rule. r[i][j]: probability of i against j.
 */
function coupled(r: readonly (readonly number[])[]): number[] {
  const k = r.length;
  const others = (t: number): number[] => r.flatMap((_, j) => (j === t ? [] : [j]));
  const q = r.map((row, t) => row.map((_, j) => (j === t ? others(t).reduce((sum, i) => sum + r[i]![t]! ** 2, 0) : -r[j]![t]! * r[t]![j]!)));
  const p = Array.from({ length: k }, () => 1 / k);
  for (let round = 0; round < Math.max(100, k); round++) {
    let products = q.map((row) => dot(row, p));
    let total = dot(p, products);
    if (Math.max(...products.map((x) => Math.abs(x - total))) < 0.005 / k) break;
    for (let t = 0; t < k; t++) {
      const step = (total - products[t]!) / q[t]![t]!;
      total = (total + step * (step * q[t]![t]! + 2 * products[t]!)) / (1 + step) ** 2;
      products = products.map((x, j) => (x + step * q[t]![j]!) / (1 + step));
      p[t]! += step;
      p.forEach((x, j) => void (p[j] = x / (1 + step)));
    }
  }
  return p;
}

/** Platt's sigmoid, kept away from certainty as libsvm does. */
const pairProbability = (score: number, a: number, b: number): number => Math.min(Math.max(1 / (1 + Math.exp(score * a + b)), 1e-7), 1 - 1e-7);

function probabilities(svm: PairwiseSvm, scores: readonly number[], a: readonly number[], b: readonly number[]): number[] {
  const r = Array.from({ length: svm.classes }, () => Array.from({ length: svm.classes }, () => 0));
  scores.forEach((score, p) => {
    const [i, j, value] = [svm.first[p]!, svm.second[p]!, pairProbability(score, a[p]!, b[p]!)];
    r[i]![j] = value;
    r[j]![i] = 1 - value;
  });
  return coupled(r);
}

/** A classifier without support vectors: a linear model whose classes share one offset. */
function linearSvm(attrs: OnnxAttrs['SVMClassifier'], rows: readonly (readonly number[])[], features: number, labels: Labels): readonly HostValue[] {
  const classes = labels.values.length;
  const transform = postTransformOf(attrs.post_transform);
  const model = linearModel(
    classes,
    features,
    attrs.coefficients,
    Array.from({ length: classes }, () => attrs.rho?.[0] ?? 0),
  );
  const raw = rows.map((row) => predict(model, row));
  const positions = classes === 1 ? raw.map(([score]) => Number(score! > 0)) : raw.map(bestOf);
  return [
    pickLabels(classes === 1 ? binaryLabels(labels) : labels, positions),
    matrixFrom(
      'f32',
      raw.map((row) => transformScores(row, transform)),
      classes,
    ),
  ];
}

export const linearEvaluations: Evaluations<keyof Pick<typeof mlOps, 'LinearClassifier' | 'LinearRegressor' | 'SVMClassifier' | 'SVMRegressor'>> = {
  LinearRegressor({ attrs }, inputs) {
    const { rows, features } = matrixOf(numericAt(inputs, 0));
    const model = linearModel(attrs.targets, features, attrs.coefficients, attrs.intercepts);
    const transform = postTransformOf(attrs.post_transform);
    return [
      matrixFrom(
        'f32',
        rows.map((row) => transformScores(predict(model, row), transform)),
        model.targets,
      ),
    ];
  },

  LinearClassifier({ attrs }, inputs) {
    const { rows, features } = matrixOf(numericAt(inputs, 0));
    const labels = labelsOf(attrs.classlabels_ints, attrs.classlabels_strings);
    const model = linearClassifier(features, attrs, labels);
    const transform = postTransformOf(attrs.post_transform);
    const raw = rows.map((row) => predict(model, row));
    if (model.targets > 1)
      return [
        pickLabels(labels!, raw.map(bestOf)),
        matrixFrom(
          'f32',
          raw.map((row) => transformScores(row, transform)),
          model.targets,
        ),
      ];
    const chosen = pickLabels(
      binaryLabels(labels),
      raw.map(([score]) => Number(score! > 0)),
    );
    const both = labels?.values.length === 2;
    const scores = raw.map(([score]) => (both ? binaryScores(score!, transform, true) : transformScores([score!], transform)));
    return [chosen, matrixFrom('f32', scores, both ? 2 : 1)];
  },

  SVMRegressor({ attrs }, inputs) {
    const { rows, features } = matrixOf(numericAt(inputs, 0));
    const { coefficients = [], rho = [], support_vectors: support = [], n_supports: vectors } = attrs;
    const transform = postTransformOf(attrs.post_transform);
    const needed = vectors > 0 ? vectors : features;
    if (coefficients.length < needed || support.length < vectors * features || rho.length < 1)
      badModel(`${coefficients.length} coefficients and ${support.length} numbers for ${vectors} support vectors of ${features} features`);
    const scores = rows.map((row) => {
      const kernel = vectors > 0 ? kernelRow(kernelOf(attrs), row, support, vectors) : row;
      const score = rho[0]! + dot(kernel, coefficients);
      return attrs.one_class === 1 ? [score > 0 ? 1 : -1] : transformScores([score], transform);
    });
    return [matrixFrom('f32', scores, 1)];
  },

  SVMClassifier({ attrs }, inputs) {
    const { rows, features } = matrixOf(numericAt(inputs, 0));
    const labels = labelsOf(attrs.classlabels_ints, attrs.classlabels_strings) ?? badModel('SVMClassifier has no class labels');
    const classes = labels.values.length;
    const transform = postTransformOf(attrs.post_transform);
    const perClass = attrs.vectors_per_class ?? [];
    if (perClass.every((n) => n === 0)) return linearSvm(attrs, rows, features, labels);
    const svm = pairwiseSvm(features, attrs, perClass, classes);
    const results = rows.map((row) => pairScores(svm, row));
    const chosen = pickLabels(
      labels,
      results.map(({ votes }) => bestOf(votes)),
    );
    const { prob_a: a = [], prob_b: b = [] } = attrs;
    if (a.length > 0) {
      if (a.length < svm.offsets.length || b.length < svm.offsets.length)
        throw new AnychipError('bad-model', `${a.length} and ${b.length} probability coefficients for ${svm.offsets.length} pairs of classes`);
      return [
        chosen,
        matrixFrom(
          'f32',
          results.map(({ scores }) => transformScores(probabilities(svm, scores, a, b), transform)),
          classes,
        ),
      ];
    }
    // Of two classes the pair's score speaks for the first.
    if (classes === 2)
      return [
        chosen,
        matrixFrom(
          'f32',
          results.map(({ scores }) => binaryScores(scores[0]!, transform, false)),
          2,
        ),
      ];
    return [
      chosen,
      matrixFrom(
        'f32',
        results.map(({ scores }) => transformScores(scores, transform)),
        svm.offsets.length,
      ),
    ];
  },
};
