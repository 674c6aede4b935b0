// Between the tensors of onnxruntime-common, which users hold, and ours. No copy where the memory can be shared.
import { Tensor as OrtTensor } from 'onnxruntime-common';
import { dtypes } from '../core/dtype.ts';
import type { DType, NumericArray, NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { elementCount } from '../core/shape.ts';
import { createTensor, stringTensor } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';

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
  const held = dtypes[dtype].viewArray(data.buffer, data.byteOffset, data.byteLength / dtypes[dtype].bytes);
  return { dtype, shape: dims, data: held.length === elementCount(dims) ? held : unpackNibbles(dtype, dims, held) };
}

/** onnxruntime-common may hold two 4-bit elements in a byte. */
function unpackNibbles(dtype: NumericDType, shape: readonly number[], packed: NumericArray): NumericArray {
  const { data } = createTensor(dtype, shape);
  for (let i = 0; i < data.length; i++) {
    const nibble = (Number(packed[i >> 1]) >> (4 * (i & 1))) & 15;
    data[i] = dtype === 'i4' && nibble > 7 ? nibble - 16 : nibble;
  }
  return data;
}

export function toOrt(value: Tensor, name: string): OrtTensor {
  const type = ortNames[value.dtype];
  if (type === undefined) {
    throw new AnychipError('unsupported', `output '${name}' is ${value.dtype}, which onnxruntime-common cannot hold`, {
      hint: 'Use session.runValues, which returns anychip tensors.',
    });
  }
  const { data, shape } = value;
  return data instanceof BigInt64Array || data instanceof BigUint64Array || ArrayBuffer.isView(data) ? new OrtTensor(type, data, shape) : new OrtTensor('string', [...data], shape);
}
