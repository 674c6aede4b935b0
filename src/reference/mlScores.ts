// Reference of what ends every classifier and regressor of ai.onnx.ml: transforms of scores, labels.
import { createTensor, elementWriter, stringTensor, tensorFrom } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';
import type { NumericDType } from '../core/dtype.ts';
import type { Labels, PostTransform } from '../graph/ops/classes.ts';

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/** √2·erf⁻¹(2x − 1) by Winitzki's approximation with a = 0.147, which every runtime uses. */
function probit(x: number): number {
  const y = 2 * x - 1;
  const log = Math.log((1 - y) * (1 + y));
  const v = 2 / (Math.PI * 0.147) + 0.5 * log;
  return Math.SQRT2 * (y < 0 ? -1 : 1) * Math.sqrt(Math.sqrt(v * v - log / 0.147) - v);
}

function softmax(row: readonly number[]): number[] {
  const most = Math.max(...row);
  const powers = row.map((x) => Math.exp(x - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

/** Softmax in which scores of zero stay (almost) zero. */
function softmaxZero(row: readonly number[]): number[] {
  const most = Math.max(...row);
  const powers = row.map((x) => (Math.abs(x) > 1e-7 ? Math.exp(x - most) : x * Math.exp(-most)));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => (sum === 0 ? 0.5 : p / sum));
}

const transforms: Readonly<Record<PostTransform, (row: readonly number[]) => readonly number[]>> = {
  NONE: (row) => row,
  LOGISTIC: (row) => row.map(logistic),
  SOFTMAX: softmax,
  SOFTMAX_ZERO: softmaxZero,
  PROBIT: (row) => row.map(probit),
};

export const transformScores = (row: readonly number[], transform: PostTransform): readonly number[] => transforms[transform](row);

/** The scores of both classes of a model that has one: the transform sees ±score, probabilities complement each other. */
export function binaryScores(score: number, transform: PostTransform, complement: boolean): readonly number[] {
  const plain = transform === 'NONE' || transform === 'PROBIT';
  return transformScores([plain && complement ? 1 - score : -score, score], transform);
}

/** Position of the first largest score. */
export const bestOf = (row: readonly number[]): number => row.reduce((best, x, i) => (x > row[best]! ? i : best), 0);

/** Rows of equal length as a tensor [rows, columns]. */
export function matrixFrom(dtype: NumericDType, rows: readonly (readonly number[])[], columns: number): NumericTensor {
  const tensor = createTensor(dtype, [rows.length, columns]);
  const write = elementWriter(tensor);
  rows.forEach((row, r) => row.forEach((value, c) => write(r * columns + c, value)));
  return tensor;
}

/** The labels at these positions. */
export const pickLabels = (labels: Labels, positions: readonly number[]): Tensor =>
  labels.kind === 'ints'
    ? tensorFrom(
        'i64',
        [positions.length],
        positions.map((i) => labels.values[i]!),
      )
    : stringTensor(
        [positions.length],
        positions.map((i) => labels.values[i]!),
      );
