// Reference of pooling, of its inverse, and of Col2Im.
import { AnychipError } from '../core/error.ts';
import { dtypes, isFloat } from '../core/dtype.ts';
import { elementCount, formatShape, sameShape, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { bigintReader, createTensor, elementWriter, numberReader, tensorBytes, tensorFrom, toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { convOps } from '../graph/ops/conv.ts';
import { col2ImGeometry, resolveWindows, spatialOf, unpooledShape } from '../graph/ops/convGeometry.ts';
import type { WindowAttrs, WindowGeometry } from '../graph/ops/convGeometry.ts';
import type { EvaluateContext, Evaluations } from './evaluate.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import { forEachWindow, planesOf } from './windows.ts';
import type { Taps } from './windows.ts';

type PoolOp = Exclude<keyof typeof convOps, 'Conv' | 'ConvTranspose' | 'DeformConv' | 'CausalConvWithState'>;

/** One value per window and plane, from the elements of the window that lie on data. */
function pool(x: NumericTensor, attrs: WindowAttrs, context: EvaluateContext, combine: (values: readonly number[], taps: Taps) => number): readonly NumericTensor[] {
  const spatial = spatialOf(x.shape);
  const g = resolveWindows(spatial, attrs);
  const shape = [x.shape[0]!, x.shape[1]!, ...g.out];
  context.reserve(tensorBytes(x.dtype, shape));
  const y = createTensor(x.dtype, shape);
  const [read, write] = [numberReader(x), elementWriter(y)];
  const { count, size } = planesOf(x.shape);
  const outSize = elementCount(g.out);
  forEachWindow(spatial, g, (taps, position) => {
    for (let p = 0; p < count; p++) {
      const values = taps.input.map((i) => read(p * size + i));
      write(p * outSize + position, combine(values, taps));
    }
  });
  return [y];
}

/** One value per plane. */
function globalPool(x: NumericTensor, combine: (values: readonly number[]) => number): readonly NumericTensor[] {
  const spatial = spatialOf(x.shape);
  const { count, size } = planesOf(x.shape);
  const values = toNumbers(x);
  const pooled = Array.from({ length: count }, (_, p) => combine(values.slice(p * size, (p + 1) * size)));
  return [tensorFrom(x.dtype, [x.shape[0]!, x.shape[1]!, ...spatial.map(() => 1)], pooled)];
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const norm = (values: readonly number[], p: number): number => sum(values.map((v) => Math.abs(v) ** p)) ** (1 / p);

/** Position of the first maximum; NaN counts as one. -1 of nothing. */
function firstMaximum(values: readonly number[]): number {
  const nan = values.findIndex(Number.isNaN);
  return nan >= 0 ? nan : values.reduce((best, v, i) => (best < 0 || v > values[best]! ? i : best), -1);
}

/** Flat position within a plane when its first axis runs fastest (storage_order 1). */
function columnMajor(flat: number, spatial: Shape): number {
  const strides = stridesOf(spatial);
  let position = 0;
  for (let i = spatial.length - 1; i >= 0; i--) position = position * spatial[i]! + (Math.floor(flat / strides[i]!) % spatial[i]!);
  return position;
}

export const poolEvaluations: Evaluations<PoolOp> = {
  MaxPool({ attrs, outputs }, inputs, context) {
    const x = numericAt(inputs, 0);
    const lowest = isFloat(x.dtype) ? -Infinity : x.dtype === 'i8' ? -128 : 0;
    const [y] = pool(x, attrs, context, (values) => values[firstMaximum(values)] ?? lowest);
    if ((outputs[1] ?? null) === null) return [y!, null];
    const spatial = spatialOf(x.shape);
    const { count, size } = planesOf(x.shape);
    const indices = createTensor('i64', y!.shape);
    const [read, write] = [numberReader(x), elementWriter(indices)];
    const outSize = elementCount(y!.shape.slice(2));
    forEachWindow(spatial, resolveWindows(spatial, attrs), ({ input }, position) => {
      for (let p = 0; p < count; p++) {
        const at = input[firstMaximum(input.map((i) => read(p * size + i)))] ?? 0;
        write(p * outSize + position, p * size + (attrs.storage_order === 1 ? columnMajor(at, spatial) : at));
      }
    });
    return [y!, indices];
  },
  AveragePool({ attrs }, inputs, context) {
    return pool(numericAt(inputs, 0), attrs, context, (values, taps) => sum(values) / (attrs.count_include_pad === 1 ? taps.padded : values.length));
  },
  LpPool({ attrs }, inputs, context) {
    return pool(numericAt(inputs, 0), attrs, context, (values) => norm(values, attrs.p));
  },
  GlobalAveragePool: (_, inputs) => globalPool(numericAt(inputs, 0), (values) => sum(values) / values.length),
  GlobalMaxPool: (_, inputs) => globalPool(numericAt(inputs, 0), (values) => values[firstMaximum(values)] ?? -Infinity),
  GlobalLpPool: ({ attrs }, inputs) => globalPool(numericAt(inputs, 0), (values) => norm(values, attrs.p)),

  // Indices refer to the shape that kernel, strides and pads give; a larger output_shape adds zeros after each axis.
  MaxUnpool({ attrs }, inputs, context) {
    const [x, indices, wanted] = [numericAt(inputs, 0), numericAt(inputs, 1), optionalAt(inputs, 2)];
    const inferred = unpooledShape(x.shape, attrs);
    const shape = wanted === undefined ? inferred : toNumbers(wanted);
    if (!sameShape(indices.shape, x.shape)) throw new AnychipError('shape', `indices of shape ${formatShape(indices.shape)} for an input of shape ${formatShape(x.shape)}`);
    if (shape.length !== inferred.length || shape.some((d, i) => d < inferred[i]!)) {
      throw new AnychipError('shape', `output_shape ${formatShape(shape)} is smaller than ${formatShape(inferred)}`);
    }
    context.reserve(tensorBytes(x.dtype, shape));
    const y = createTensor(x.dtype, shape);
    const [read, index, write] = [numberReader(x), bigintReader(indices), elementWriter(y)];
    const [from, to] = [stridesOf(inferred), stridesOf(shape)];
    for (let i = 0; i < x.data.length; i++) {
      const at = Number(index(i));
      if (at < 0 || at >= elementCount(inferred)) throw new AnychipError('run', `index ${at} is outside ${formatShape(inferred)}`);
      const flat = from.reduce((n, stride, axis) => n + (Math.floor(at / stride) % inferred[axis]!) * to[axis]!, 0);
      write(flat, read(i));
    }
    return [y];
  },

  Col2Im({ attrs }, inputs, context) {
    const x = numericAt(inputs, 0);
    const image = toNumbers(numericAt(inputs, 1));
    const block = toNumbers(numericAt(inputs, 2));
    const g = col2ImGeometry(x.shape, image, block, attrs);
    const channels = x.shape[1]! / elementCount(block);
    const shape = [x.shape[0]!, channels, ...image];
    context.reserve(tensorBytes(x.dtype, shape) + 8 * elementCount(shape));
    const sums = dtypes[x.dtype].class === 'float' ? addColumns(x, image, g, numberReader(x), (a, b) => a + b, 0) : addColumns(x, image, g, bigintReader(x), (a, b) => a + b, 0n);
    return [tensorFrom(x.dtype, shape, sums)];
  },
};

/** Sums per element of the images, with every column added to the window that it belongs to. */
function addColumns<T>(x: NumericTensor, image: Shape, g: WindowGeometry, read: (i: number) => T, add: (a: T, b: T) => T, zero: T): readonly T[] {
  const taps = elementCount(g.kernel);
  const [planes, size, columns] = [(x.shape[0]! * x.shape[1]!) / taps, elementCount(image), x.shape[2]!];
  const sums = Array.from({ length: planes * size }, () => zero);
  forEachWindow(image, g, ({ kernel, input }, column) => {
    for (let p = 0; p < planes; p++) {
      for (let t = 0; t < kernel.length; t++) {
        const at = p * size + input[t]!;
        sums[at] = add(sums[at]!, read((p * taps + kernel[t]!) * columns + column));
      }
    }
  });
  return sums;
}
