// Messages to protocol buffers, as the table of messages says. Source: Protocol Buffers, Encoding.
import { messages } from './messages.ts';
import type { Field, MessageInit, MessageName, ValueKind } from './messages.ts';

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Bytes in parts, which are joined once: data is copied no more often. */
class Output {
  readonly parts: Uint8Array[] = [];
  #small: number[] = [];
  bytes = 0;

  varint(value: bigint | number): void {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) this.#small.push(Number(rest & 127n) | 128);
    this.#small.push(Number(rest));
  }

  raw(bytes: Uint8Array): void {
    this.#flush();
    this.parts.push(bytes);
    this.bytes += bytes.byteLength;
  }

  block(bytes: Uint8Array): void {
    this.varint(bytes.byteLength);
    this.raw(bytes);
  }

  /** What was written to another, with its length before it. */
  inner(other: Output): void {
    other.#flush();
    this.varint(other.bytes);
    for (const part of other.parts) this.raw(part);
  }

  join(): Uint8Array {
    this.#flush();
    const all = new Uint8Array(this.bytes);
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.byteLength;
    }
    return all;
  }

  #flush(): void {
    if (this.#small.length === 0) return;
    const small = Uint8Array.from(this.#small);
    this.#small = [];
    this.parts.push(small);
    this.bytes += small.byteLength;
  }
}

const utf8 = new TextEncoder();
const asBytes = (data: ArrayBufferView): Uint8Array => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

interface Writer {
  readonly wire: number;
  write(out: Output, value: never): void;
}
const writers: { readonly [K in ValueKind]: Writer } = {
  int32: { wire: VARINT, write: (out, value: number) => out.varint(value) },
  int64: { wire: VARINT, write: (out, value: bigint) => out.varint(value) },
  uint64: { wire: VARINT, write: (out, value: bigint) => out.varint(value) },
  float: { wire: FIXED32, write: (out, value: number) => out.raw(asBytes(Float32Array.of(value))) },
  double: { wire: FIXED64, write: (out, value: number) => out.raw(asBytes(Float64Array.of(value))) },
  string: { wire: DELIMITED, write: (out, value: string) => out.block(utf8.encode(value)) },
  bytes: { wire: DELIMITED, write: (out, value: Uint8Array) => out.block(value) },
  stored: { wire: DELIMITED, write: (out, value: { read(): Uint8Array }) => out.block(value.read()) },
};
const isValue = (type: string): type is ValueKind => Object.hasOwn(writers, type);

function writeItem(out: Output, [number, type]: Field, value: unknown): void {
  if (isValue(type)) {
    const { wire, write } = writers[type];
    out.varint((number << 3) | wire);
    // oxlint-disable-next-line typescript/consistent-type-assertions -- the type of the field chose the writer
    return write(out, value as never);
  }
  const inner = new Output();
  writeFields(inner, type, value);
  out.varint((number << 3) | DELIMITED);
  out.inner(inner);
}

function writeBlock(out: Output, [number, type]: Field, values: ArrayLike<unknown>): void {
  if (!isValue(type) || values.length === 0) return;
  const inner = new Output();
  // oxlint-disable-next-line typescript/consistent-type-assertions -- the type of the field chose the writer
  for (const value of Array.from(values)) writers[type].write(inner, value as never);
  out.varint((number << 3) | DELIMITED);
  out.inner(inner);
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;
const isListLike = (value: unknown): value is ArrayLike<unknown> => isRecord(value) && typeof value['length'] === 'number';

function writeFields(out: Output, name: MessageName, message: unknown): void {
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
  const out = new Output();
  writeFields(out, name, message);
  return out.join();
}
