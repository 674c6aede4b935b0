// How WGSL spells the types and constants of kernel IR.
import type { ComputeDType } from '../../kernel/ir.ts';
import type { Library } from './library.ts';

/** 64 bits are a pair of words, low word first; positions have 32 bits. */
export const typeNames = { f32: 'f32', f64: 'vec2u', i32: 'i32', u32: 'u32', i64: 'vec2u', u64: 'vec2u', bool: 'bool', index: 'i32' } as const satisfies Record<
  ComputeDType,
  string
>;

export const isWide = (dtype: ComputeDType): dtype is 'f64' | 'i64' | 'u64' => typeNames[dtype] === 'vec2u';

const hex = (word: number): string => `0x${(word >>> 0).toString(16)}u`;
const pair = (bits: bigint): string => `vec2u(${hex(Number(bits & 0xffffffffn))}, ${hex(Number((bits >> 32n) & 0xffffffffn))})`;

const scratch = new DataView(new ArrayBuffer(8));
function bitsOfDouble(value: number): bigint {
  scratch.setFloat64(0, value);
  return scratch.getBigUint64(0);
}
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

const constants: { readonly [D in ComputeDType]: (value: number | bigint, library: Library) => string } = {
  f32: (value, library) => floatText(Math.fround(Number(value)), library),
  f64: (value) => pair(bitsOfDouble(Number(value))),
  i32: signed,
  u32: (value) => `${BigInt.asUintN(32, BigInt(value))}u`,
  i64: (value) => pair(BigInt.asUintN(64, BigInt(value))),
  u64: (value) => pair(BigInt.asUintN(64, BigInt(value))),
  bool: (value) => (Number(value) === 0 ? 'false' : 'true'),
  index: signed,
};

export const constantText = (dtype: ComputeDType, value: number | bigint, library: Library): string => constants[dtype](value, library);
