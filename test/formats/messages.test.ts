// Messages are read and written as protocol buffers are: beside code that was generated from onnx.proto.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import type { Stored } from '../../src/core/stored.ts';
import { messages } from '../../src/formats/onnx/messages.ts';
import type { Field } from '../../src/formats/onnx/messages.ts';
import { readMessage } from '../../src/formats/onnx/readMessage.ts';
import { writeMessage } from '../../src/formats/onnx/writeMessage.ts';
import { AttributeProtoSchema, ModelProtoSchema, TensorProtoSchema, file_onnx } from './generated/onnx_pb.ts';

const model = new URL('../../examples/models/digits.onnx', import.meta.url);

/** Messages as they are written here, by the names of their fields; lists and messages that are not there left out. */
function plain(value: unknown): unknown {
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  if ('read' in value) return plain((value as Stored).read());
  const fields = Object.entries(value).filter(([key, field]) => key !== '$typeName' && key !== '$unknown' && !(Array.isArray(field) && field.length === 0) && field !== undefined);
  return Object.fromEntries(fields.map(([key, field]) => [key, plain(field)]));
}

/** As from a file: what is read is new memory each time. */
const elsewhere = (bytes: Uint8Array): Stored => ({
  byteLength: bytes.byteLength,
  read: (from = 0, count = bytes.byteLength - from) => Uint8Array.from(bytes.subarray(from, from + count)),
});

const shapes: ReadonlyMap<string, DescMessage> = new Map(
  file_onnx.messages.flatMap((message) => [message, ...message.nestedMessages]).map((message) => [message.typeName.replace('onnx.', '').replace('.', ''), message]),
);
/** Messages that are alike there are one here. */
const alike: Readonly<Record<string, string>> = { TypeProtoSequence: 'TypeProtoElement', TypeProtoOptional: 'TypeProtoElement', TypeProtoSparseTensor: 'TypeProtoTensor' };

it('have the fields that onnx.proto has', () => {
  const table: Readonly<Record<string, Readonly<Record<string, Field>>>> = messages;
  for (const [name, { fields }] of shapes) {
    const found = Object.entries(table[alike[name] ?? name]!).map(([field, [number, , repeated]]) => `${field} ${number} ${repeated ?? ''}`);
    const expected = fields.map((field) => `${field.localName} ${field.number} ${field.fieldKind !== 'list' ? '' : field.packed ? 'packed' : 'list'}`);
    expect(found, name).toEqual(expected);
  }
});

it('of a model are read alike, from memory and from elsewhere', () => {
  const bytes = readFileSync(model);
  const expected = plain(fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false }));
  expect(plain(readMessage('ModelProto', bytes))).toEqual(expected);
  expect(plain(readMessage('ModelProto', elsewhere(bytes)))).toEqual(expected);
  // Written again, they are the same to either.
  expect(plain(fromBinary(ModelProtoSchema, writeMessage('ModelProto', readMessage('ModelProto', bytes))))).toEqual(expected);
});

const tensor = {
  dims: [2n, -1n, 2n ** 62n],
  dataType: 1,
  floatData: [1.5, -0, Infinity],
  int32Data: [-1, 2 ** 31 - 1, 0],
  int64Data: [-(2n ** 63n), 5n],
  uint64Data: [2n ** 64n - 1n],
  doubleData: [1e300, -2],
  stringData: [new TextEncoder().encode('é')],
  name: `é${'x'.repeat(200)}`,
};

it('of every kind of value are written and read alike', () => {
  const bytes = toBinary(TensorProtoSchema, create(TensorProtoSchema, tensor));
  const expected = plain(fromBinary(TensorProtoSchema, bytes));
  expect(plain(readMessage('TensorProto', bytes))).toEqual(expected);
  expect(plain(fromBinary(TensorProtoSchema, writeMessage('TensorProto', tensor)))).toEqual(expected);
});

it('say what is there, and give defaults for the rest', () => {
  const read = readMessage('AttributeProto', toBinary(AttributeProtoSchema, create(AttributeProtoSchema, { f: 0 })));
  expect([Object.hasOwn(read, 'f'), Object.hasOwn(read, 'i'), read.i, read.name, [...read.ints], read.t]).toEqual([true, false, 0n, '', [], undefined]);
});

it('take lists in blocks and one by one, messages in parts, and pass over what they do not know', () => {
  const bytes = (...list: number[]): Uint8Array => Uint8Array.from(list);
  // floats (7): a block of 1, then 2 alone; a group (90) with a varint in it, and a fixed64 (91), are not known.
  const floats = bytes(0x3a, 4, 0, 0, 0x80, 0x3f, 0xd3, 5, 8, 1, 0xd4, 5, 0xd9, 5, 1, 2, 3, 4, 5, 6, 7, 8, 0x3d, 0, 0, 0, 0x40);
  expect([...readMessage('AttributeProto', floats).floats]).toEqual([1, 2]);
  // t (5) in two parts: dims (1) and dataType (2).
  const parts = readMessage('AttributeProto', bytes(0x2a, 2, 8, 3, 0x2a, 2, 16, 7));
  expect([parts.t?.dims, parts.t?.dataType]).toEqual([[3n], 7]);
});

it('that are cut off or of another kind are refused, whatever is missing', () => {
  const whole = toBinary(TensorProtoSchema, create(TensorProtoSchema, tensor));
  const codes = Array.from({ length: whole.length }, (_, length) => {
    try {
      plain(readMessage('TensorProto', whole.subarray(0, length)));
      return 'taken';
    } catch (error) {
      return error instanceof AnychipError ? error.code : 'other';
    }
  });
  // Cut between two fields, it is another message that is whole.
  expect(new Set(codes)).toEqual(new Set(['taken', 'bad-file']));
  expect(codes.filter((code) => code === 'taken').length).toBeLessThan(16);
  expect(() => readMessage('TensorProto', Uint8Array.of(0x0d, 0, 0, 0, 0))).toThrow(/of another kind/);
});
