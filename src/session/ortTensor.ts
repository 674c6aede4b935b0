// Between the tensors of onnxruntime-common, which users hold, and ours. No copy where the memory can be shared.
import { Tensor as OrtTensor } from 'onnxruntime-common';
import { dtypes } from '../core/dtype.ts';
import type { DType, NumericArray, NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { formatShape, sameShape } from '../core/shape.ts';
import { createTensor, stringTensor } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';

/** bf16, f8 and 2-bit kinds have no name there: such tensors pass through `runValues` only. */
const ortNames: { readonly [D in DType]?: OrtTensor.Type } = {
  f32: 'float32',
  f64: 'float64',
  f16: 'float16',
  i64: 'int64',
  i32: 'int32',
  i16: 'int16',
  i8: 'int8',
  i4: 'int4',
  u64: 'uint64',
  u32: 'uint32',
  u16: 'uint16',
  u8: 'uint8',
  u4: 'uint4',
  bool: 'bool',
  string: 'string',
};
const numericDTypes: ReadonlyMap<string, NumericDType> = new Map(Object.keys(ortNames).flatMap((dtype) => (isNumericDType(dtype) ? [[ortNames[dtype]!, dtype] as const] : [])));
function isNumericDType(name: string): name is NumericDType {
  return name in dtypes && name !== 'string';
}

/** onnxruntime-common's name of a dtype; undefined where it has none. */
export const ortName = (dtype: DType): OrtTensor.Type | undefined => ortNames[dtype];

/** The same memory in the class of arrays that holds a dtype here. */
const heldAs = (dtype: NumericDType, { buffer, byteOffset, byteLength }: ArrayBufferView): NumericArray =>
  dtypes[dtype].viewArray(buffer, byteOffset, byteLength / dtypes[dtype].bytes);

export function fromOrt(tensor: OrtTensor, name: string): Tensor {
  if (!(tensor instanceof OrtTensor) && (typeof tensor !== 'object' || tensor === null || !('dims' in tensor))) {
    throw new AnychipError('bad-argument', `input '${name}' is not a Tensor`, { hint: "Feeds are tensors: new Tensor('float32', data, dims)." });
  }
  if (tensor.location !== 'cpu') {
    throw new AnychipError('unsupported', `input '${name}' lies in ${tensor.location} memory`, { hint: 'Download it first with getData().' });
  }
  const { data } = tensor;
  const dims = [...tensor.dims];
  if (!ArrayBuffer.isView(data)) return stringTensor(dims, Array.from(data, String));
  const dtype = numericDTypes.get(tensor.type);
  if (dtype === undefined) throw new AnychipError('unsupported', `input '${name}' has the type ${tensor.type}`);
  const held = heldAs(dtype, data);
  return { dtype, shape: dims, data: dtypes[dtype].bits === 4 ? fromNibbles(dtype, dims, held) : held };
}

/** A tensor that a caller gave for an output as memory to write to; undefined where its elements are held in another way there. */
export function destinationOf(tensor: OrtTensor | undefined): NumericTensor | undefined {
  const dtype = tensor?.location === 'cpu' ? numericDTypes.get(tensor.type) : undefined;
  if (tensor === undefined || dtype === undefined || !ArrayBuffer.isView(tensor.data)) return undefined;
  const { bits, bytes } = dtypes[dtype];
  if (bits === 4 || tensor.data.byteOffset % bytes !== 0) return undefined;
  return { dtype, shape: [...tensor.dims], data: heldAs(dtype, tensor.data) };
}

/** Elements of 4 bits: onnxruntime-common takes one a byte, or two, the first in the low half. */
function fromNibbles(dtype: NumericDType, shape: readonly number[], given: NumericArray): NumericArray {
  const { data } = createTensor(dtype, shape);
  const isPacked = given.length !== data.length;
  for (let i = 0; i < data.length; i++) {
    const nibble = (isPacked ? Number(given[i >> 1]) >> (4 * (i & 1)) : Number(given[i])) & 15;
    data[i] = dtype === 'i4' && nibble > 7 ? nibble - 16 : nibble;
  }
  return data;
}

function toNibbles(values: NumericArray): Uint8Array {
  const packed = new Uint8Array(Math.ceil(values.length / 2));
  values.forEach((value: number | bigint, i: number) => void (packed[i >> 1]! |= (Number(value) & 15) << (4 * (i & 1))));
  return packed;
}

/** The value as a tensor of onnxruntime-common; written into `into` where the caller gave one, which must fit. */
export function toOrt(value: Tensor, name: string, into?: OrtTensor): OrtTensor {
  const type = ortNames[value.dtype];
  if (type === undefined) {
    throw new AnychipError('unsupported', `output '${name}' is ${value.dtype}, which onnxruntime-common cannot hold`, {
      hint: 'Use session.runValues, which returns anychip tensors.',
    });
  }
  if (value.dtype === 'string') return into === undefined ? new OrtTensor('string', [...value.data], value.shape) : writeInto(into, type, value, value.data, name);
  const data = dtypes[value.dtype].bits === 4 ? toNibbles(value.data) : value.data;
  return into === undefined ? new OrtTensor(type, data, value.shape) : writeInto(into, type, value, data, name);
}

function writeInto(into: OrtTensor, type: OrtTensor.Type, { shape }: Tensor, data: NumericArray | readonly string[], name: string): OrtTensor {
  const held = into.data;
  if (into.type !== type || !sameShape(into.dims, shape) || held.length !== data.length) {
    throw new AnychipError('bad-argument', `the tensor given for output '${name}' is ${into.type} ${formatShape(into.dims)}, the output is ${type} ${formatShape(shape)}`, {
      hint: 'Give a tensor of that type and shape, or none.',
    });
  }
  if (isSameMemory(held, data)) return into;
  // Bytes, not values: half floats may be held in arrays of another class.
  if (ArrayBuffer.isView(held) && ArrayBuffer.isView(data)) {
    new Uint8Array(held.buffer, held.byteOffset, held.byteLength).set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  } else if (!ArrayBuffer.isView(held) && !ArrayBuffer.isView(data)) data.forEach((text, i) => void (held[i] = text));
  return into;
}

const isSameMemory = (a: unknown, b: unknown): boolean => ArrayBuffer.isView(a) && ArrayBuffer.isView(b) && a.buffer === b.buffer && a.byteOffset === b.byteOffset;
