// Protocol buffers to messages, from memory or from a file of which large data stays where it is. The library reads values; which field is
// what says the table of messages, and fields that it does not have are passed over.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { AnychipError } from '../../core/error.ts';
import { partOf, storedIn } from '../../core/stored.ts';
import type { Stored } from '../../core/stored.ts';
import { messages } from './messages.ts';
import type { Field, Message, MessageName, Repetition, ValueKind } from './messages.ts';
import { LARGE_BYTES } from './structure.ts';
import type { Range } from './structure.ts';

/** Deepest nesting of messages: about a third of it is nesting of subgraphs. */
const MAX_DEPTH = 200;
/** Read at a time of a source that is not in memory. */
const WINDOW_BYTES = 1 << 14;

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

/** The most bytes of a number without a fixed length. */
const VARINT_BYTES = 10;

/** A place in a source, which moves forward: the library reads from a window of it. */
class Cursor {
  readonly #source: Stored;
  readonly #inMemory: boolean;
  #window: BinaryReader;
  /** Where the window begins in the source. */
  #start = 0;
  /** Data that is no part of the structure. */
  readonly large: Range[] = [];

  constructor(source: Stored | Uint8Array) {
    this.#inMemory = source instanceof Uint8Array;
    this.#source = source instanceof Uint8Array ? storedIn(source) : source;
    this.#window = new BinaryReader(source instanceof Uint8Array ? source : new Uint8Array());
  }

  get end(): number {
    return this.#source.byteLength;
  }
  get at(): number {
    return this.#start + this.#window.pos;
  }

  /** What reads from here on, with so many bytes before it, or all that are left. */
  reader(bytes = VARINT_BYTES): BinaryReader {
    const { pos, len } = this.#window;
    const [at, left] = [this.at, this.end - this.at];
    if (pos + Math.min(bytes, left) > len) {
      this.#window = new BinaryReader(this.#source.read(at, Math.min(Math.max(bytes, WINDOW_BYTES), left)));
      this.#start = at;
    }
    return this.#window;
  }

  /** A length in bytes, within `end`. */
  length(end: number): number {
    const bytes = this.reader().uint32();
    if (this.at + bytes > end) throw damaged('it ends too soon');
    return bytes;
  }

  /** What reads a value that has its length before it, within `end`. */
  delimited(end: number): BinaryReader {
    const before = this.reader().pos;
    const bytes = this.length(end);
    const prefix = this.#window.pos - before;
    this.#window.pos = before;
    return this.reader(prefix + bytes);
  }

  /** As memory of its own. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#source.read(this.#pass(count), count));
  }

  /** Left where it is, where that is memory or it is much. */
  stored(count: number): Stored {
    const isLarge = count > LARGE_BYTES;
    if (!this.#inMemory && !isLarge) return storedIn(this.bytes(count));
    const start = this.#pass(count);
    if (isLarge) this.large.push({ start, bytes: count });
    return partOf(this.#source, start, count);
  }

  /** Passes over the value of a field that is not known, within `end`. */
  skip(wire: WireType, number: number, end: number): void {
    if (wire === WireType.LengthDelimited) this.#pass(this.length(end));
    else this.reader(wire === WireType.StartGroup ? end - this.at : VARINT_BYTES).skip(wire, number);
    if (this.at > end) throw damaged('it ends too soon');
  }

  /** Moves on over so many bytes, without reading them; gives where they begin. */
  #pass(count: number): number {
    const { at } = this;
    if (this.#window.pos + count <= this.#window.len) this.#window.pos += count;
    else {
      this.#window = new BinaryReader(new Uint8Array());
      this.#start = at + count;
    }
    return at;
  }
}

function checkDepth(depth: number): void {
  if (depth <= MAX_DEPTH) return;
  throw new AnychipError('limit', `messages are nested more than ${MAX_DEPTH} deep`, { hint: 'No model needs such a nesting of subgraphs; the file may be hostile.' });
}

interface Reader {
  readonly wire: WireType;
  /** The next value, which ends before `end`. */
  read(cursor: Cursor, end: number): unknown;
}
const readers: { readonly [K in ValueKind]: Reader } = {
  int32: { wire: WireType.Varint, read: (cursor) => cursor.reader().int32() },
  int64: { wire: WireType.Varint, read: (cursor) => BigInt(cursor.reader().int64()) },
  uint64: { wire: WireType.Varint, read: (cursor) => BigInt(cursor.reader().uint64()) },
  float: { wire: WireType.Bit32, read: (cursor) => cursor.reader().float() },
  double: { wire: WireType.Bit64, read: (cursor) => cursor.reader().double() },
  string: { wire: WireType.LengthDelimited, read: (cursor, end) => cursor.delimited(end).string() },
  bytes: { wire: WireType.LengthDelimited, read: (cursor, end) => new Uint8Array(cursor.delimited(end).bytes()) },
  stored: { wire: WireType.LengthDelimited, read: (cursor, end) => cursor.stored(cursor.length(end)) },
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

function readValue(cursor: Cursor, message: Growing, field: KnownField, kind: ValueKind, wire: WireType, end: number): void {
  const { name, repeated } = field;
  const reader = readers[kind];
  if (wire === WireType.LengthDelimited && reader.wire !== WireType.LengthDelimited && repeated !== undefined) return readPacked(cursor, message, field, kind, end);
  if (wire !== reader.wire) throw damaged(`the field '${name}' is of another kind`);
  const value = reader.read(cursor, end);
  if (repeated !== undefined) listOf(message, name).push(value);
  else message[name] = value;
}

function readFields(cursor: Cursor, end: number, name: MessageName, message: Growing, depth: number): void {
  checkDepth(depth);
  const { fields } = formOf(name);
  while (cursor.at < end) {
    const [number, wire] = cursor.reader().tag();
    const field = fields[number];
    if (field === undefined) cursor.skip(wire, number, end);
    else if (isValue(field.type)) readValue(cursor, message, field, field.type, wire, end);
    else readInner(cursor, message, field, field.type, wire, end, depth);
  }
  if (cursor.at > end) throw damaged('it ends too soon');
}

function readInner(cursor: Cursor, message: Growing, field: KnownField, type: MessageName, wire: WireType, outerEnd: number, depth: number): void {
  const { name, repeated } = field;
  if (wire !== WireType.LengthDelimited) throw damaged(`the field '${name}' is of another kind`);
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

/** The message in `source`. Throws `bad-file`, or `limit` for one that is nested too deep. `noteLarge` is told where large data was left. */
export function readMessage<M extends MessageName>(name: M, source: Stored | Uint8Array, noteLarge?: (large: readonly Range[]) => void): Message<M> {
  const message = create(name);
  const cursor = new Cursor(source);
  try {
    readFields(cursor, cursor.end, name, message, 1);
    noteLarge?.(cursor.large);
  } catch (cause) {
    if (cause instanceof AnychipError) throw cause;
    throw damaged(cause instanceof Error ? cause.message : String(cause));
  }
  // oxlint-disable-next-line typescript/consistent-type-assertions -- the table that gives its type was followed
  return message as Message<M>;
}
