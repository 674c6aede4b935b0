// What classifiers and regressors of ai.onnx.ml share: labels, the meaning of post_transform, rows of features, and how support
// vector machines pair their classes. Knows attributes and shapes, never data.
import { AnychipError } from '../../core/error.ts';
import { formatShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

export const badModel = (reason: string): never => {
  throw new AnychipError('bad-model', reason, { hint: "Check the node's attributes against the specification of ai.onnx.ml." });
};

export type Labels = { readonly kind: 'ints'; readonly values: readonly number[] } | { readonly kind: 'strings'; readonly values: readonly string[] };

/** The class labels, of which exactly one kind may be given; undefined when there are none. */
export function labelsOf(ints: readonly number[] | undefined, strings: readonly string[] | undefined): Labels | undefined {
  const [hasInts, hasStrings] = [(ints?.length ?? 0) > 0, (strings?.length ?? 0) > 0];
  if (hasInts && hasStrings) badModel('class labels are given both as integers and as strings');
  if (hasStrings) return { kind: 'strings', values: strings! };
  return hasInts ? { kind: 'ints', values: ints! } : undefined;
}

/** The two labels of a model with one score: not chosen and chosen. Without two labels they are 0 and 1. */
export function binaryLabels(labels: Labels | undefined): Labels {
  if (labels?.values.length === 2) return labels;
  return labels?.kind === 'strings' ? { kind: 'strings', values: ['0', '1'] } : { kind: 'ints', values: [0, 1] };
}

export const postTransforms = ['NONE', 'SOFTMAX', 'LOGISTIC', 'SOFTMAX_ZERO', 'PROBIT'] as const;
export type PostTransform = (typeof postTransforms)[number];

export const postTransformOf = (name: string): PostTransform => postTransforms.find((known) => known === name) ?? badModel(`post_transform '${name}' is unknown`);

/** Rows and columns of [N, C] or [C]. */
export function rowsOf(shape: Shape): readonly [rows: number, features: number] {
  if (shape.length === 1) return [1, shape[0]!];
  if (shape.length === 2) return [shape[0]!, shape[1]!];
  throw new AnychipError('shape', `features of shape ${formatShape(shape)}: [N, C] or [C] is needed`);
}

/** Scores = features · weights + offsets. */
export interface LinearModel {
  readonly targets: number;
  /** Row-major [targets, features]. */
  readonly weights: readonly number[];
  /** One per target. */
  readonly offsets: readonly number[];
}

export function linearModel(targets: number, features: number, coefficients: readonly number[] | undefined, intercepts: readonly number[] | undefined): LinearModel {
  const weights = coefficients ?? [];
  const offsets = intercepts === undefined || intercepts.length === 0 ? Array.from({ length: targets }, () => 0) : intercepts;
  if (targets < 1 || weights.length < targets * features) badModel(`${weights.length} coefficients for ${targets} targets over ${features} features`);
  if (offsets.length !== targets) badModel(`${offsets.length} intercepts for ${targets} targets`);
  return { targets, weights: weights.slice(0, targets * features), offsets };
}

/** Which model LinearClassifier is: its intercepts count the scores, or its coefficients where there are none. */
export function linearClassifier(
  features: number,
  attrs: { readonly coefficients: readonly number[] | undefined; readonly intercepts: readonly number[] | undefined },
  labels: Labels | undefined,
): LinearModel {
  const { coefficients, intercepts } = attrs;
  const targets = intercepts !== undefined && intercepts.length > 0 ? intercepts.length : Math.floor((coefficients?.length ?? 0) / Math.max(features, 1));
  if (targets > 1 && (labels?.values.length ?? 0) < targets) badModel(`${labels?.values.length ?? 0} class labels for ${targets} scores`);
  return linearModel(targets, features, coefficients, intercepts);
}

export const kernels = ['LINEAR', 'POLY', 'RBF', 'SIGMOID'] as const;
export type KernelKind = (typeof kernels)[number];

/** k(x, s): x·s; (γ·x·s + c)^d; exp(−γ·|x − s|²); tanh(γ·x·s + c). */
export interface Kernel {
  readonly kind: KernelKind;
  readonly gamma: number;
  readonly offset: number;
  readonly degree: number;
}

export function kernelOf(attrs: { readonly kernel_type: string; readonly kernel_params: readonly number[] | undefined }): Kernel {
  const kind = kernels.find((known) => known === attrs.kernel_type) ?? badModel(`kernel_type '${attrs.kernel_type}' is unknown`);
  const [gamma, offset, degree] = attrs.kernel_params ?? [];
  return { kind, gamma: gamma ?? 0, offset: offset ?? 0, degree: degree ?? 0 };
}

/** A support vector machine over pairs of classes: pair p prefers class `first[p]` where its score is positive, else `second[p]`. */
export interface PairwiseSvm {
  readonly kernel: Kernel;
  readonly classes: number;
  readonly vectors: number;
  /** Row-major [vectors, features]. */
  readonly support: readonly number[];
  /** Row-major [vectors, pairs]: how each vector's kernel enters each score. */
  readonly weights: readonly number[];
  readonly offsets: readonly number[];
  readonly first: readonly number[];
  readonly second: readonly number[];
}

interface SvmAttrs {
  readonly kernel_type: string;
  readonly kernel_params: readonly number[] | undefined;
  readonly coefficients: readonly number[] | undefined;
  readonly rho: readonly number[] | undefined;
  readonly support_vectors: readonly number[] | undefined;
}

/**
 * Coefficients are [classes − 1, vectors] as libsvm stores them: for the pair i < j the vectors of class i take row j − 1, those of
 * class j row i (Chang and Lin, "LIBSVM", 2011).
 */
export function pairwiseSvm(features: number, attrs: SvmAttrs, vectorsPerClass: readonly number[], classes: number): PairwiseSvm {
  const vectors = vectorsPerClass.reduce((a, b) => a + b, 0);
  const pairs = (classes * (classes - 1)) / 2;
  const { coefficients = [], rho = [], support_vectors: support = [] } = attrs;
  if (classes < 2 || vectorsPerClass.length !== classes) badModel(`vectors_per_class has ${vectorsPerClass.length} entries for ${classes} classes`);
  if (coefficients.length < (classes - 1) * vectors || rho.length < pairs)
    badModel(`${coefficients.length} coefficients and ${rho.length} offsets for ${pairs} pairs of classes over ${vectors} vectors`);
  if (support.length !== vectors * features) badModel(`${support.length} numbers for ${vectors} support vectors of ${features} features`);
  const starts = vectorsPerClass.map((_, i) => vectorsPerClass.slice(0, i).reduce((a, b) => a + b, 0));
  const weights = Array.from({ length: vectors * pairs }, () => 0);
  const [first, second]: [number[], number[]] = [[], []];
  for (let i = 0; i < classes; i++) {
    for (let j = i + 1; j < classes; j++) {
      const pair = first.length;
      for (const [own, row] of [
        [i, j - 1],
        [j, i],
      ] as const) {
        for (let v = starts[own]!; v < starts[own]! + vectorsPerClass[own]!; v++) weights[v * pairs + pair] = coefficients[row * vectors + v]!;
      }
      first.push(i);
      second.push(j);
    }
  }
  return { kernel: kernelOf(attrs), classes, vectors, support, weights, offsets: rho.slice(0, pairs), first, second };
}
