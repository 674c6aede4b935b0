// Writes a value made of plain objects, arrays, Maps, typed arrays, numbers and bigints as JSON beside a block of bytes, and reads it
// back. Objects that were one stay one (graphs compare Values by identity). No cycles. Knows nothing of what the value means.
import { AnychipError } from './error.ts';

export interface Packed {
  readonly json: string;
  /** Typed arrays, one after the other, each at a multiple of 8 bytes. */
  readonly bytes: Uint8Array;
}

type Json = null | boolean | string | number | { readonly [key: string]: Json } | readonly Json[];

/** The key that marks what JSON has no form for. */
const MARK = '$';
const arrays = { Int8Array, Uint8Array, Int16Array, Uint16Array, Int32Array, Uint32Array, BigInt64Array, BigUint64Array, Float32Array, Float64Array } as const;

/** The kind that it is read back as: what Node reads from files is a Uint8Array of its own kind. */
function arrayName(data: ArrayBufferView): string {
  const known = Object.entries(arrays).find(([, array]) => data instanceof array);
  if (known === undefined) throw new AnychipError('internal', `a ${data.constructor.name} cannot be packed`);
  return known[0];
}

/** `replace` turns objects that are not plain data into such as are. */
export function pack(root: unknown, replace: (value: object) => object = (value) => value): Packed {
  const ids = new Map<object, number>();
  const blobs: Uint8Array[] = [];
  let length = 0;
  const writeArray = (data: ArrayBufferView): Json => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const at = length;
    const padding = -bytes.byteLength & 7;
    blobs.push(bytes, new Uint8Array(padding));
    length += bytes.byteLength + padding;
    return { [MARK]: arrayName(data), at, bytes: bytes.byteLength };
  };
  const writeObject = (value: object): Json => {
    const earlier = ids.get(value);
    if (earlier !== undefined) return { [MARK]: 'ref', id: earlier };
    ids.set(value, ids.size);
    const plain = replace(value);
    if (ArrayBuffer.isView(plain)) return writeArray(plain);
    if (Array.isArray(plain)) return plain.map(write);
    if (plain instanceof Map) return { [MARK]: 'Map', entries: [...plain].map(([k, v]) => [write(k), write(v)]) };
    return { [MARK]: 'object', fields: Object.entries(plain).map(([key, field]) => [key, write(field)]) };
  };
  const write = (value: unknown): Json => {
    if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
    if (value === undefined) return { [MARK]: 'undefined' };
    if (typeof value === 'bigint') return { [MARK]: 'bigint', text: String(value) };
    if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : { [MARK]: 'number', text: Object.is(value, -0) ? '-0' : String(value) };
    if (typeof value === 'object') return writeObject(value);
    throw new AnychipError('internal', `a ${typeof value} cannot be packed`);
  };
  const json = JSON.stringify(write(root));
  return { json, bytes: join(blobs, length) };
}

function join(blobs: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const blob of blobs) {
    all.set(blob, at);
    at += blob.byteLength;
  }
  return all;
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

const damaged = (what: string): never => {
  throw new AnychipError('bad-file', `packed data is damaged: ${what}`, { hint: 'Write the file again.' });
};

type Marked = { readonly [key: string]: unknown };
type Reader = (record: Marked, read: (json: unknown) => unknown, bytes: Uint8Array, seen: readonly unknown[]) => unknown;

const textOf = (record: Marked): string => (typeof record['text'] === 'string' ? record['text'] : damaged('a number without text'));
const pairsOf = (pairs: unknown): (readonly [unknown, unknown])[] =>
  Array.isArray(pairs) ? pairs.map((pair) => (Array.isArray(pair) ? [pair[0], pair[1]] : damaged('an entry'))) : damaged('entries');

/** By mark. */
const readers: Readonly<Record<string, Reader>> = {
  undefined: () => undefined,
  bigint: (record) => BigInt(textOf(record)),
  number: (record) => Number(textOf(record)),
  ref: (record, _read, _bytes, seen) => (typeof record['id'] === 'number' && record['id'] in seen ? seen[record['id']] : damaged('a reference')),
  Map: (record, read) => new Map(pairsOf(record['entries']).map(([key, value]) => [read(key), read(value)])),
  object: (record, read) => Object.fromEntries(pairsOf(record['fields']).map(([key, value]) => [String(key), read(value)])),
  ...Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, arrayReader(array)])),
};

function arrayReader(array: (typeof arrays)[keyof typeof arrays]): Reader {
  return (record, _read, bytes) => {
    const { at, bytes: size } = record;
    const fits = typeof at === 'number' && typeof size === 'number' && at >= 0 && size >= 0 && at + size <= bytes.byteLength && size % array.BYTES_PER_ELEMENT === 0;
    // A copy, also of what Node reads: aligned, and free of the file.
    return fits ? new array(new Uint8Array(bytes.subarray(at, at + size)).buffer) : damaged('an array outside its block');
  };
}

/** What `pack` was given, after `replace`; `restore` makes objects again of what `replace` made plain. */
export function unpack(packed: Packed, restore: (value: object) => object = (value) => value): unknown {
  const seen: unknown[] = [];
  const objects = new Set(['Map', 'object', ...Object.keys(arrays)]);
  const read = (json: unknown): unknown => {
    if (typeof json !== 'object' || json === null) return json;
    const mark: unknown = Array.isArray(json) ? undefined : Object.getOwnPropertyDescriptor(json, MARK)?.value;
    if (!Array.isArray(json) && (typeof mark !== 'string' || !Object.hasOwn(readers, mark))) return damaged('an unknown mark');
    const id = Array.isArray(json) || objects.has(String(mark)) ? seen.push(undefined) - 1 : undefined;
    const plain = Array.isArray(json) ? json.map(read) : readers[String(mark)]!({ ...json }, read, packed.bytes, seen);
    const value = id !== undefined && typeof plain === 'object' && plain !== null ? restore(plain) : plain;
    if (id !== undefined) seen[id] = value;
    return value;
  };
  return read(parse(packed.json));
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return damaged('not JSON');
  }
}
