// Host tensors: plain data, row-major, contiguous. Elements are read and written as numbers, bigints or strings whatever the storage.
import { dtypes } from './dtype.ts';
import type { DType, NumericArray, NumericDType } from './dtype.ts';
import { uninitializedMemory } from './environment.ts';
import { AnychipError, invariant } from './error.ts';
import { spendMemory } from './memoryBudget.ts';
import { decodeE8M0, decodeFloat, encodeE8M0, encodeFloat, isSmallFloat } from './float.ts';
import { elementCount, formatShape } from './shape.ts';
import type { Shape } from './shape.ts';

export interface NumericTensor {
  readonly dtype: NumericDType;
  readonly shape: Shape;
  /** As `dtypes[dtype]` holds it: raw bits for f16 and smaller floats, one byte per element for i4/u4, 0/1 for bool. */
  readonly data: NumericArray;
}
export interface StringTensor {
  readonly dtype: 'string';
  readonly shape: Shape;
  readonly data: readonly string[];
}
export type Tensor = NumericTensor | StringTensor;

/** A tensor of zeros. Throws `limit` where memory may not, or cannot, hold it. */
export const createTensor = (dtype: NumericDType, shape: Shape): NumericTensor => allocate(dtype, shape, dtypes[dtype].createArray);

/** A tensor that is to be written as a whole: what it holds until then is whatever lay there, where the platform gives such memory. */
export const uninitializedTensor = (dtype: NumericDType, shape: Shape): NumericTensor => allocate(dtype, shape, (count) => uninitializedArray(dtype, count));

/** Bytes from which zeros cost more than another way to ask for memory. */
const MANY_BYTES = 1 << 16;
function uninitializedArray(dtype: NumericDType, count: number): NumericArray {
  const { bytes, createArray, viewArray } = dtypes[dtype];
  const memory = count * bytes < MANY_BYTES ? undefined : uninitializedMemory(count * bytes);
  return memory === undefined ? createArray(count) : viewArray(memory, 0, count);
}

function allocate(dtype: NumericDType, shape: Shape, arrayOf: (count: number) => NumericArray): NumericTensor {
  const count = elementCount(shape);
  if (!shape.every((d) => Number.isInteger(d) && d >= 0))
    throw new AnychipError('shape', `a tensor of shape ${formatShape(shape)}`, { hint: 'Dimensions are whole numbers that are not negative.' });
  spendMemory(count * dtypes[dtype].bytes);
  try {
    return { dtype, shape, data: arrayOf(count) };
  } catch (cause) {
    throw new AnychipError('limit', `no memory for ${count} elements of ${dtype}`, { hint: 'Use smaller inputs, or a machine with more memory.', facts: { shape }, cause });
  }
}

export const stringTensor = (shape: Shape, data: readonly string[]): StringTensor => ({ dtype: 'string', shape, data });

/** A tensor over existing data; the length must be that of the shape. */
export function tensorOf(dtype: NumericDType, shape: Shape, data: NumericArray): NumericTensor {
  invariant(data.length === elementCount(shape), `${data.length} elements for shape ${formatShape(shape)}`);
  return { dtype, shape, data };
}

/** A tensor from numbers or bigints, each converted and rounded to `dtype`. */
export function tensorFrom(dtype: NumericDType, shape: Shape, values: ArrayLike<number | bigint>): NumericTensor {
  const tensor = createTensor(dtype, shape);
  invariant(values.length === tensor.data.length, `${values.length} values for shape ${formatShape(shape)}`);
  const write = elementWriter(tensor);
  for (let i = 0; i < values.length; i++) write(i, values[i]!);
  return tensor;
}

/** A tensor whose elements are all `value`. */
export function filledTensor(dtype: NumericDType, shape: Shape, value: number | bigint): NumericTensor {
  const tensor = createTensor(dtype, shape);
  const write = elementWriter(tensor);
  for (let i = 0; i < tensor.data.length; i++) write(i, value);
  return tensor;
}

export const scalar = (dtype: NumericDType, value: number | bigint): NumericTensor => tensorFrom(dtype, [], [value]);
export const intTensor = (values: readonly number[], shape: Shape = [values.length]): NumericTensor => tensorFrom('i64', shape, values);

export function numeric(tensor: Tensor): NumericTensor {
  if (tensor.dtype === 'string') throw new AnychipError('shape', 'a string tensor where numbers are needed');
  return tensor;
}

/** The raw bytes, little-endian, without a copy. */
export const bytesOf = (tensor: NumericTensor): Uint8Array => new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength);

/** Element `i` as a JavaScript number (64-bit integers lose precision beyond 2^53; use `bigintReader` for them). */
export function numberReader(tensor: NumericTensor): (i: number) => number {
  const { data, dtype } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return (i) => Number(data[i]!);
  if (dtype === 'f8e8m0') return (i) => decodeE8M0(data[i]!);
  if (isSmallFloat(dtype)) return (i) => decodeFloat(dtype, data[i]!);
  return (i) => data[i]!;
}

/** Element `i` of an integer or bool tensor as a bigint. */
export function bigintReader(tensor: NumericTensor): (i: number) => bigint {
  const { data } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return (i) => data[i]!;
  return (i) => BigInt(Math.trunc(data[i]!));
}

/** Writes with the conversion of a C cast: floats round to the format, integers wrap modulo 2^bits. */
export function elementWriter(tensor: NumericTensor): (i: number, value: number | bigint) => void {
  const { data, dtype } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return (i, value) => {
      data[i] = typeof value === 'bigint' ? value : Number.isFinite(value) ? BigInt(Math.trunc(value)) : 0n;
    };
  }
  if (isSmallFloat(dtype)) return (i, value) => void (data[i] = encodeFloat(dtype, Number(value)));
  if (dtype === 'f8e8m0') return (i, value) => void (data[i] = encodeE8M0(Number(value), 'nearest'));
  if (dtype === 'bool') return (i, value) => void (data[i] = Number(value) === 0 ? 0 : 1);
  const bits = dtypes[dtype].bits;
  if (bits < 8) {
    const drop = 32 - bits;
    const wrap = dtypes[dtype].class === 'int' ? (x: number) => (x << drop) >> drop : (x: number) => (x << drop) >>> drop;
    return (i, value) => void (data[i] = wrap(typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value));
  }
  if (dtypes[dtype].class === 'float') return (i, value) => void (data[i] = Number(value));
  return (i, value) => void (data[i] = typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value);
}

/** Longest list that is made of a tensor: a JavaScript array far beyond it ends the process. */
const LONGEST_LIST = 2 ** 27;

/** All elements as numbers. Throws `limit` where there are too many for a list. */
export function toNumbers(tensor: Tensor): number[] {
  const read = numberReader(numeric(tensor));
  if (tensor.data.length > LONGEST_LIST)
    throw new AnychipError('limit', `${tensor.data.length} elements as a list, over the limit of ${LONGEST_LIST}`, {
      hint: 'Run the model on a device; the reference is for smaller tensors.',
    });
  spendMemory(tensor.data.length * LIST_ELEMENT_BYTES);
  return Array.from({ length: tensor.data.length }, (_, i) => read(i));
}

/** All strings of a string tensor. */
export function toStrings(tensor: Tensor): readonly string[] {
  if (tensor.dtype !== 'string') throw new AnychipError('shape', `a ${tensor.dtype} tensor where strings are needed`);
  return tensor.data;
}

/** The same data under another shape with the same number of elements. */
export function reshaped<T extends Tensor>(tensor: T, shape: Shape): T {
  invariant(elementCount(shape) === tensor.data.length, `cannot view ${tensor.data.length} elements as ${formatShape(shape)}`);
  return { ...tensor, shape };
}

/** Bytes of the tensor in memory (of strings, without their characters). */
export function tensorBytes(dtype: DType, shape: Shape): number {
  return elementCount(shape) * (dtype === 'string' ? STRING_BYTES : dtypes[dtype].bytes);
}
const STRING_BYTES = 16;
const LIST_ELEMENT_BYTES = 8;
