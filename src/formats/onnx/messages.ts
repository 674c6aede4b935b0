// The messages of the ONNX IR (versions 3 to 13) as data: number and type of each field, by name. Source: onnx.proto (proto2). Enumerations
// are int32 here: unknown values must reach the importer, which says what is wrong with them.
import type { Stored } from '../../core/stored.ts';

export const messages = {
  StringStringEntryProto: { key: [1, 'string'], value: [2, 'string'] },
  AttributeProto: {
    name: [1, 'string'],
    f: [2, 'float'],
    i: [3, 'int64'],
    s: [4, 'bytes'],
    t: [5, 'TensorProto'],
    g: [6, 'GraphProto'],
    floats: [7, 'float', 'list'],
    ints: [8, 'int64', 'list'],
    strings: [9, 'bytes', 'list'],
    tensors: [10, 'TensorProto', 'list'],
    graphs: [11, 'GraphProto', 'list'],
    docString: [13, 'string'],
    tp: [14, 'TypeProto'],
    typeProtos: [15, 'TypeProto', 'list'],
    type: [20, 'int32'],
    refAttrName: [21, 'string'],
    sparseTensor: [22, 'SparseTensorProto'],
    sparseTensors: [23, 'SparseTensorProto', 'list'],
  },
  ValueInfoProto: { name: [1, 'string'], type: [2, 'TypeProto'], docString: [3, 'string'], metadataProps: [4, 'StringStringEntryProto', 'list'] },
  NodeProto: {
    input: [1, 'string', 'list'],
    output: [2, 'string', 'list'],
    name: [3, 'string'],
    opType: [4, 'string'],
    attribute: [5, 'AttributeProto', 'list'],
    docString: [6, 'string'],
    domain: [7, 'string'],
    overload: [8, 'string'],
    metadataProps: [9, 'StringStringEntryProto', 'list'],
  },
  ModelProto: {
    irVersion: [1, 'int64'],
    producerName: [2, 'string'],
    producerVersion: [3, 'string'],
    domain: [4, 'string'],
    modelVersion: [5, 'int64'],
    docString: [6, 'string'],
    graph: [7, 'GraphProto'],
    opsetImport: [8, 'OperatorSetIdProto', 'list'],
    metadataProps: [14, 'StringStringEntryProto', 'list'],
    functions: [25, 'FunctionProto', 'list'],
  },
  GraphProto: {
    node: [1, 'NodeProto', 'list'],
    name: [2, 'string'],
    initializer: [5, 'TensorProto', 'list'],
    docString: [10, 'string'],
    input: [11, 'ValueInfoProto', 'list'],
    output: [12, 'ValueInfoProto', 'list'],
    valueInfo: [13, 'ValueInfoProto', 'list'],
    sparseInitializer: [15, 'SparseTensorProto', 'list'],
    metadataProps: [16, 'StringStringEntryProto', 'list'],
  },
  TensorProto: {
    dims: [1, 'int64', 'list'],
    dataType: [2, 'int32'],
    floatData: [4, 'float', 'packed'],
    int32Data: [5, 'int32', 'packed'],
    stringData: [6, 'bytes', 'list'],
    int64Data: [7, 'int64', 'packed'],
    name: [8, 'string'],
    rawData: [9, 'stored'],
    doubleData: [10, 'double', 'packed'],
    uint64Data: [11, 'uint64', 'packed'],
    docString: [12, 'string'],
    externalData: [13, 'StringStringEntryProto', 'list'],
    dataLocation: [14, 'int32'],
    metadataProps: [16, 'StringStringEntryProto', 'list'],
  },
  SparseTensorProto: { values: [1, 'TensorProto'], indices: [2, 'TensorProto'], dims: [3, 'int64', 'list'] },
  TensorShapeProto: { dim: [1, 'TensorShapeProtoDimension', 'list'] },
  TensorShapeProtoDimension: { dimValue: [1, 'int64'], dimParam: [2, 'string'], denotation: [3, 'string'] },
  TypeProto: {
    tensorType: [1, 'TypeProtoTensor'],
    sequenceType: [4, 'TypeProtoElement'],
    mapType: [5, 'TypeProtoMap'],
    denotation: [6, 'string'],
    sparseTensorType: [8, 'TypeProtoTensor'],
    optionalType: [9, 'TypeProtoElement'],
  },
  TypeProtoTensor: { elemType: [1, 'int32'], shape: [2, 'TensorShapeProto'] },
  TypeProtoElement: { elemType: [1, 'TypeProto'] },
  TypeProtoMap: { keyType: [1, 'int32'], valueType: [2, 'TypeProto'] },
  OperatorSetIdProto: { domain: [1, 'string'], version: [2, 'int64'] },
  FunctionProto: {
    name: [1, 'string'],
    input: [4, 'string', 'list'],
    output: [5, 'string', 'list'],
    attribute: [6, 'string', 'list'],
    node: [7, 'NodeProto', 'list'],
    docString: [8, 'string'],
    opsetImport: [9, 'OperatorSetIdProto', 'list'],
    domain: [10, 'string'],
    attributeProto: [11, 'AttributeProto', 'list'],
    valueInfo: [12, 'ValueInfoProto', 'list'],
    overload: [13, 'string'],
    metadataProps: [14, 'StringStringEntryProto', 'list'],
  },
  SequenceProto: {
    name: [1, 'string'],
    elemType: [2, 'int32'],
    tensorValues: [3, 'TensorProto', 'list'],
    sparseTensorValues: [4, 'SparseTensorProto', 'list'],
    sequenceValues: [5, 'SequenceProto', 'list'],
    mapValues: [6, 'MapProto', 'list'],
    optionalValues: [7, 'OptionalProto', 'list'],
  },
  MapProto: { name: [1, 'string'], keyType: [2, 'int32'], keys: [3, 'int64', 'list'], stringKeys: [4, 'bytes', 'list'], values: [5, 'SequenceProto'] },
  OptionalProto: {
    name: [1, 'string'],
    elemType: [2, 'int32'],
    tensorValue: [3, 'TensorProto'],
    sparseTensorValue: [4, 'SparseTensorProto'],
    sequenceValue: [5, 'SequenceProto'],
    mapValue: [6, 'MapProto'],
    optionalValue: [7, 'OptionalProto'],
  },
} as const;

/** Values of fields that are no messages. */
interface Values {
  readonly int32: number;
  readonly int64: bigint;
  readonly uint64: bigint;
  readonly float: number;
  readonly double: number;
  readonly string: string;
  readonly bytes: Uint8Array;
  /** Bytes that may stay where they are. */
  readonly stored: Stored;
}
export type ValueKind = keyof Values;
export type MessageName = keyof typeof messages;
/** Lists of numbers may be written as one block. */
export type Repetition = 'list' | 'packed';
export type Field = readonly [number: number, type: ValueKind | MessageName, repeated?: Repetition];

type Fields<M extends MessageName> = (typeof messages)[M];
type Item<T> = T extends ValueKind ? Values[T] : T extends MessageName ? Message<T> : never;
type FieldValue<F> = F extends readonly [number, infer T, 'packed']
  ? ArrayLike<Item<T>>
  : F extends readonly [number, infer T, 'list']
    ? readonly Item<T>[]
    : F extends readonly [number, infer T]
      ? T extends MessageName
        ? Message<T> | undefined
        : Item<T>
      : never;
/** As it is read: fields that are not there have their defaults, and are no properties of its own. */
export type Message<M extends MessageName> = { readonly [F in keyof Fields<M>]: FieldValue<Fields<M>[F]> };

type ItemInit<T> = T extends ValueKind ? Values[T] : T extends MessageName ? MessageInit<T> : never;
type FieldInit<F> = F extends readonly [number, infer T, string] ? ArrayLike<ItemInit<T>> : F extends readonly [number, infer T] ? ItemInit<T> : never;
/** As it is written: what is left out is not in the file. */
export type MessageInit<M extends MessageName> = { readonly [F in keyof Fields<M>]?: FieldInit<Fields<M>[F]> | undefined };

export type AttributeProto = Message<'AttributeProto'>;
export type FunctionProto = Message<'FunctionProto'>;
export type GraphProto = Message<'GraphProto'>;
export type MapProto = Message<'MapProto'>;
export type ModelProto = Message<'ModelProto'>;
export type NodeProto = Message<'NodeProto'>;
export type OperatorSetIdProto = Message<'OperatorSetIdProto'>;
export type OptionalProto = Message<'OptionalProto'>;
export type SequenceProto = Message<'SequenceProto'>;
export type SparseTensorProto = Message<'SparseTensorProto'>;
export type TensorProto = Message<'TensorProto'>;
export type TensorShapeProto = Message<'TensorShapeProto'>;
export type TypeProto = Message<'TypeProto'>;
