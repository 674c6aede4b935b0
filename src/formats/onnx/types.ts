// TypeProto to the types of Values and back. Dimensions without a name get one of their own, so that each may differ.
import { AnychipError } from '../../core/error.ts';
import type { Dim, ValueType } from '../../graph/graph.ts';
import { tensorType } from '../../graph/graph.ts';
import { codeOfDType, dtypeOfCode } from '../../graph/onnxTypes.ts';
import type { MessageInit, TensorShapeProto, TypeProto } from './messages.ts';

/** The type of the value `name`; undefined where the model does not say. */
export function valueTypeOf(proto: TypeProto | undefined, name: string): ValueType | undefined {
  if (proto === undefined) return undefined;
  const tensor = proto.tensorType ?? proto.sparseTensorType;
  if (tensor !== undefined)
    return tensor.elemType === 0 ? undefined : tensorType(dtypeOfCode(tensor.elemType), tensor.shape === undefined ? undefined : dimsOf(tensor.shape, name));
  if (proto.sequenceType !== undefined) return wrap('sequence', proto.sequenceType.elemType, name);
  if (proto.optionalType !== undefined) return wrap('optional', proto.optionalType.elemType, name);
  if (proto.mapType !== undefined) {
    const value = valueTypeOf(proto.mapType.valueType, name);
    return value === undefined ? undefined : { kind: 'map', key: dtypeOfCode(proto.mapType.keyType), value };
  }
  return undefined;
}

function wrap(kind: 'sequence' | 'optional', inner: TypeProto | undefined, name: string): ValueType | undefined {
  const element = valueTypeOf(inner, name);
  return element === undefined ? undefined : { kind, element };
}

function dimsOf(shape: TensorShapeProto, name: string): Dim[] {
  return shape.dim.map((dim, axis) => {
    if (dim.dimParam !== '') return dim.dimParam;
    // Not set and negative both mean "any" in models that exist.
    if (!Object.hasOwn(dim, 'dimValue') || dim.dimValue < 0n) return `${name}.${axis}`;
    if (dim.dimValue > 2n ** 42n) throw new AnychipError('limit', `'${name}' has a dimension of ${dim.dimValue}`, { hint: 'No tensor may have so many elements.' });
    return Number(dim.dimValue);
  });
}

export function typeToProto(type: ValueType): MessageInit<'TypeProto'> {
  const inner = (element: ValueType): MessageInit<'TypeProtoElement'> => ({ elemType: typeToProto(element) });
  switch (type.kind) {
    case 'tensor': {
      const dim = type.shape?.map((d) => (typeof d === 'number' ? { dimValue: BigInt(d) } : { dimParam: d }));
      return { tensorType: { elemType: codeOfDType(type.dtype), ...(dim === undefined ? {} : { shape: { dim } }) } };
    }
    case 'sequence':
      return { sequenceType: inner(type.element) };
    case 'optional':
      return { optionalType: inner(type.element) };
    case 'map':
      return { mapType: { keyType: codeOfDType(type.key), valueType: typeToProto(type.value) } };
  }
}
