// Decompositions of the norm family: reductions that keep the rank, then elementwise formulas with broadcasting, so that a schedule
// can make one kernel of each. Half precision is computed in f32.
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { commonRefinement, elementCount, formatShape, normalizeAxes, normalizeAxis } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { normOps } from '../../graph/ops/norm.ts';
import { channelsOf, checkFits, checkPerChannel, groupedShape, lrnReach, spatialAxes, trailingAxes } from '../../graph/ops/normGeometry.ts';
import { numericDTypeOfCode } from '../../graph/onnxTypes.ts';
import { inputAt, numbersOf, onHost } from '../lowering.ts';
import type { Lower, Lowerings } from '../lowering.ts';
import { lossLowerings } from './loss.ts';
import { logSoftmax, meanOver, momentsOver, softmax, widened } from './rows.ts';
import { along } from './views.ts';

/** 1 / √(variance + epsilon). */
const inverseDeviation = (b: Builder, variance: Operand, epsilon: number): Operand => b.reciprocal(b.sqrt(b.add(variance, b.scalar(variance.dtype, epsilon))));

/** One value per channel, checked, in `dtype`, to be broadcast against `x`. */
function channelwise(b: Builder, name: string, values: Operand, x: Operand, dtype: NumericDType): Operand {
  checkPerChannel(name, values.shape, channelsOf(x.shape));
  return along(b, b.cast(values, dtype), Math.min(1, x.shape.length - 1), x.shape.length);
}

/** A parameter that broadcasts to x, checked, in `dtype`. */
function fitted(b: Builder, name: string, values: Operand, x: Operand, dtype: NumericDType): Operand {
  checkFits(name, values.shape, x.shape);
  return b.cast(values, dtype);
}

const overAxis =
  (f: (b: Builder, x: Operand, axis: number) => Operand): Lower<'Softmax' | 'LogSoftmax'> =>
  (b, { attrs }, inputs) => {
    const x = inputAt(inputs, 0);
    return [b.cast(f(b, widened(b, x), normalizeAxis(attrs.axis, x.shape.length)), x.dtype)];
  };

const BatchNormalization: Lower<'BatchNormalization'> = (b, { attrs }, inputs) => {
  const x = inputAt(inputs, 0);
  const wide = widened(b, x);
  const parameter = (name: string, i: number): Operand => channelwise(b, name, inputAt(inputs, i), x, wide.dtype);
  const [scale, bias, oldMean, oldVariance] = [parameter('scale', 1), parameter('B', 2), parameter('input_mean', 3), parameter('input_var', 4)];
  const finish = (centred: Operand, variance: Operand): Operand => b.cast(b.add(b.mul(centred, b.mul(inverseDeviation(b, variance, attrs.epsilon), scale)), bias), x.dtype);
  if (attrs.training_mode === 0) return [finish(b.sub(wide, oldMean), oldVariance), null, null];
  const { centred, mean, variance } = momentsOver(b, wide, x.shape.length < 2 ? [0] : [0, ...spatialAxes(x.shape.length)]);
  const blend = (old: Operand, fresh: Operand, like: Operand): Operand => {
    const weight = (value: number): Operand => b.scalar(wide.dtype, value);
    return b.cast(b.reshape(b.add(b.mul(old, weight(attrs.momentum)), b.mul(fresh, weight(1 - attrs.momentum))), like.shape), like.dtype);
  };
  return [finish(centred, variance), blend(oldMean, mean, inputAt(inputs, 3)), blend(oldVariance, variance, inputAt(inputs, 4))];
};

/**
 * `x` in the shape `grouped`, or in one with more axes if x was reshaped: so that what made it may leave it in memory as it likes, and nobody
 * counts through the elements of axes that were joined. With it the axes that are parts of `axes`.
 */
function beforeReshape(b: Builder, x: Operand, grouped: readonly number[], axes: readonly number[]): { readonly wide: Operand; readonly over: readonly number[] } {
  const from = b.shapedFrom(x);
  const finer = from === x ? undefined : commonRefinement(from.shape, grouped);
  const over = finer?.parts.flatMap((axis, i) => (axes.includes(axis) ? [i] : [])) ?? [];
  return finer === undefined || over.length === 0 ? { wide: b.reshape(widened(b, x), grouped), over: axes } : { wide: b.reshape(widened(b, from), finer.shape), over };
}

/** Moments over `axes`, then one scale and one shift per channel. */
function normalizedPerChannel(
  b: Builder,
  x: Operand,
  grouped: readonly number[],
  axes: readonly number[],
  epsilon: number,
  parameters: readonly [scale: Operand, bias: Operand],
): Operand {
  const { wide, over } = beforeReshape(b, x, grouped, axes);
  const { centred, variance } = momentsOver(b, wide, over);
  const normalized = b.reshape(b.mul(centred, inverseDeviation(b, variance, epsilon)), x.shape);
  const [scale, bias] = parameters.map((p, i) => channelwise(b, i === 0 ? 'scale' : 'bias', p, x, wide.dtype));
  return b.cast(b.add(b.mul(normalized, scale!), bias!), x.dtype);
}

const LRN: Lower<'LRN'> = (b, { attrs }, inputs) => {
  const x = inputAt(inputs, 0);
  const rank = x.shape.length;
  if (rank < 2) throw new AnychipError('shape', `an input of shape ${formatShape(x.shape)} has no channels`);
  const [low, high] = lrnReach(attrs.size);
  const wide = widened(b, x);
  const around = (n: number): number[] => x.shape.map((_, i) => (i === 1 ? n : 0));
  const padded = b.pad(b.mul(wide, wide), around(low), around(high), b.scalar(wide.dtype, 0));
  const windows = b.window(padded, [{ axis: 1, size: attrs.size, stride: 1, dilation: 1 }]);
  const squares = b.reshape(b.reduce('sum', windows, [rank]), x.shape);
  const base = b.add(b.mul(squares, b.scalar(wide.dtype, attrs.alpha / attrs.size)), b.scalar(wide.dtype, attrs.bias));
  return [b.cast(b.div(wide, b.pow(base, b.scalar(wide.dtype, attrs.beta))), x.dtype)];
};

export const normLowerings: Lowerings<keyof typeof normOps> = {
  ...lossLowerings,
  Softmax: overAxis(softmax),
  LogSoftmax: overAxis(logSoftmax),
  Hardmax(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const axis = normalizeAxis(attrs.axis, x.shape.length);
    if (elementCount(x.shape) === 0) return [x];
    const places = along(b, b.iota('i64', [x.shape[axis]!], 0), axis, x.shape.length);
    return [b.cast(b.eq(b.argReduce('max', x, axis), places), x.dtype)];
  },
  BatchNormalization,
  InstanceNormalization(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    return [normalizedPerChannel(b, x, x.shape, spatialAxes(x.shape.length), attrs.epsilon, [inputAt(inputs, 1), inputAt(inputs, 2)])];
  },
  GroupNormalization(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const grouped = groupedShape(x.shape, attrs.num_groups);
    return [normalizedPerChannel(b, x, grouped, trailingAxes(2, grouped.length), attrs.epsilon, [inputAt(inputs, 1), inputAt(inputs, 2)])];
  },
  LayerNormalization(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const wide = widened(b, x);
    const { centred, mean, variance } = momentsOver(b, wide, trailingAxes(attrs.axis, x.shape.length));
    const inverse = inverseDeviation(b, variance, attrs.epsilon);
    const scaled = b.mul(b.mul(centred, inverse), fitted(b, 'Scale', inputAt(inputs, 1), x, wide.dtype));
    const bias = inputs[2] ?? null;
    const stash = numericDTypeOfCode(attrs.stash_type);
    const y = bias === null ? scaled : b.add(scaled, fitted(b, 'B', bias, x, wide.dtype));
    return [b.cast(y, x.dtype), b.cast(mean, stash), b.cast(inverse, stash)];
  },
  RMSNormalization(b, { attrs }, inputs) {
    const [x, weight] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const wide = widened(b, x);
    const inverse = inverseDeviation(b, meanOver(b, b.mul(wide, wide), trailingAxes(attrs.axis, x.shape.length)), attrs.epsilon);
    return [b.cast(b.mul(b.mul(wide, inverse), fitted(b, 'scale', weight, x, wide.dtype)), weight.dtype)];
  },
  LRN,
  MeanVarianceNormalization(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const { centred, variance } = momentsOver(b, widened(b, x), normalizeAxes(attrs.axes, x.shape.length));
    return [b.cast(b.div(centred, b.add(b.sqrt(variance), b.scalar(variance.dtype, 1e-9))), x.dtype)];
  },
  LpNormalization(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    if (attrs.p !== 1 && attrs.p !== 2) throw new AnychipError('shape', `a norm of order ${attrs.p}`, { hint: 'LpNormalization knows orders 1 and 2.' });
    const wide = widened(b, x);
    const axes = [normalizeAxis(attrs.axis, x.shape.length)];
    const norm = attrs.p === 1 ? b.reduce('sum', b.abs(wide), axes) : b.sqrt(b.reduce('sum', b.mul(wide, wide), axes));
    const [zero, one] = [b.scalar(wide.dtype, 0), b.scalar(wide.dtype, 1)];
    // A norm of zero is that of zeros only: dividing them by one leaves them.
    return [b.cast(b.div(wide, b.where(b.eq(norm, zero), one, norm)), x.dtype)];
  },
  Dropout(b, _, inputs) {
    const [x, ratio, training] = [inputAt(inputs, 0), inputs[1] ?? null, inputs[2] ?? null];
    const drops = training !== null && numbersOf(b, training)[0] !== 0 && !(ratio !== null && b.constantOf(ratio) !== undefined && numbersOf(b, ratio)[0] === 0);
    return drops ? onHost('drops elements at random') : [x, b.full('bool', x.shape, 1)];
  },
};
