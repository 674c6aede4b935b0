// Reference of the norm family, in double precision, row by row.
import { AnychipError } from '../core/error.ts';
import { elementCount, formatShape, normalizeAxes, normalizeAxis } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { createTensor, elementWriter, filledTensor, numberReader, reshaped, tensorFrom } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { normOps } from '../graph/ops/norm.ts';
import { channelsOf, checkFits, checkPerChannel, groupedShape, lrnReach, spatialAxes, trailingAxes } from '../graph/ops/normGeometry.ts';
import { numericDTypeOfCode } from '../graph/onnxTypes.ts';
import type { Evaluate, Evaluations } from './evaluate.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import { lossEvaluations } from './loss.ts';
import { broadcastOffsets } from './prims/elementwise.ts';
import { logSoftmaxOf, mapRows, meanOf, momentsOf, readRows, rowsOf, softmaxOf, sumOf } from './rows.ts';
import type { RowMap } from './rows.ts';

/** An operator that maps the rows of one axis. */
const perRow =
  (f: (row: readonly number[]) => readonly number[]): Evaluate<'Softmax' | 'LogSoftmax' | 'Hardmax'> =>
  ({ attrs }, inputs) => {
    const x = numericAt(inputs, 0);
    return [mapRows(x, [normalizeAxis(attrs.axis, x.shape.length)], f)];
  };

/** The value of its channel for every flat position of `shape`. */
function perChannel(name: string, values: NumericTensor, shape: Shape): (flat: number) => number {
  const channels = channelsOf(shape);
  checkPerChannel(name, values.shape, channels);
  const inner = elementCount(shape.slice(2));
  const read = numberReader(values);
  return (flat) => read(Math.floor(flat / inner) % channels);
}

/** The value that broadcasts to every flat position of `shape`; `fallback` where there is no tensor. */
function fitted(name: string, values: NumericTensor | undefined, shape: Shape, fallback: number): (flat: number) => number {
  if (values === undefined) return () => fallback;
  checkFits(name, values.shape, shape);
  const offsets = broadcastOffsets(values.shape, shape);
  const read = numberReader(values);
  return (flat) => read(offsets?.[flat] ?? flat);
}

/** x normalised over `axes`, then scaled and shifted element by element. */
function standardized(x: NumericTensor, axes: readonly number[], epsilon: number, scale: (flat: number) => number, bias: (flat: number) => number): NumericTensor {
  return mapRows(x, axes, (row, at) => {
    const { mean, variance } = momentsOf(row);
    return row.map((v, j) => ((v - mean) / Math.sqrt(variance + epsilon)) * scale(at(j)) + bias(at(j)));
  });
}

/** Axes over which a batch normalisation takes its moments: all but the channels. */
const batchAxes = (rank: number): number[] => (rank < 2 ? [0] : [0, ...spatialAxes(rank)]);

/** momentum · old + (1 − momentum) · new, per channel. */
const blended = (old: NumericTensor, fresh: readonly number[], momentum: number): NumericTensor => {
  const read = numberReader(old);
  return tensorFrom(
    old.dtype,
    old.shape,
    fresh.map((v, c) => read(c) * momentum + v * (1 - momentum)),
  );
};

const BatchNormalization: Evaluate<'BatchNormalization'> = ({ attrs }, inputs) => {
  const x = numericAt(inputs, 0);
  const [scale, bias] = [perChannel('scale', numericAt(inputs, 1), x.shape), perChannel('B', numericAt(inputs, 2), x.shape)];
  const [oldMean, oldVariance] = [numericAt(inputs, 3), numericAt(inputs, 4)];
  const [mean, variance] = [perChannel('input_mean', oldMean, x.shape), perChannel('input_var', oldVariance, x.shape)];
  if (attrs.training_mode === 0) {
    const y = mapRows(x, [], ([v], at) => [((v! - mean(at(0))) / Math.sqrt(variance(at(0)) + attrs.epsilon)) * scale(at(0)) + bias(at(0))]);
    return [y, null, null];
  }
  const axes = batchAxes(x.shape.length);
  const moments = readRows(x, axes).map(momentsOf);
  return [
    standardized(x, axes, attrs.epsilon, scale, bias),
    blended(
      oldMean,
      moments.map((m) => m.mean),
      attrs.momentum,
    ),
    blended(
      oldVariance,
      moments.map((m) => m.variance),
      attrs.momentum,
    ),
  ];
};

const LayerNormalization: Evaluate<'LayerNormalization'> = ({ attrs }, inputs) => {
  const [x, bias] = [numericAt(inputs, 0), optionalAt(inputs, 2)];
  const axes = trailingAxes(attrs.axis, x.shape.length);
  const moments = readRows(x, axes).map(momentsOf);
  const { kept } = rowsOf(x.shape, axes);
  const stash = numericDTypeOfCode(attrs.stash_type);
  const statistic = (f: (m: { readonly mean: number; readonly variance: number }) => number): NumericTensor => tensorFrom(stash, kept, moments.map(f));
  return [
    standardized(x, axes, attrs.epsilon, fitted('Scale', numericAt(inputs, 1), x.shape, 1), fitted('B', bias, x.shape, 0)),
    statistic((m) => m.mean),
    statistic((m) => 1 / Math.sqrt(m.variance + attrs.epsilon)),
  ];
};

const LRN: Evaluate<'LRN'> = ({ attrs }, inputs) => {
  const x = numericAt(inputs, 0);
  if (x.shape.length < 2) throw new AnychipError('shape', `an input of shape ${formatShape(x.shape)} has no channels`);
  const [low, high] = lrnReach(attrs.size);
  const y = mapRows(x, [1], (row) =>
    row.map((v, c) => {
      const squares = sumOf(row.slice(Math.max(c - low, 0), c + high + 1).map((w) => w * w));
      return v / (attrs.bias + (attrs.alpha / attrs.size) * squares) ** attrs.beta;
    }),
  );
  return [y];
};

const Dropout: Evaluate<'Dropout'> = ({ attrs }, inputs, context) => {
  const [x, ratio, training] = [numericAt(inputs, 0), optionalAt(inputs, 1), optionalAt(inputs, 2)];
  const probability = training === undefined || training.data[0] === 0 ? 0 : ratio === undefined ? 0.5 : numberReader(ratio)(0);
  if (probability === 0) return [x, filledTensor('bool', x.shape, 1)];
  const mask = createTensor('bool', x.shape);
  if (!(probability > 0 && probability < 1)) throw new AnychipError('run', `a dropout ratio of ${probability}`, { hint: 'The ratio lies in [0, 1).' });
  const random = context.random(attrs.seed);
  const y = createTensor(x.dtype, x.shape);
  const [read, write] = [numberReader(x), elementWriter(y)];
  for (let i = 0; i < x.data.length; i++) {
    mask.data[i] = random() >= probability ? 1 : 0;
    write(i, mask.data[i] === 1 ? read(i) / (1 - probability) : 0);
  }
  return [y, mask];
};

/** The one of each row's largest elements that comes first is 1, the others are 0. */
function hardmaxOf(row: readonly number[]): number[] {
  const winner = row.reduce((best, v, j) => (v > row[best]! || (Number.isNaN(v) && !Number.isNaN(row[best]!)) ? j : best), 0);
  return row.map((_, j) => (j === winner ? 1 : 0));
}

const norms = { 1: (row: readonly number[]) => sumOf(row.map(Math.abs)), 2: (row: readonly number[]) => Math.sqrt(sumOf(row.map((v) => v * v))) } as const;

export const normEvaluations: Evaluations<keyof typeof normOps> = {
  ...lossEvaluations,
  Softmax: perRow(softmaxOf),
  LogSoftmax: perRow(logSoftmaxOf),
  Hardmax: perRow(hardmaxOf),
  BatchNormalization,
  LayerNormalization,
  InstanceNormalization({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const [scale, bias] = [perChannel('scale', numericAt(inputs, 1), x.shape), perChannel('B', numericAt(inputs, 2), x.shape)];
    return [standardized(x, spatialAxes(x.shape.length), attrs.epsilon, scale, bias)];
  },
  GroupNormalization({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const shape = groupedShape(x.shape, attrs.num_groups);
    const [scale, bias] = [perChannel('scale', numericAt(inputs, 1), x.shape), perChannel('bias', numericAt(inputs, 2), x.shape)];
    const y = standardized(reshaped(x, shape), trailingAxes(2, shape.length), attrs.epsilon, scale, bias);
    return [reshaped(y, x.shape)];
  },
  RMSNormalization({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const weight = numericAt(inputs, 1);
    const scale = fitted('scale', weight, x.shape, 1);
    const normalize: RowMap = (row, at) => {
      const rms = Math.sqrt(meanOf(row.map((v) => v * v)) + attrs.epsilon);
      return row.map((v, j) => (v / rms) * scale(at(j)));
    };
    return [mapRows(x, trailingAxes(attrs.axis, x.shape.length), normalize, weight.dtype)];
  },
  LRN,
  MeanVarianceNormalization({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const y = mapRows(x, normalizeAxes(attrs.axes, x.shape.length), (row) => {
      const { mean, variance } = momentsOf(row);
      return row.map((v) => (v - mean) / (Math.sqrt(variance) + 1e-9));
    });
    return [y];
  },
  LpNormalization({ attrs }, inputs) {
    const x = numericAt(inputs, 0);
    const { p } = attrs;
    if (p !== 1 && p !== 2) throw new AnychipError('shape', `a norm of order ${p}`, { hint: 'LpNormalization knows orders 1 and 2.' });
    const y = mapRows(x, [normalizeAxis(attrs.axis, x.shape.length)], (row) => {
      const norm = norms[p](row);
      return row.map((v) => (norm === 0 ? 0 : v / norm));
    });
    return [y];
  },
  Dropout,
};
