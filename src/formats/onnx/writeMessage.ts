// Messages to protocol buffers, as the table of messages says. The library writes values.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { messages } from './messages.ts';
import type { Field, MessageInit, MessageName, ValueKind } from './messages.ts';

interface Writer {
  readonly wire: WireType;
  write(out: BinaryWriter, value: never): void;
}
const writers: { readonly [K in ValueKind]: Writer } = {
  int32: { wire: WireType.Varint, write: (out, value: number) => out.int32(value) },
  int64: { wire: WireType.Varint, write: (out, value: bigint) => out.int64(value) },
  uint64: { wire: WireType.Varint, write: (out, value: bigint) => out.uint64(value) },
  float: { wire: WireType.Bit32, write: (out, value: number) => out.float(value) },
  double: { wire: WireType.Bit64, write: (out, value: number) => out.double(value) },
  string: { wire: WireType.LengthDelimited, write: (out, value: string) => out.string(value) },
  bytes: { wire: WireType.LengthDelimited, write: (out, value: Uint8Array) => out.bytes(value) },
  stored: { wire: WireType.LengthDelimited, write: (out, value: { read(): Uint8Array }) => out.bytes(value.read()) },
};
const isValue = (type: string): type is ValueKind => Object.hasOwn(writers, type);

function writeItem(out: BinaryWriter, [number, type]: Field, value: unknown): void {
  if (isValue(type)) {
    const { wire, write } = writers[type];
    // oxlint-disable-next-line typescript/consistent-type-assertions -- the type of the field chose the writer
    return write(out.tag(number, wire), value as never);
  }
  out.tag(number, WireType.LengthDelimited).fork();
  writeFields(out, type, value);
  out.join();
}

function writeBlock(out: BinaryWriter, [number, type]: Field, values: ArrayLike<unknown>): void {
  if (!isValue(type) || values.length === 0) return;
  out.tag(number, WireType.LengthDelimited).fork();
  // oxlint-disable-next-line typescript/consistent-type-assertions -- the type of the field chose the writer
  for (const value of Array.from(values)) writers[type].write(out, value as never);
  out.join();
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
const isListLike = (value: unknown): value is ArrayLike<unknown> => isRecord(value) && typeof value['length'] === 'number';

function writeFields(out: BinaryWriter, name: MessageName, message: unknown): void {
  if (!isRecord(message)) return;
  for (const [key, field] of Object.entries<Field>(messages[name])) {
    const value = Object.hasOwn(message, key) ? message[key] : undefined;
    if (value === undefined) continue;
    const [, , repeated] = field;
    if (repeated === undefined) writeItem(out, field, value);
    else if (isListLike(value)) {
      if (repeated === 'packed') writeBlock(out, field, value);
      else for (const item of Array.from(value)) writeItem(out, field, item);
    }
  }
}

/** The bytes of a message: of what it has as properties of its own. */
export function writeMessage<M extends MessageName>(name: M, message: MessageInit<M>): Uint8Array {
  const out = new BinaryWriter();
  writeFields(out, name, message);
  return out.finish();
}
