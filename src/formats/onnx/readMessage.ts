// Protocol buffers to messages, from memory or from a file of which large data stays where it is. Field by field as the table of messages
// says; fields that it does not have are passed over. Source: Protocol Buffers, Encoding.
import { AnychipError } from '../../core/error.ts';
import { partOf, storedIn } from '../../core/stored.ts';
import type { Stored } from '../../core/stored.ts';
import { messages } from './messages.ts';
import type { Field, Message, MessageName, Repetition, ValueKind } from './messages.ts';

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const GROUP = 3;
const GROUP_END = 4;
const FIXED32 = 5;

/** Deepest nesting of messages: about a third of it is nesting of subgraphs. */
const MAX_DEPTH = 200;
/** Read at a time of a source that is not in memory. */
const WINDOW_BYTES = 1 << 14;
/** `stored` data from here on stays in such a source. */
const STORED_BYTES = 1 << 12;

interface KnownField {
  readonly name: string;
  readonly type: ValueKind | MessageName;
  readonly repeated: Repetition | undefined;
}
/** What is known of a message: its fields by number, and an object with their defaults. */
interface Form {
  readonly fields: readonly (KnownField | undefined)[];
  readonly defaults: object;
}
/** A message as it grows. */
type Growing = Record<string, unknown>;

const damaged = (what: string): AnychipError =>
  new AnychipError('bad-file', `not the protobuf message that is expected: ${what}`, { hint: 'The file is damaged, cut off, or something else.' });

const NOTHING: readonly never[] = Object.freeze([]);
const zeros: { readonly [K in ValueKind]: unknown } = {
  int32: 0,
  int64: 0n,
  uint64: 0n,
  float: 0,
  double: 0,
  string: '',
  bytes: new Uint8Array(),
  stored: storedIn(new Uint8Array()),
};
const isValue = (type: string): type is ValueKind => Object.hasOwn(zeros, type);

const forms = new Map<MessageName, Form>();
function formOf(name: MessageName): Form {
  let form = forms.get(name);
  if (form === undefined) {
    const fields: (KnownField | undefined)[] = [];
    const defaults: Growing = {};
    for (const [field, [number, type, repeated]] of Object.entries<Field>(messages[name])) {
      fields[number] = { name: field, type, repeated };
      defaults[field] = repeated !== undefined ? NOTHING : isValue(type) ? zeros[type] : undefined;
    }
    forms.set(name, (form = { fields, defaults }));
  }
  return form;
}

const utf8 = new TextDecoder();
/** Most texts are names: short, and of ASCII alone. */
function textOf(bytes: Uint8Array): string {
  if (bytes.length > 64) return utf8.decode(bytes);
  let text = '';
  for (const byte of bytes) {
    if (byte >= 128) return utf8.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

/** A place in a source, which moves forward. */
class Cursor {
  readonly #source: Stored;
  readonly #inMemory: boolean;
  #window: Uint8Array;
  #view: DataView;
  /** Where the window begins in the source. */
  #start = 0;
  /** The upper 32 bits of the last varint. */
  high = 0;
  at = 0;

  constructor(source: Stored | Uint8Array) {
    this.#inMemory = source instanceof Uint8Array;
    this.#source = source instanceof Uint8Array ? storedIn(source) : source;
    this.#window = source instanceof Uint8Array ? source : new Uint8Array();
    this.#view = viewOf(this.#window);
  }

  get end(): number {
    return this.#source.byteLength;
  }

  /** Where in the window the next `bytes` bytes begin, which are there then. */
  #take(bytes: number): number {
    const at = this.at - this.#start;
    this.at += bytes;
    if (at >= 0 && at + bytes <= this.#window.byteLength) return at;
    const first = this.at - bytes;
    if (!(first + bytes <= this.end)) throw damaged('it ends too soon');
    this.#start = first;
    this.#window = this.#source.read(first, Math.min(Math.max(bytes, WINDOW_BYTES), this.end - first));
    this.#view = viewOf(this.#window);
    return 0;
  }

  /** The lower 32 bits as an unsigned number. */
  varint(): number {
    let low = 0;
    this.high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const at = this.#take(1);
      const byte = this.#window[at]!;
      const bits = byte & 127;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        this.high = bits >> 4;
      } else if (shift < 64) this.high |= bits << (shift - 32);
      if (byte < 128) return low >>> 0;
    }
    throw damaged('a number without an end');
  }

  uint64(): bigint {
    const low = this.varint();
    return this.high === 0 ? BigInt(low) : (BigInt(this.high >>> 0) << 32n) | BigInt(low);
  }

  /** A length in bytes, within `end`. */
  length(end: number): number {
    const bytes = this.varint();
    if (this.high !== 0 || this.at + bytes > end) throw damaged('it ends too soon');
    return bytes;
  }

  float(): number {
    const at = this.#take(4);
    return this.#view.getFloat32(at, true);
  }
  double(): number {
    const at = this.#take(8);
    return this.#view.getFloat64(at, true);
  }

  /** As memory of its own. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const at = this.#take(count);
    return new Uint8Array(this.#window.subarray(at, at + count));
  }

  text(count: number): string {
    const at = this.#take(count);
    return textOf(this.#window.subarray(at, at + count));
  }

  /** Left where it is, where that is memory or it is much. */
  stored(count: number): Stored {
    if (!this.#inMemory && count < STORED_BYTES) return storedIn(this.bytes(count));
    this.at += count;
    return partOf(this.#source, this.at - count, count);
  }

  skip(wire: number, end: number, depth: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.at += 8;
    else if (wire === FIXED32) this.at += 4;
    else if (wire === DELIMITED) {
      const bytes = this.length(end);
      this.at += bytes;
    } else if (wire === GROUP) this.#skipGroup(end, depth);
    else throw damaged(`a field of the kind ${wire}`);
    if (this.at > end) throw damaged('it ends too soon');
  }

  #skipGroup(end: number, depth: number): void {
    checkDepth(depth);
    for (;;) {
      if (this.at >= end) throw damaged('it ends too soon');
      const wire = this.varint() & 7;
      if (wire === GROUP_END) return;
      this.skip(wire, end, depth + 1);
    }
  }
}

const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView => new DataView(buffer, byteOffset, byteLength);

function checkDepth(depth: number): void {
  if (depth <= MAX_DEPTH) return;
  throw new AnychipError('limit', `messages are nested more than ${MAX_DEPTH} deep`, { hint: 'No model needs such a nesting of subgraphs; the file may be hostile.' });
}

interface Reader {
  readonly wire: number;
  /** The next value, which ends before `end`. */
  read(cursor: Cursor, end: number): unknown;
}
const readers: { readonly [K in ValueKind]: Reader } = {
  int32: { wire: VARINT, read: (cursor) => cursor.varint() | 0 },
  int64: { wire: VARINT, read: (cursor) => BigInt.asIntN(64, cursor.uint64()) },
  uint64: { wire: VARINT, read: (cursor) => BigInt.asUintN(64, cursor.uint64()) },
  float: { wire: FIXED32, read: (cursor) => cursor.float() },
  double: { wire: FIXED64, read: (cursor) => cursor.double() },
  string: { wire: DELIMITED, read: (cursor, end) => cursor.text(cursor.length(end)) },
  bytes: { wire: DELIMITED, read: (cursor, end) => cursor.bytes(cursor.length(end)) },
  stored: { wire: DELIMITED, read: (cursor, end) => cursor.stored(cursor.length(end)) },
};

/** Floats in one block are what memory holds. */
const blocks = { float: Float32Array, double: Float64Array } as const;
const isBlock = (kind: string): kind is keyof typeof blocks => kind in blocks;

/** The list of a field, to which more is added. */
function listOf(message: Growing, name: string): unknown[] {
  const before = Object.hasOwn(message, name) ? message[name] : undefined;
  if (Array.isArray(before)) return before;
  const list: unknown[] = ArrayBuffer.isView(before) ? Array.from<unknown>(Object.values(before)) : [];
  message[name] = list;
  return list;
}

function readPacked(cursor: Cursor, message: Growing, { name }: KnownField, kind: ValueKind, outerEnd: number): void {
  const bytes = cursor.length(outerEnd);
  const end = cursor.at + bytes;
  if (isBlock(kind) && !Object.hasOwn(message, name)) {
    if (bytes % blocks[kind].BYTES_PER_ELEMENT !== 0) throw damaged('it ends too soon');
    message[name] = new blocks[kind](cursor.bytes(bytes).buffer);
    return;
  }
  const list = listOf(message, name);
  const { read } = readers[kind];
  while (cursor.at < end) list.push(read(cursor, end));
  if (cursor.at > end) throw damaged('it ends too soon');
}

function readValue(cursor: Cursor, message: Growing, field: KnownField, kind: ValueKind, wire: number, end: number): void {
  const { name, repeated } = field;
  const reader = readers[kind];
  if (wire === DELIMITED && reader.wire !== DELIMITED && repeated !== undefined) return readPacked(cursor, message, field, kind, end);
  if (wire !== reader.wire) throw damaged(`the field '${name}' is of another kind`);
  const value = reader.read(cursor, end);
  if (repeated !== undefined) listOf(message, name).push(value);
  else message[name] = value;
}

function readFields(cursor: Cursor, end: number, name: MessageName, message: Growing, depth: number): void {
  checkDepth(depth);
  const { fields } = formOf(name);
  while (cursor.at < end) {
    const tag = cursor.varint();
    const [number, wire] = [tag >>> 3, tag & 7];
    if (number === 0) throw damaged('a field with the number 0');
    const field = fields[number];
    if (field === undefined) cursor.skip(wire, end, depth);
    else if (isValue(field.type)) readValue(cursor, message, field, field.type, wire, end);
    else readInner(cursor, message, field, field.type, wire, end, depth);
  }
  if (cursor.at > end) throw damaged('it ends too soon');
}

function readInner(cursor: Cursor, message: Growing, field: KnownField, type: MessageName, wire: number, outerEnd: number, depth: number): void {
  const { name, repeated } = field;
  if (wire !== DELIMITED) throw damaged(`the field '${name}' is of another kind`);
  const bytes = cursor.length(outerEnd);
  // What is given in parts is one message.
  const inner = (repeated === undefined ? growing(message[name]) : undefined) ?? create(type);
  readFields(cursor, cursor.at + bytes, type, inner, depth + 1);
  if (repeated !== undefined) listOf(message, name).push(inner);
  else message[name] = inner;
}

const create = (name: MessageName): Growing => Object.create(formOf(name).defaults);
const isGrowing = (value: unknown): value is Growing => typeof value === 'object' && value !== null;
const growing = (value: unknown): Growing | undefined => (isGrowing(value) ? value : undefined);

/** The message in `source`. Throws `bad-file`, or `limit` for one that is nested too deep. */
export function readMessage<M extends MessageName>(name: M, source: Stored | Uint8Array): Message<M> {
  const message = create(name);
  const cursor = new Cursor(source);
  readFields(cursor, cursor.end, name, message, 1);
  // oxlint-disable-next-line typescript/consistent-type-assertions -- the table that gives its type was followed
  return message as Message<M>;
}
