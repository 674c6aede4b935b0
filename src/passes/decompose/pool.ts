// Decompositions of pooling: padding, a window view, a reduction.
import { isFloat, integerRange } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { elementCount, formatShape, sameShape, stridesOf } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { convOps } from '../../graph/ops/conv.ts';
import { col2ImGeometry, fittedHigh, resolveWindows, spatialOf, unpooledShape } from '../../graph/ops/convGeometry.ts';
import type { WindowGeometry } from '../../graph/ops/convGeometry.ts';
import { accumulatorOf, inputAt, numbersOf } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { pickInOrder } from './dequantized.ts';
import { along, dropAxes } from './views.ts';

type PoolOp = Exclude<keyof typeof convOps, 'Conv' | 'ConvTranspose' | 'DeformConv' | 'CausalConvWithState'>;

/** [N, C, d…] → [N, C, out…, k…], with `value` in the padding. */
function windowed(b: Builder, x: Operand, g: WindowGeometry, value: number | bigint): Operand {
  const spatial = spatialOf(x.shape);
  const padded = b.pad(x, [0, 0, ...g.low], [0, 0, ...fittedHigh(spatial, g)], b.scalar(x.dtype, value));
  return b.window(
    padded,
    spatial.map((_, i) => ({ axis: i + 2, size: g.kernel[i]!, stride: g.strides[i]!, dilation: g.dilations[i]! })),
  );
}

/** The window axes that `windowed` appended. */
const windowAxes = (g: WindowGeometry): number[] => g.out.map((_, i) => 2 + g.out.length + i);

/** Σ over windows, or over whole planes: what the average and the norms share. */
type Sum = (x: Operand) => Operand;
const windowSum =
  (b: Builder, g: WindowGeometry): Sum =>
  (x) =>
    dropAxes(b, b.reduce('sum', windowed(b, x, g, 0), windowAxes(g)), windowAxes(g));
const planeSum =
  (b: Builder): Sum =>
  (x) =>
    b.reduce(
      'sum',
      x,
      spatialOf(x.shape).map((_, i) => i + 2),
    );

function lpNorm(b: Builder, x: Operand, p: number, sum: Sum): Operand {
  const wide = b.cast(x, accumulatorOf(x.dtype));
  const power = (v: Operand, exponent: number): Operand => b.pow(v, b.scalar(v.dtype, exponent));
  const norm = p === 1 ? sum(b.abs(wide)) : p === 2 ? b.sqrt(sum(b.mul(wide, wide))) : power(sum(power(b.abs(wide), p)), 1 / p);
  return b.cast(norm, x.dtype);
}

/** How many taps of each window count, as one broadcastable factor per axis: windows are rectangles. */
function windowCounts(b: Builder, spatial: Shape, g: WindowGeometry, includePad: boolean, dtype: NumericDType): Operand {
  const rank = spatial.length;
  const factors = spatial.map((size, i) => {
    const [first, end] = includePad ? [-g.low[i]!, size + g.high[i]!] : [0, size];
    const counts = Array.from({ length: g.out[i]! }, (_, o) => {
      const taps = Array.from({ length: g.kernel[i]! }, (_, k) => o * g.strides[i]! + k * g.dilations[i]! - g.low[i]!);
      return taps.filter((at) => at >= first && at < end).length;
    });
    const vector = counts.every((n) => n === counts[0]) ? counts.slice(0, 1) : counts;
    return along(b, b.constant(tensorFrom(dtype, [vector.length], vector)), i + 2, rank + 2);
  });
  return factors.reduce((all, factor) => b.mul(all, factor));
}

/** Flat positions of the maxima. A tie goes to the first element on data, which padding must never win. */
function maxIndices(b: Builder, x: Operand, windows: Operand, g: WindowGeometry, columnMajor: boolean): Operand {
  const spatial = spatialOf(x.shape);
  const rank = spatial.length;
  const shape = [x.shape[0]!, x.shape[1]!, ...g.out];
  const taps = elementCount(g.kernel);
  const winner = dropAxes(b, b.argReduce('max', b.reshape(windows, [...shape, taps]), rank + 2), [rank + 2]);
  const i64 = (value: number): Operand => b.scalar('i64', value);
  const order = columnMajor ? stridesOf(spatial.toReversed()).toReversed() : stridesOf(spatial);
  const tapStrides = stridesOf(g.kernel);
  const planes = b.iota('i64', [x.shape[0]! * x.shape[1]!], 0);
  let flat = b.reshape(b.mul(planes, i64(elementCount(spatial))), [x.shape[0]!, x.shape[1]!, ...spatial.map(() => 1)]);
  for (let i = 0; i < rank; i++) {
    const tap = b.mod(b.div(winner, i64(tapStrides[i]!)), i64(g.kernel[i]!));
    const starts = Array.from({ length: g.out[i]! }, (_, o) => o * g.strides[i]! - g.low[i]!);
    // Padding only ever wins a window of equals, at its very first tap: the first tap on data is the answer then.
    const firsts = starts.map((start) => start + Math.ceil(Math.max(-start, 0) / g.dilations[i]!) * g.dilations[i]!);
    const table = (values: number[]): Operand => along(b, b.constant(tensorFrom('i64', [values.length], values)), i + 2, rank + 2);
    const at = b.max(b.add(b.mul(tap, i64(g.dilations[i]!)), table(starts)), table(firsts));
    flat = b.add(flat, b.mul(at, i64(order[i]!)));
  }
  return flat;
}

/** The maxima of windows, one spatial axis after the other where that takes less than half the comparisons. */
function windowMax(b: Builder, x: Operand, g: WindowGeometry): Operand {
  const lowest = isFloat(x.dtype) ? -Infinity : integerRange(x.dtype).min;
  const maxima = (of: Operand, part: WindowGeometry): Operand => dropAxes(b, b.reduce('max', windowed(b, of, part, lowest), windowAxes(part)), windowAxes(part));
  if (elementCount(g.kernel) < 2 * g.kernel.reduce((sum, size) => sum + size, 0)) return maxima(x, g);
  return g.out.reduce((of, _, axis) => maxima(of, alongAxis(g, spatialOf(of.shape), axis)), x);
}

/** The windows along one spatial axis; the others stay as they are. */
function alongAxis(g: WindowGeometry, spatial: Shape, axis: number): WindowGeometry {
  const keep = (values: readonly number[], other: number): number[] => values.map((value, i) => (i === axis ? value : other));
  return {
    kernel: keep(g.kernel, 1),
    strides: keep(g.strides, 1),
    dilations: keep(g.dilations, 1),
    low: keep(g.low, 0),
    high: keep(g.high, 0),
    out: g.out.map((size, i) => (i === axis ? size : spatial[i]!)),
  };
}

export const poolLowerings: Lowerings<PoolOp> = {
  MaxPool(b, { attrs, outputs }, inputs) {
    const x = inputAt(inputs, 0);
    const g = resolveWindows(spatialOf(x.shape), attrs);
    if ((outputs[1] ?? null) === null) return [pickInOrder(b, x, (v) => windowMax(b, v, g)), null];
    const windows = windowed(b, x, g, isFloat(x.dtype) ? -Infinity : integerRange(x.dtype).min);
    const y = dropAxes(b, b.reduce('max', windows, windowAxes(g)), windowAxes(g));
    return [y, maxIndices(b, x, windows, g, attrs.storage_order === 1)];
  },
  AveragePool(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const spatial = spatialOf(x.shape);
    const g = resolveWindows(spatial, attrs);
    const acc = accumulatorOf(x.dtype);
    const sums = windowSum(b, g)(b.cast(x, acc));
    return [b.cast(b.div(sums, windowCounts(b, spatial, g, attrs.count_include_pad === 1, acc)), x.dtype)];
  },
  LpPool(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    return [lpNorm(b, x, attrs.p, windowSum(b, resolveWindows(spatialOf(x.shape), attrs)))];
  },
  GlobalAveragePool(b, _, inputs) {
    const x = inputAt(inputs, 0);
    const acc = accumulatorOf(x.dtype);
    return [b.cast(b.div(planeSum(b)(b.cast(x, acc)), b.scalar(acc, elementCount(spatialOf(x.shape)))), x.dtype)];
  },
  GlobalMaxPool(b, _, inputs) {
    const x = inputAt(inputs, 0);
    const axes = spatialOf(x.shape).map((_, i) => i + 2);
    return [pickInOrder(b, x, (v) => b.reduce('max', v, axes))];
  },
  GlobalLpPool: (b, { attrs }, inputs) => [lpNorm(b, inputAt(inputs, 0), attrs.p, planeSum(b))],

  MaxUnpool(b, { attrs }, inputs) {
    const [x, indices] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const inferred = unpooledShape(x.shape, attrs);
    const wanted = inputs[2] ?? null;
    const shape = wanted === null ? inferred : numbersOf(b, wanted);
    if (!sameShape(indices.shape, x.shape)) throw new AnychipError('shape', `indices of shape ${formatShape(indices.shape)} for an input of shape ${formatShape(x.shape)}`);
    if (shape.length !== inferred.length || shape.some((d, i) => d < inferred[i]!)) {
      throw new AnychipError('shape', `output_shape ${formatShape(shape)} is smaller than ${formatShape(inferred)}`);
    }
    const count = elementCount(x.shape);
    const empty = b.full(x.dtype, [elementCount(inferred)], 0);
    const flat = b.scatter('replace', empty, b.reshape(x, [count]), [{ index: 0 }], [b.reshape(indices, [count])]);
    return [
      b.pad(
        b.reshape(flat, inferred),
        shape.map(() => 0),
        shape.map((d, i) => d - inferred[i]!),
        b.scalar(x.dtype, 0),
      ),
    ];
  },

  // Adds into the padded image, so that every tap of every column has a place, then takes the padding off.
  Col2Im(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const image = numbersOf(b, inputAt(inputs, 1));
    const block = numbersOf(b, inputAt(inputs, 2));
    const g = col2ImGeometry(x.shape, image, block, attrs);
    const channels = x.shape[1]! / elementCount(block);
    const planes = x.shape[0]! * channels;
    const acc = isFloat(x.dtype) ? accumulatorOf(x.dtype) : x.dtype;
    const places = image.map((_, i) => {
      const taps = Array.from({ length: block[i]! }, (_, k) => k * g.dilations[i]!);
      const at = taps.flatMap((tap) => Array.from({ length: g.out[i]! }, (_, o) => tap + o * g.strides[i]!));
      const shape = [1, ...block.map((k, a) => (a === i ? k : 1)), ...g.out.map((o, a) => (a === i ? o : 1))];
      return b.constant(tensorFrom('i32', shape, at));
    });
    const canvas = b.full(acc, [planes, ...image.map((d, i) => d + g.low[i]! + g.high[i]!)], 0);
    const columns = b.cast(b.reshape(x, [planes, ...block, ...g.out]), acc);
    const sums = b.scatter('add', canvas, columns, [{ axis: 0 }, ...image.map((_, i) => ({ index: i }))], places);
    const cropped = b.slice(sums, [0, ...g.low], [planes, ...image]);
    return [b.reshape(b.cast(cropped, x.dtype), [x.shape[0]!, channels, ...image])];
  },
};
