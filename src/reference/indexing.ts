// Reference of the indexing family: each element of a result is fetched from where the specification says it comes from.
import { AnychipError } from '../core/error.ts';
import { dtypes } from '../core/dtype.ts';
import { elementCount, forEachIndex, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { bigintReader, createTensor, elementWriter, intTensor, numberReader, stringTensor, tensorBytes, toNumbers } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';
import type { indexingOps } from '../graph/ops/indexing.ts';
import {
  cacheGeometry,
  checkUpdates,
  compressGeometry,
  elementsPicking,
  gatherPicking,
  oneHotGeometry,
  scatterFn,
  topKGeometry,
  tuplePicking,
} from '../graph/ops/indexingGeometry.ts';
import type { ScatterFn } from '../graph/prims.ts';
import { clampedInts, numericAt, tensorAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';
import { moveElements } from './moves.ts';
import { selectBoxes } from './suppression.ts';
import { uniqueOf } from './unique.ts';

/** A coordinate in [0, size) from one in [−size, size). */
function coordinate(given: number, size: number): number {
  const at = given < 0 ? given + size : given;
  if (!(Number.isInteger(at) && at >= 0 && at < size))
    throw new AnychipError('run', `index ${given} is outside an axis of ${size} elements`, { hint: 'Check the indices that are fed or computed.' });
  return at;
}

/** The flat position of an index tuple. */
const flatAt = (index: readonly number[], strides: readonly number[]): number => index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0);

/** Whether element `i` counts as true. */
function isSetIn(x: Tensor): (i: number) => boolean {
  if (x.dtype === 'string') return (i) => x.data[i] !== '';
  const read = numberReader(x);
  return (i) => read(i) !== 0;
}

type Combine = <T extends number | bigint>(held: T, update: T) => T;
/** NaN wins in min and max, as NumPy has it. */
const least: Combine = (a, b) => (a < b || a !== a ? a : b);
const greatest: Combine = (a, b) => (a > b || a !== a ? a : b);
const wideCombine: { readonly [F in ScatterFn]: (held: bigint, update: bigint) => bigint } = {
  replace: (_, u) => u,
  add: (h, u) => h + u,
  mul: (h, u) => h * u,
  min: least,
  max: greatest,
};
const combine: { readonly [F in ScatterFn]: (held: number, update: number) => number } = {
  replace: (_, u) => u,
  add: (h, u) => h + u,
  mul: (h, u) => h * u,
  min: least,
  max: greatest,
};

/** `data` with each update combined, in row-major order of the updates, into the element that `target` names. */
function scattered(data: Tensor, updates: Tensor, fn: ScatterFn, target: (index: readonly number[]) => number): Tensor {
  if (data.dtype === 'string' || updates.dtype === 'string') {
    if (fn !== 'replace' || data.dtype !== 'string' || updates.dtype !== 'string') throw new AnychipError('shape', `strings scattered with '${fn}'`);
    const items = [...data.data];
    forEachIndex(updates.shape, (index, flat) => void (items[target(index)] = updates.data[flat]!));
    return stringTensor(data.shape, items);
  }
  const out: NumericTensor = { ...data, data: data.data.slice() };
  const write = elementWriter(out);
  if (dtypes[data.dtype].held === 'bigint') {
    const [held, read, apply] = [bigintReader(out), bigintReader(updates), wideCombine[fn]];
    forEachIndex(updates.shape, (index, flat) => {
      const at = target(index);
      write(at, apply(held(at), read(flat)));
    });
  } else {
    const [held, read, apply] = [numberReader(out), numberReader(updates), combine[fn]];
    forEachIndex(updates.shape, (index, flat) => {
      const at = target(index);
      write(at, apply(held(at), read(flat)));
    });
  }
  return out;
}

/** For tuples along the last axis of `indices`: the data position that the iteration position `index` names. */
function tupleTarget(data: Shape, indices: NumericTensor, batch: number, width: number): (index: readonly number[]) => number {
  const read = numberReader(indices);
  const [strides, outer] = [stridesOf(data), stridesOf(indices.shape)];
  const lead = indices.shape.length - 1;
  return (index) => {
    const start = flatAt(index.slice(0, lead), outer);
    const tuple = Array.from({ length: width }, (_, i) => coordinate(read(start + i), data[batch + i]!));
    return flatAt([...index.slice(0, batch), ...tuple, ...index.slice(lead)], strides);
  };
}

/** For indices of the iteration shape itself: the coordinate along `axis` is read. */
function elementTarget(data: Shape, indices: NumericTensor, axis: number): (index: readonly number[]) => number {
  const read = numberReader(indices);
  const [strides, own] = [stridesOf(data), stridesOf(indices.shape)];
  return (index) => flatAt(index.with(axis, coordinate(read(flatAt(index, own)), data[axis]!)), strides);
}

/** Orders positions by value, best first, earlier positions first among equals; NaN counts as largest. */
function ranking(x: NumericTensor, largest: boolean): (a: number, b: number) => number {
  const sign = largest ? -1 : 1;
  if (dtypes[x.dtype].held === 'bigint') {
    const read = bigintReader(x);
    return (a, b) => (read(a) === read(b) ? a - b : (read(a) < read(b) ? -1 : 1) * sign);
  }
  const read = numberReader(x);
  const order = (a: number, b: number): number => (Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : a - b);
  return (a, b) => order(read(a), read(b)) * sign || a - b;
}

export const indexingEvaluations: Evaluations<keyof typeof indexingOps> = {
  Gather: ({ attrs }, inputs, context) => {
    const [data, indices] = [tensorAt(inputs, 0), numericAt(inputs, 1)];
    const { axis, shape } = gatherPicking(data.shape, indices.shape, attrs.axis);
    context.reserve(tensorBytes(data.dtype, shape));
    const read = numberReader(indices);
    const [strides, own] = [stridesOf(data.shape), stridesOf(indices.shape)];
    const end = axis + indices.shape.length;
    return [
      moveElements(data, shape, (index) => {
        const at = coordinate(read(flatAt(index.slice(axis, end), own)), data.shape[axis]!);
        return flatAt([...index.slice(0, axis), at, ...index.slice(end)], strides);
      }),
    ];
  },
  GatherElements: ({ attrs }, inputs) => {
    const [data, indices] = [tensorAt(inputs, 0), numericAt(inputs, 1)];
    const { axis, shape } = elementsPicking(data.shape, indices.shape, attrs.axis);
    return [moveElements(data, shape, elementTarget(data.shape, indices, axis))];
  },
  GatherND: ({ attrs }, inputs, context) => {
    const [data, indices] = [tensorAt(inputs, 0), numericAt(inputs, 1)];
    const { width, shape } = tuplePicking(data.shape, indices.shape, attrs.batch_dims);
    context.reserve(tensorBytes(data.dtype, shape));
    return [moveElements(data, shape, tupleTarget(data.shape, indices, attrs.batch_dims, width))];
  },
  ScatterElements: ({ attrs }, inputs) => {
    const [data, indices, updates] = [tensorAt(inputs, 0), numericAt(inputs, 1), tensorAt(inputs, 2)];
    const { axis, shape } = elementsPicking(data.shape, indices.shape, attrs.axis);
    checkUpdates(updates.shape, shape);
    return [scattered(data, updates, scatterFn(attrs.reduction), elementTarget(data.shape, indices, axis))];
  },
  ScatterND: ({ attrs }, inputs) => {
    const [data, indices, updates] = [tensorAt(inputs, 0), numericAt(inputs, 1), tensorAt(inputs, 2)];
    const { width, shape } = tuplePicking(data.shape, indices.shape, 0);
    checkUpdates(updates.shape, shape);
    return [scattered(data, updates, scatterFn(attrs.reduction), tupleTarget(data.shape, indices, 0, width))];
  },
  TensorScatter: ({ attrs }, inputs) => {
    const [cache, update] = [tensorAt(inputs, 0), tensorAt(inputs, 1)];
    const starts = (inputs[2] ?? null) === null ? undefined : numericAt(inputs, 2);
    const { axis, isCircular } = cacheGeometry(cache.shape, update.shape, starts?.shape, attrs);
    const [first, strides, size] = [starts === undefined ? [] : clampedInts(starts), stridesOf(cache.shape), cache.shape[axis]!];
    return [
      scattered(cache, update, 'replace', (index) => {
        const at = (first[index[0]!] ?? 0) + index[axis]!;
        return flatAt(index.with(axis, isCircular ? ((at % size) + size) % size : coordinate(at, size)), strides);
      }),
    ];
  },
  OneHot: ({ attrs }, inputs, context) => {
    const [indices, values] = [numericAt(inputs, 0), tensorAt(inputs, 2)];
    const depth = Math.trunc(toNumbers(numericAt(inputs, 1))[0] ?? NaN);
    const { axis, shape } = oneHotGeometry(indices.shape, depth, attrs.axis);
    context.reserve(tensorBytes(values.dtype, shape));
    const read = numberReader(indices);
    const strides = stridesOf(indices.shape);
    return [
      moveElements(values, shape, (index) => {
        const given = Math.trunc(read(flatAt(index.toSpliced(axis, 1), strides)));
        return (given < 0 ? given + depth : given) === index[axis] ? 1 : 0;
      }),
    ];
  },
  TopK: ({ attrs }, inputs) => {
    const x = numericAt(inputs, 0);
    const k = clampedInts(numericAt(inputs, 1))[0] ?? 0;
    const { axis, shape } = topKGeometry(x.shape, k, attrs.axis);
    const [strides, outStrides, compare] = [stridesOf(x.shape), stridesOf(shape), ranking(x, attrs.largest !== 0)];
    const [values, places] = [createTensor(x.dtype, shape), createTensor('i64', shape)];
    const writePlace = elementWriter(places);
    forEachIndex(x.shape.with(axis, Math.min(1, k)), (index) => {
      const start = flatAt(index, strides);
      const line = Array.from({ length: x.shape[axis]! }, (_, i) => start + i * strides[axis]!).sort(compare);
      const target = flatAt(index, outStrides);
      for (let i = 0; i < k; i++) {
        const at = target + i * outStrides[axis]!;
        values.data[at] = x.data[line[i]!]!;
        writePlace(at, (line[i]! - start) / strides[axis]!);
      }
    });
    return [values, places];
  },
  NonZero: (_, inputs) => {
    const x = tensorAt(inputs, 0);
    const isSet = isSetIn(x);
    // A scalar counts as a vector of one.
    const shape = x.shape.length === 0 ? [1] : x.shape;
    const found: number[] = [];
    for (let flat = 0, count = elementCount(shape); flat < count; flat++) if (isSet(flat)) found.push(flat);
    const places = createTensor('i64', [shape.length, found.length]);
    const write = elementWriter(places);
    for (const [axis, stride] of stridesOf(shape).entries()) {
      for (let k = 0; k < found.length; k++) write(axis * found.length + k, Math.floor(found[k]! / stride) % shape[axis]!);
    }
    return [places];
  },
  Compress: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const { axis, kept } = compressGeometry(
      x.shape,
      toNumbers(numericAt(inputs, 1)).map((v) => v !== 0),
      attrs.axis,
    );
    if (axis === undefined) return [moveElements(x, [kept.length], ([i]) => kept[i!]!)];
    const strides = stridesOf(x.shape);
    return [moveElements(x, x.shape.with(axis, kept.length), (index) => flatAt(index.with(axis, kept[index[axis]!]!), strides))];
  },
  Unique: ({ attrs }, inputs) => uniqueOf(tensorAt(inputs, 0), attrs.axis, attrs.sorted !== 0),
  NonMaxSuppression: ({ attrs }, inputs) => {
    const option = (i: number): number => ((inputs[i] ?? null) === null ? 0 : (toNumbers(numericAt(inputs, i))[0] ?? 0));
    const scoreThreshold = (inputs[4] ?? null) === null ? -Infinity : option(4);
    const limits = { perClass: option(2), iou: option(3), score: scoreThreshold };
    const chosen = selectBoxes(numericAt(inputs, 0), numericAt(inputs, 1), limits, attrs.center_point_box !== 0);
    return [intTensor(chosen.flat(), [chosen.length, 3])];
  },
};
