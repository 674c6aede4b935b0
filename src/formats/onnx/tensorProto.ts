// TensorProto to tensors and back, in every encoding ONNX has, with all sizes checked before anything is allocated.
// Also the values of test data: sequences, optionals and maps. Source: ONNX IR specification, onnx.proto.
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError, within } from '../../core/error.ts';
import { formatShape } from '../../core/shape.ts';
import { storedIn } from '../../core/stored.ts';
import type { Stored } from '../../core/stored.ts';
import { bytesOf, createTensor, elementWriter, intTensor, stringTensor } from '../../core/tensor.ts';
import type { NumericTensor, Tensor } from '../../core/tensor.ts';
import { isTensor } from '../../graph/graph.ts';
import type { Constant, HostValue, ValueType } from '../../graph/graph.ts';
import { codeOfDType, dtypeOfCode } from '../../graph/onnxTypes.ts';
import type { MapProto, MessageInit, OptionalProto, SequenceProto, SparseTensorProto, TensorProto } from './messages.ts';
import { readMessage } from './readMessage.ts';
import { writeMessage } from './writeMessage.ts';

/** Where an external tensor lies, as the model says. */
export interface ExternalEntry {
  readonly location: string;
  readonly offset: number;
  /** Undefined: as many bytes as the tensor has. */
  readonly length: number | undefined;
}
/** Opens external data of `bytes` bytes: checks now that it is there, reads later. */
export type ExternalReader = (entry: ExternalEntry, bytes: number) => Stored;

const EXTERNAL = 1;
/** Elements of one tensor: positions stay exact as JavaScript numbers. */
const MAX_ELEMENTS = 2 ** 42;

const bad = (reason: string, hint = 'The model breaks the ONNX format; export it again.'): never => {
  throw new AnychipError('bad-model', reason, { hint });
};

/** Dimensions as numbers, each checked, and their product. */
export function dimsOf(dims: readonly bigint[]): { readonly shape: number[]; readonly count: number } {
  let count = 1;
  const shape = dims.map((dim) => {
    if (dim < 0n) bad(`a dimension of ${dim}`);
    count *= Number(dim);
    return Number(dim);
  });
  // A zero anywhere makes the product zero, but no single dimension may be out of range either.
  if (count > MAX_ELEMENTS || shape.some((d) => d > MAX_ELEMENTS))
    throw new AnychipError('limit', `a tensor of shape ${formatShape(shape)}`, { hint: 'No tensor may have so many elements.' });
  return { shape, count };
}

const packedBytes = (dtype: NumericDType, count: number): number => Math.ceil((count * dtypes[dtype].bits) / 8);

/** A tensor of a model: small and typed ones at once, raw and external ones when they are read. */
export function constantFrom(proto: TensorProto, external: ExternalReader | undefined): Constant {
  return within(`tensor '${proto.name}'`, () => {
    const dtype = dtypeOfCode(proto.dataType);
    const { shape, count } = dimsOf(proto.dims);
    if (dtype === 'string') return held(stringsOf(proto, shape, count));
    const needed = packedBytes(dtype, count);
    const source = proto.dataLocation === EXTERNAL ? openExternal(proto, needed, external) : rawSource(proto, needed);
    if (source === undefined) return held(typedTensor(proto, dtype, shape, count));
    const constant = { dtype, shape, bytes: count * dtypes[dtype].bytes, read: () => unpackBytes(dtype, shape, count, source.read()) };
    const isStoredAsHeld = dtypes[dtype].bits >= 8;
    return isStoredAsHeld ? { ...constant, stored: source } : constant;
  });
}

/** A tensor of a model, read at once. */
export const tensorFromProto = (proto: TensorProto, external?: ExternalReader): Tensor => constantFrom(proto, external).read();

const held = (tensor: Tensor): Constant => ({ dtype: tensor.dtype, shape: tensor.shape, bytes: tensor.dtype === 'string' ? 0 : tensor.data.byteLength, read: () => tensor });

function rawSource(proto: TensorProto, needed: number): Stored | undefined {
  const { rawData } = proto;
  if (rawData.byteLength === 0 && needed > 0) return undefined;
  if (typedFields.some((field) => proto[field].length > 0)) bad('its data is given twice, raw and typed');
  if (rawData.byteLength !== needed) bad(`raw_data of ${rawData.byteLength} bytes where ${needed} are needed`);
  return rawData;
}

function openExternal(proto: TensorProto, needed: number, external: ExternalReader | undefined): Stored {
  if (external === undefined) {
    throw new AnychipError('bad-file', 'its data lies in another file', { hint: 'Open the model by its path, so that the file beside it is found.' });
  }
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const size = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    return /^\d{1,15}$/.test(text) ? Number(text) : bad(`external data with the ${key} '${text}'`);
  };
  const length = size('length');
  if (length !== undefined && length !== needed) bad(`external data of ${length} bytes where ${needed} are needed`);
  const location = entries.get('location') ?? bad('external data without a location');
  return external({ location, offset: size('offset') ?? 0, length }, needed);
}

/** Little-endian bytes as a tensor, aligned; elements below a byte are packed, the first in the low bits. */
function unpackBytes(dtype: NumericDType, shape: readonly number[], count: number, bytes: Uint8Array): NumericTensor {
  const { bits, bytes: width, viewArray, class: kind } = dtypes[dtype];
  if (bits >= 8) {
    const aligned = bytes.byteOffset % width === 0 ? bytes : new Uint8Array(bytes);
    return { dtype, shape, data: viewArray(aligned.buffer, aligned.byteOffset, count) };
  }
  const tensor = createTensor(dtype, shape);
  const mask = (1 << bits) - 1;
  const drop = 32 - bits;
  for (let i = 0; i < count; i++) {
    const field = (bytes[(i * bits) >> 3]! >> ((i * bits) & 7)) & mask;
    tensor.data[i] = kind === 'int' ? (field << drop) >> drop : field;
  }
  return tensor;
}

const typedFields = ['floatData', 'int32Data', 'int64Data', 'doubleData', 'uint64Data'] as const;
type TypedField = (typeof typedFields)[number];
const fields: { readonly [D in NumericDType]: TypedField } = {
  f32: 'floatData', f64: 'doubleData', i64: 'int64Data', u64: 'uint64Data', u32: 'uint64Data',
  f16: 'int32Data', bf16: 'int32Data', i32: 'int32Data', i16: 'int32Data', i8: 'int32Data', u16: 'int32Data', u8: 'int32Data', bool: 'int32Data',
  f8e4m3: 'int32Data', f8e4m3fnuz: 'int32Data', f8e5m2: 'int32Data', f8e5m2fnuz: 'int32Data', f8e8m0: 'int32Data',
  f4e2m1: 'int32Data', i4: 'int32Data', u4: 'int32Data', i2: 'int32Data', u2: 'int32Data',
}; // prettier-ignore

function typedTensor(proto: TensorProto, dtype: NumericDType, shape: readonly number[], count: number): NumericTensor {
  const data: ArrayLike<number | bigint> = proto[fields[dtype]];
  const perEntry = dtypes[dtype].bits < 8 ? 8 / dtypes[dtype].bits : 1;
  if (data.length !== Math.ceil(count / perEntry)) bad(`${data.length} values where the shape ${formatShape(shape)} needs ${Math.ceil(count / perEntry)}`);
  if (perEntry > 1)
    return unpackBytes(
      dtype,
      shape,
      count,
      Uint8Array.from(data, (value) => Number(value) & 255),
    );
  const tensor = createTensor(dtype, shape);
  // Small floats come as raw bits; all others by value.
  if (dtypes[dtype].held === 'bits') for (let i = 0; i < count; i++) tensor.data[i] = Number(data[i]);
  else {
    const write = elementWriter(tensor);
    for (let i = 0; i < count; i++) write(i, data[i]!);
  }
  return tensor;
}

const utf8 = new TextDecoder();
export const textOf = (bytes: Uint8Array): string => utf8.decode(bytes);

function stringsOf(proto: TensorProto, shape: readonly number[], count: number): Tensor {
  if (proto.stringData.length !== count) bad(`${proto.stringData.length} strings where the shape ${formatShape(shape)} needs ${count}`);
  return stringTensor(shape, proto.stringData.map(textOf));
}

/** A sparse tensor made dense; `values` names it. Indices are flat or one row per element. */
export function denseFromSparse(proto: SparseTensorProto): Tensor {
  const { values, indices } = proto;
  if (values === undefined || indices === undefined) return bad('a sparse tensor without values or indices');
  const { shape, count } = dimsOf(proto.dims);
  const held = tensorFromProto(values);
  const at = tensorFromProto(indices);
  if (held.dtype === 'string' || at.dtype !== 'i64') return bad('a sparse tensor of strings, or with indices that are not int64');
  if (count > MAX_DENSE_ELEMENTS)
    throw new AnychipError('limit', `a sparse tensor of shape ${formatShape(shape)}`, { hint: 'It would be made dense, which takes too much memory.' });
  const rows = held.data.length;
  const rank = at.shape.length === 2 ? shape.length : 1;
  if (at.data.length !== rows * rank) return bad('a sparse tensor whose indices do not match its values');
  const out = createTensor(held.dtype, shape);
  for (let row = 0; row < rows; row++) {
    let flat = 0;
    for (let axis = 0; axis < rank; axis++) flat = flat * (rank === 1 ? 1 : shape[axis]!) + Number(at.data[row * rank + axis]);
    if (!(flat >= 0 && flat < count)) return bad('a sparse tensor with an index outside its shape');
    out.data[flat] = held.data[row]!;
  }
  return out;
}
const MAX_DENSE_ELEMENTS = 2 ** 28;

/** A tensor in its raw encoding. */
export function tensorToProto(tensor: Tensor, name: string): MessageInit<'TensorProto'> {
  const dims = tensor.shape.map(BigInt);
  if (tensor.dtype === 'string') return { name, dims, dataType: codeOfDType('string'), stringData: tensor.data.map((text) => new TextEncoder().encode(text)) };
  return { name, dims, dataType: codeOfDType(tensor.dtype), rawData: storedIn(packBytes(tensor)) };
}

/** The tensor with its raw bytes in another file. */
export function outside(proto: MessageInit<'TensorProto'>, { location, offset, length }: ExternalEntry): MessageInit<'TensorProto'> {
  const entries = { location, offset, length };
  const externalData = Object.entries(entries).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: String(value) }]));
  return { name: proto.name, dims: proto.dims, dataType: proto.dataType, dataLocation: EXTERNAL, externalData };
}

function packBytes(tensor: NumericTensor): Uint8Array {
  const { bits } = dtypes[tensor.dtype];
  if (bits >= 8) return bytesOf(tensor);
  const bytes = new Uint8Array(packedBytes(tensor.dtype, tensor.data.length));
  const mask = (1 << bits) - 1;
  for (let i = 0; i < tensor.data.length; i++) bytes[(i * bits) >> 3]! |= (Number(tensor.data[i]) & mask) << ((i * bits) & 7);
  return bytes;
}

/** A value of test data, of the type that the model declares (a tensor when it declares none). Throws `bad-file`. */
export function decodeValue(bytes: Uint8Array, type: ValueType | undefined): HostValue {
  return decoders[type?.kind ?? 'tensor'](bytes);
}

const decoders: { readonly [K in ValueType['kind']]: (bytes: Uint8Array) => HostValue } = {
  tensor: (bytes) => tensorFromProto(readMessage('TensorProto', bytes)),
  sequence: (bytes) => sequenceOf(readMessage('SequenceProto', bytes)),
  optional: (bytes) => optionalOf(readMessage('OptionalProto', bytes)),
  map: (bytes) => mapOf(readMessage('MapProto', bytes)),
};

const sequenceOf = (proto: SequenceProto): HostValue => [
  ...proto.tensorValues.map((t) => tensorFromProto(t)),
  ...proto.sparseTensorValues.map(denseFromSparse),
  ...proto.sequenceValues.map(sequenceOf),
  ...proto.mapValues.map(mapOf),
  ...proto.optionalValues.map(optionalOf),
];

function optionalOf(proto: OptionalProto): HostValue {
  if (proto.tensorValue !== undefined) return tensorFromProto(proto.tensorValue);
  if (proto.sparseTensorValue !== undefined) return denseFromSparse(proto.sparseTensorValue);
  if (proto.sequenceValue !== undefined) return sequenceOf(proto.sequenceValue);
  if (proto.mapValue !== undefined) return mapOf(proto.mapValue);
  return proto.optionalValue === undefined ? null : optionalOf(proto.optionalValue);
}

/** Keys and values, as two vectors. */
function mapOf(proto: MapProto): HostValue {
  const keys: Tensor = proto.stringKeys.length > 0 ? stringTensor([proto.stringKeys.length], proto.stringKeys.map(textOf)) : intTensor(proto.keys.map(Number));
  const values = proto.values === undefined ? [] : sequenceOf(proto.values);
  const only = Array.isArray(values) && values.length === 1 ? values[0]! : values;
  return [keys, only];
}

/** A tensor as a `.pb` file of test data. */
export function encodeTensor(tensor: Tensor, name: string): Uint8Array {
  return writeMessage('TensorProto', tensorToProto(tensor, name));
}

/** A tensor, sequence or optional as a `.pb` file of test data. */
export function encodeValue(value: HostValue, name: string): Uint8Array {
  if (isTensor(value)) return encodeTensor(value, name);
  return value === null ? writeMessage('OptionalProto', { name }) : writeMessage('SequenceProto', sequenceToProto(value, name));
}

function sequenceToProto(values: readonly HostValue[], name: string): MessageInit<'SequenceProto'> {
  const tensors = values.filter(isTensor);
  const kinds = { tensor: 1, sequence: 3 } as const;
  return {
    name,
    elemType: tensors.length > 0 || values.length === 0 ? kinds.tensor : kinds.sequence,
    tensorValues: tensors.map((tensor, i) => tensorToProto(tensor, `${name}_${i}`)),
    sequenceValues: values.flatMap((value, i) => (value === null || isTensor(value) ? [] : [sequenceToProto(value, `${name}_${i}`)])),
  };
}
