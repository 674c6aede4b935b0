// Decompositions of the indexing family: gathers and scatters name where each coordinate comes from.
import { intTensor, toNumbers } from '../../core/tensor.ts';
import { AnychipError } from '../../core/error.ts';
import { elementCount } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { indexingOps } from '../../graph/ops/indexing.ts';
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
} from '../../graph/ops/indexingGeometry.ts';
import { inputAt, numbersOf } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { along, sliceAxis } from './views.ts';

/** `x` with axes of one element before and after, to be broadcast over an iteration shape. */
const spreadOver = (b: Builder, x: Operand, before: number, rank: number): Operand =>
  b.reshape(x, [...Array.from({ length: before }, () => 1), ...x.shape, ...Array.from({ length: rank - before - x.shape.length }, () => 1)]);

/** The coordinates of each axis that tuples along the last axis of `indices` hold. */
function coordinates(b: Builder, indices: Operand, width: number, shape: Shape): Operand[] {
  const last = indices.shape.length - 1;
  return Array.from({ length: width }, (_, i) => {
    const column = b.reshape(sliceAxis(b, indices, last, i, 1), indices.shape.slice(0, -1));
    return spreadOver(b, column, 0, shape.length);
  });
}

const single = (b: Builder, x: Operand): number => {
  const [value] = numbersOf(b, x);
  if (value === undefined || elementCount(x.shape) !== 1) throw new AnychipError('shape', `one number is needed, not ${elementCount(x.shape)}`);
  return value;
};

export const indexingLowerings: Lowerings<keyof typeof indexingOps> = {
  Gather(b, { attrs }, inputs) {
    const [data, indices] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const { axis, shape, sources } = gatherPicking(data.shape, indices.shape, attrs.axis);
    const constant = b.valueOf(indices);
    if (constant !== undefined && elementCount(indices.shape) === 1) {
      // One known position is a view.
      const at = toNumbers(constant)[0]!;
      const start = at < 0 ? at + data.shape[axis]! : at;
      if (start >= 0 && start < data.shape[axis]!) return [b.reshape(sliceAxis(b, data, axis, start, 1), shape)];
    }
    return [b.gather(data, sources, [spreadOver(b, indices, axis, shape.length)], shape)];
  },
  GatherElements(b, { attrs }, inputs) {
    const [data, indices] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const { shape, sources } = elementsPicking(data.shape, indices.shape, attrs.axis);
    return [b.gather(data, sources, [indices], shape)];
  },
  GatherND(b, { attrs }, inputs) {
    const [data, indices] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const { width, shape, sources } = tuplePicking(data.shape, indices.shape, attrs.batch_dims);
    return [b.gather(data, sources, coordinates(b, indices, width, shape), shape)];
  },
  ScatterElements(b, { attrs }, inputs) {
    const [data, indices, updates] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2)];
    const { shape, sources } = elementsPicking(data.shape, indices.shape, attrs.axis);
    checkUpdates(updates.shape, shape);
    return [b.scatter(scatterFn(attrs.reduction), data, updates, sources, [indices])];
  },
  ScatterND(b, { attrs }, inputs) {
    const [data, indices, updates] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2)];
    const { width, shape, sources } = tuplePicking(data.shape, indices.shape, 0);
    checkUpdates(updates.shape, shape);
    return [b.scatter(scatterFn(attrs.reduction), data, updates, sources, coordinates(b, indices, width, shape))];
  },
  TensorScatter(b, { attrs }, inputs) {
    const [cache, update, indices] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2] ?? null];
    const { axis, isCircular } = cacheGeometry(cache.shape, update.shape, indices?.shape, attrs);
    const rank = cache.shape.length;
    const steps = along(b, b.iota('i64', [update.shape[axis]!], 0), axis, rank);
    const first = indices === null ? undefined : along(b, b.cast(indices, 'i64'), 0, rank);
    const linear = first === undefined ? steps : b.add(first, steps);
    const at = isCircular ? b.mod(linear, b.scalar('i64', BigInt(cache.shape[axis]!))) : linear;
    const sources = cache.shape.map((_, i) => (i === axis ? { index: 0 } : { axis: i }));
    return [b.scatter('replace', cache, update, sources, [at])];
  },
  OneHot(b, { attrs }, inputs) {
    const [indices, values] = [inputAt(inputs, 0), inputAt(inputs, 2)];
    const depth = single(b, inputAt(inputs, 1));
    const { axis, shape } = oneHotGeometry(indices.shape, depth, attrs.axis);
    const at = b.reshape(b.cast(indices, 'i64'), indices.shape.toSpliced(axis, 0, 1));
    const zero = b.scalar('i64', 0n);
    const counted = b.where(b.lt(at, zero), b.add(at, b.scalar('i64', BigInt(depth))), at);
    const isHot = b.expand(b.eq(counted, along(b, b.iota('i64', [depth], 0), axis, shape.length)), shape);
    const value = (i: number): Operand => b.reshape(sliceAxis(b, values, 0, i, 1), []);
    return [b.where(isHot, value(1), value(0))];
  },
  TopK(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const k = single(b, inputAt(inputs, 1));
    const { axis } = topKGeometry(x.shape, k, attrs.axis);
    return b.topK(x, axis, k, attrs.largest !== 0);
  },
  NonZero: 'host',
  Compress(b, { attrs }, inputs) {
    const [x, condition] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const { axis, kept } = compressGeometry(
      x.shape,
      numbersOf(b, condition).map((v) => v !== 0),
      attrs.axis,
    );
    const data = axis === undefined ? b.reshape(x, [elementCount(x.shape)]) : x;
    const { sources, shape } = gatherPicking(data.shape, [kept.length], axis ?? 0);
    return [b.gather(data, sources, [spreadOver(b, b.constant(intTensor(kept)), axis ?? 0, shape.length)], shape)];
  },
  Unique: 'host',
  NonMaxSuppression: 'host',
};
