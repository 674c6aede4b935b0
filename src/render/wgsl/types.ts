// How WGSL spells the types and constants of kernel IR.
import { invariant } from '../../core/error.ts';
import type { ComputeDType } from '../../kernel/ir.ts';
import type { Library } from './library.ts';

export type WgslDType = Exclude<ComputeDType, 'f64'>;

/** The device stores no f64, so kernels that compute in it do not come here. */
export function wgslDType(dtype: ComputeDType): WgslDType {
  invariant(dtype !== 'f64', 'WGSL has no f64');
  return dtype;
}

/** Integers of 64 bits are a pair of words, low word first; positions have 32 bits; there is nothing like f64. */
export const typeNames = { f32: 'f32', i32: 'i32', u32: 'u32', i64: 'vec2u', u64: 'vec2u', bool: 'bool', index: 'i32' } as const satisfies Record<WgslDType, string>;

export const isWide = (dtype: ComputeDType): dtype is 'i64' | 'u64' => dtype === 'i64' || dtype === 'u64';

export const typeName = (dtype: ComputeDType): string => typeNames[wgslDType(dtype)];

const hex = (word: number): string => `0x${(word >>> 0).toString(16)}u`;
const pair = (bits: bigint): string => `vec2u(${hex(Number(bits & 0xffffffffn))}, ${hex(Number((bits >> 32n) & 0xffffffffn))})`;

const scratch = new DataView(new ArrayBuffer(4));
function bitsOfFloat(value: number): number {
  scratch.setFloat32(0, value);
  return scratch.getUint32(0);
}

function floatText(value: number, library: Library): string {
  // A constant expression must be a number, and the least ones may be taken for zero.
  if (!Number.isFinite(value) || (value !== 0 && Math.abs(value) < 2 ** -126)) return `${library.use('kept_f32')}(${hex(bitsOfFloat(value))})`;
  const text = Object.is(value, -0) ? '-0.0' : String(value);
  const literal = `${/[.e]/.test(text) ? text : `${text}.0`}f`;
  return literal.startsWith('-') ? `(${literal})` : literal;
}

const signed = (value: number | bigint): string => {
  const wrapped = BigInt.asIntN(32, BigInt(value));
  return wrapped < 0n ? `i32(${wrapped})` : `${wrapped}i`;
};

const constants: { readonly [D in WgslDType]: (value: number | bigint, library: Library) => string } = {
  f32: (value, library) => floatText(Math.fround(Number(value)), library),
  i32: signed,
  u32: (value) => `${BigInt.asUintN(32, BigInt(value))}u`,
  i64: (value) => pair(BigInt.asUintN(64, BigInt(value))),
  u64: (value) => pair(BigInt.asUintN(64, BigInt(value))),
  bool: (value) => (Number(value) === 0 ? 'false' : 'true'),
  index: signed,
};

export const constantText = (dtype: ComputeDType, value: number | bigint, library: Library): string => constants[wgslDType(dtype)](value, library);
