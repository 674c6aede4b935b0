// Reference of the views and sources: elements move, values do not change. All are gathers of raw elements by flat index.
import { elementCount, forEachIndex, stridesOf } from '../../core/shape.ts';
import { bigintReader, createTensor, elementWriter, filledTensor, numberReader } from '../../core/tensor.ts';
import type { NumericTensor } from '../../core/tensor.ts';
import { AnychipError } from '../../core/error.ts';
import { wordLayouts } from '../../core/words.ts';
import { numericAt } from '../evaluate.ts';
import type { Evaluations } from '../evaluate.ts';
import { broadcastOffsets, stridedOffsets } from './elementwise.ts';

type Views = 'iota' | 'reshape' | 'transpose' | 'expand' | 'slice' | 'pad' | 'window' | 'words' | 'concat';

/** Raw elements of `x` at `offsets`, as `shape`. */
export function pick(x: NumericTensor, offsets: Uint32Array, shape: readonly number[]): NumericTensor {
  const out = createTensor(x.dtype, shape);
  for (let i = 0; i < offsets.length; i++) out.data[i] = x.data[offsets[i]!]!;
  return out;
}

/** Writes `x` into `out` with its first element at `start` and the strides of `out`. */
function place(x: NumericTensor, out: NumericTensor, start: number): void {
  const offsets = stridedOffsets(x.shape, stridesOf(out.shape), start);
  for (let i = 0; i < offsets.length; i++) out.data[offsets[i]!] = x.data[i]!;
}

export const views: Evaluations<Views> = {
  iota: ({ attrs: { dtype, shape, axis } }) => {
    if (dtype === 'string') throw new AnychipError('shape', 'an iota of strings');
    const out = createTensor(dtype, shape);
    const write = elementWriter(out);
    forEachIndex(shape, (index, flat) => write(flat, index[axis]!));
    return [out];
  },
  reshape: ({ attrs: { shape } }, inputs) => [{ ...numericAt(inputs, 0), shape }],
  transpose: ({ attrs: { perm } }, inputs) => {
    const x = numericAt(inputs, 0);
    const strides = stridesOf(x.shape);
    const shape = perm.map((p) => x.shape[p]!);
    return [
      pick(
        x,
        stridedOffsets(
          shape,
          perm.map((p) => strides[p]!),
          0,
        ),
        shape,
      ),
    ];
  },
  expand: ({ attrs: { shape } }, inputs) => {
    const x = numericAt(inputs, 0);
    const offsets = broadcastOffsets(x.shape, shape);
    return [offsets === undefined ? x : pick(x, offsets, shape)];
  },
  slice: ({ attrs: { starts, sizes, steps } }, inputs) => {
    const x = numericAt(inputs, 0);
    if (elementCount(sizes) === 0) return [createTensor(x.dtype, sizes)];
    const strides = stridesOf(x.shape);
    const start = starts.reduce((sum, s, i) => sum + s * strides[i]!, 0);
    // Offsets are taken modulo 2^32, so negative strides come out right.
    return [
      pick(
        x,
        stridedOffsets(
          sizes,
          strides.map((s, i) => s * steps[i]!),
          start,
        ),
        sizes,
      ),
    ];
  },
  pad: ({ attrs: { low, high } }, inputs) => {
    const x = numericAt(inputs, 0);
    const value = numericAt(inputs, 1);
    const out = filledTensor(
      x.dtype,
      x.shape.map((d, i) => d + low[i]! + high[i]!),
      value.data instanceof BigInt64Array || value.data instanceof BigUint64Array ? bigintReader(value)(0) : numberReader(value)(0),
    );
    const strides = stridesOf(out.shape);
    place(
      x,
      out,
      low.reduce((sum, l, i) => sum + l * strides[i]!, 0),
    );
    return [out];
  },
  window: ({ attrs: { windows } }, inputs) => {
    const x = numericAt(inputs, 0);
    const own = stridesOf(x.shape);
    const shape = [...x.shape];
    const strides = [...own];
    for (const { axis, size, stride, dilation } of windows) {
      shape[axis] = Math.floor((x.shape[axis]! - (size - 1) * dilation - 1) / stride) + 1;
      strides[axis] = own[axis]! * stride;
      shape.push(size);
      strides.push(own[axis]! * dilation);
    }
    return [pick(x, stridedOffsets(shape, strides, 0), shape)];
  },
  words: ({ attrs: { parts, axis } }, inputs) => {
    const x = numericAt(inputs, 0);
    const { count, bits } = wordLayouts[parts];
    const shape = x.shape.map((d, i) => (i === axis ? d / count : d));
    const strides = stridesOf(x.shape);
    const out = createTensor('i32', shape);
    for (let part = 0; part < count; part++) {
      const offsets = stridedOffsets(
        shape,
        strides.map((s, i) => (i === axis ? s * count : s)),
        part * strides[axis]!,
      );
      for (let i = 0; i < out.data.length; i++) out.data[i] = Number(out.data[i]!) | ((Number(x.data[offsets[i]!]!) & (2 ** bits - 1)) << (part * bits));
    }
    return [out];
  },
  concat: ({ attrs: { axis } }, inputs) => {
    const parts = inputs.map((_, i) => numericAt(inputs, i));
    const first = parts[0]!;
    const out = createTensor(
      first.dtype,
      first.shape.map((d, i) => (i === axis ? parts.reduce((n, t) => n + t.shape[axis]!, 0) : d)),
    );
    const stride = stridesOf(out.shape)[axis]!;
    let start = 0;
    for (const part of parts) {
      place(part, out, start);
      start += part.shape[axis]! * stride;
    }
    return [out];
  },
};
