// What ends the decomposition of every classifier and regressor of ai.onnx.ml: transforms of scores, labels by position.
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { Labels, PostTransform } from '../../graph/ops/classes.ts';
import { rowsOf } from '../../graph/ops/classes.ts';

const one = (b: Builder, x: Operand): Operand => b.scalar(x.dtype, 1);

export const logistic = (b: Builder, x: Operand): Operand => b.reciprocal(b.add(one(b, x), b.exp(b.neg(x))));

/** √2·erf⁻¹(2x − 1) by Winitzki's approximation with a = 0.147. */
function probit(b: Builder, x: Operand): Operand {
  const c = (value: number): Operand => b.scalar(x.dtype, value);
  const y = b.sub(b.mul(x, c(2)), c(1));
  const log = b.log(b.mul(b.sub(c(1), y), b.add(c(1), y)));
  const v = b.add(c(2 / (Math.PI * 0.147)), b.mul(log, c(0.5)));
  const root = b.sqrt(b.sub(b.sqrt(b.sub(b.mul(v, v), b.mul(log, c(1 / 0.147)))), v));
  return b.mul(b.where(b.lt(y, c(0)), c(-Math.SQRT2), c(Math.SQRT2)), root);
}

function softmax(b: Builder, x: Operand): Operand {
  const powers = b.exp(b.sub(x, b.reduce('max', x, [1])));
  return b.div(powers, b.reduce('sum', powers, [1]));
}

/** Softmax in which scores of zero stay (almost) zero. */
function softmaxZero(b: Builder, x: Operand): Operand {
  const most = b.reduce('max', x, [1]);
  const powers = b.where(b.gt(b.abs(x), b.scalar(x.dtype, 1e-7)), b.exp(b.sub(x, most)), b.mul(x, b.exp(b.neg(most))));
  const sum = b.reduce('sum', powers, [1]);
  return b.where(b.eq(sum, b.scalar(x.dtype, 0)), b.scalar(x.dtype, 0.5), b.div(powers, sum));
}

const transforms: Readonly<Record<PostTransform, (b: Builder, x: Operand) => Operand>> = {
  NONE: (_, x) => x,
  LOGISTIC: logistic,
  SOFTMAX: softmax,
  SOFTMAX_ZERO: softmaxZero,
  PROBIT: probit,
};

/** Scores [N, targets]. */
export const transformScores = (b: Builder, scores: Operand, transform: PostTransform): Operand => transforms[transform](b, scores);

/** Scores [N, 2] of a model with one score [N, 1]: the transform sees ±score, probabilities complement each other. */
export function binaryScores(b: Builder, score: Operand, transform: PostTransform, complement: boolean): Operand {
  const plain = transform === 'NONE' || transform === 'PROBIT';
  const other = plain && complement ? b.sub(one(b, score), score) : b.neg(score);
  return transformScores(b, b.concat([other, score], 1), transform);
}

/** Position of the first largest score of each row, [N] of i64. */
export const bestOf = (b: Builder, scores: Operand): Operand => b.reshape(b.argReduce('max', scores, 1), [scores.shape[0]!]);

/** Integer labels at positions [N]. */
export function pickLabels(b: Builder, labels: Labels & { readonly kind: 'ints' }, positions: Operand): Operand {
  const table = b.constant(tensorFrom('i64', [labels.values.length], labels.values));
  return b.gather(table, [{ index: 0 }], [positions], positions.shape);
}

/** The second of two labels where `chosen` [N, 1] is true, else the first. */
export const chooseLabel = (b: Builder, labels: Labels & { readonly kind: 'ints' }, chosen: Operand): Operand =>
  b.where(b.reshape(chosen, [chosen.shape[0]!]), b.scalar('i64', labels.values[1]!), b.scalar('i64', labels.values[0]!));

/** Features as a matrix [N, C] in the dtype that models compute in: f64 stays, everything else is f32. */
export const featureMatrix = (b: Builder, x: Operand): Operand => b.reshape(b.cast(x, x.dtype === 'f64' ? 'f64' : 'f32'), rowsOf(x.shape));
