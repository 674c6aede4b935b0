// NumPy's .npy files, versions 1 to 3 (numpy.lib.format): one array, any byte order, C or Fortran order, numbers and strings.
// Pickled objects are refused. dtypes that NumPy has no name for are not written.
import { dtypes } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { elementCount, forEachIndex, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { bytesOf, createTensor, stringTensor } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59] as const;
const ALIGNMENT = 64;
/** A header names one dtype and a short shape. */
const LONGEST_HEADER = 1 << 16;

const names = {
  b1: 'bool',
  i1: 'i8',
  i2: 'i16',
  i4: 'i32',
  i8: 'i64',
  u1: 'u8',
  u2: 'u16',
  u4: 'u32',
  u8: 'u64',
  f2: 'f16',
  f4: 'f32',
  f8: 'f64',
} as const satisfies Readonly<Record<string, NumericDType>>;
const codes = new Map<NumericDType, string>(Object.entries(names).map(([code, dtype]) => [dtype, code] as const));
const isName = (code: string): code is keyof typeof names => Object.hasOwn(names, code);

const bad = (reason: string, hint = 'Write the array again with numpy.save.'): never => {
  throw new AnychipError('bad-file', `not a readable .npy file: ${reason}`, { hint });
};

/** Whether NumPy has a name for the dtype. */
export const hasNumpyName = (tensor: Tensor): boolean => tensor.dtype === 'string' || codes.has(tensor.dtype);

interface Header {
  readonly order: string;
  readonly code: string;
  readonly width: number;
  readonly isFortran: boolean;
  readonly shape: Shape;
  readonly start: number;
}

function readHeader(bytes: Uint8Array): Header {
  if (bytes.length < 10 || MAGIC.some((b, i) => bytes[i] !== b)) bad('it does not begin as one');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLong = bytes[6]! >= 2;
  if (bytes[6]! < 1 || bytes[6]! > 3 || (isLong && bytes.length < 12)) bad(`version ${bytes[6]}.${bytes[7]}`);
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (isLong ? 12 : 10) + length;
  if (length > LONGEST_HEADER || start > bytes.length) bad(`a header of ${length} bytes`);
  const text = new TextDecoder(bytes[6] === 3 ? 'utf-8' : 'latin1').decode(bytes.subarray(start - length, start));
  const descr = /'descr'\s*:\s*'([<>|=]?)([a-zA-Z])(\d+)'/.exec(text);
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (descr === null || fortran === null || shape === null)
    return bad(`a header that names no simple dtype: ${text.trim().slice(0, 120)}`, 'Arrays of numbers, bools or strings can be read; objects and records cannot.');
  const dims = shape[1]!
    .split(',')
    .map((d) => d.replace('L', '').trim())
    .filter((d) => d !== '')
    .map(Number);
  return { order: descr[1]!, code: descr[2]!, width: Number(descr[3]), isFortran: fortran[1] === 'True', shape: dims, start };
}

/** Bytes of each element reversed. */
function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i += width) for (let b = 0; b < width; b++) out[i + b] = bytes[i + width - 1 - b]!;
  return out;
}

/** Column-major elements in row-major order. */
function fromFortran<T extends Tensor>(tensor: T, order: (flat: readonly number[]) => T): T {
  const strides = stridesOf(tensor.shape.toReversed()).toReversed();
  const source: number[] = [];
  forEachIndex(tensor.shape, (index) => source.push(index.reduce((sum, i, axis) => sum + i * strides[axis]!, 0)));
  return order(source);
}

export function decodeNpy(bytes: Uint8Array): Tensor {
  const { order, code, width, isFortran, shape, start } = readHeader(bytes);
  const isText = code === 'U' || code === 'S';
  const unit = code === 'U' ? width * 4 : width;
  const need = elementCount(shape) * unit;
  if (!Number.isSafeInteger(need) || bytes.length - start !== need) bad(`${bytes.length - start} bytes of data where ${need} are needed for shape [${shape.join(', ')}]`);
  const raw = bytes.subarray(start);
  if (isText) {
    const data = Array.from({ length: elementCount(shape) }, (_, i) => textAt(raw.subarray(i * unit, (i + 1) * unit), code, order === '>'));
    const tensor = stringTensor(shape, data);
    return isFortran
      ? fromFortran(tensor, (source) =>
          stringTensor(
            shape,
            source.map((i) => data[i]!),
          ),
        )
      : tensor;
  }
  const name = `${code}${width}`;
  if (!isName(name)) return bad(`dtype '${name}'`, `dtypes are ${Object.keys(names).join(', ')}, and strings.`);
  const tensor = createTensor(names[name], shape);
  bytesOf(tensor).set(order === '>' && width > 1 ? swapped(raw, width) : raw);
  return isFortran ? fromFortran(tensor, (source) => reordered(tensor, source)) : tensor;
}

function reordered(tensor: NumericTensor, source: readonly number[]): NumericTensor {
  const out = createTensor(tensor.dtype, tensor.shape);
  source.forEach((from, to) => (out.data[to] = tensor.data[from]!));
  return out;
}

/** One string: UTF-32 or bytes, padded with zeros. */
function textAt(bytes: Uint8Array, code: string, isBig: boolean): string {
  if (code === 'S') return new TextDecoder().decode(bytes).replace(/\0+$/, '');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = '';
  for (let at = 0; at < bytes.length; at += 4) {
    const point = view.getUint32(at, !isBig);
    if (point > 0x10ffff) bad(`a character ${point}`);
    text += String.fromCodePoint(point);
  }
  return text.replace(/\0+$/, '');
}

/** The tensor as a .npy file of version 1, or 2 for a very long shape. */
export function encodeNpy(tensor: Tensor): Uint8Array {
  const body = tensor.dtype === 'string' ? textBody(tensor.data) : { code: codes.get(tensor.dtype), bytes: bytesOf(tensor) };
  if (body.code === undefined) throw new AnychipError('unsupported', `NumPy has no dtype ${tensor.dtype}`, { hint: 'Write it as ONNX (.pb).' });
  const order = tensor.dtype !== 'string' && dtypes[tensor.dtype].bytes === 1 ? '|' : '<';
  const shape = tensor.shape.length === 1 ? `(${tensor.shape[0]},)` : `(${tensor.shape.join(', ')})`;
  const text = `{'descr': '${order}${body.code}', 'fortran_order': False, 'shape': ${shape}, }`;
  const isLong = text.length + ALIGNMENT > 0xffff;
  const lead = isLong ? 12 : 10;
  const length = Math.ceil((lead + text.length + 1) / ALIGNMENT) * ALIGNMENT - lead;
  const out = new Uint8Array(lead + length + body.bytes.length);
  out.set([...MAGIC, isLong ? 2 : 1, 0]);
  const view = new DataView(out.buffer);
  if (isLong) view.setUint32(8, length, true);
  else view.setUint16(8, length, true);
  out.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), lead);
  out.set(body.bytes, lead + length);
  return out;
}

function textBody(items: readonly string[]): { readonly code: string; readonly bytes: Uint8Array } {
  const points = items.map((text) => Array.from(text, (c) => c.codePointAt(0)!));
  const width = Math.max(1, ...points.map((p) => p.length));
  const data = new Uint32Array(items.length * width);
  points.forEach((p, i) => data.set(p, i * width));
  return { code: `U${width}`, bytes: new Uint8Array(data.buffer) };
}
