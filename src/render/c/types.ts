// How C spells the types and constants of kernel IR, and the storage types of buffers.
// Vectors are GCC vector extensions: `f32x8`. A vector of bools is a vector of 32-bit masks, 0 or −1; a scalar bool is an int, 0 or 1.
import { AnychipError, invariant } from '../../core/error.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { ComputeDType, ExprType } from '../../kernel/ir.ts';

const scalarTypes = { f32: 'float', f64: 'double', i32: 'int', u32: 'unsigned', i64: 'i64', u64: 'u64', bool: 'int', index: 'i64' } as const satisfies Record<ComputeDType, string>;

/** The dtype whose vectors hold lanes of this one. */
const laneDTypes = { f32: 'f32', i32: 'i32', u32: 'u32', bool: 'i32' } as const satisfies Partial<Record<ComputeDType, string>>;
const isLaneDType = (dtype: ComputeDType): dtype is keyof typeof laneDTypes => dtype in laneDTypes;

export const scalarType = (dtype: ComputeDType): string => scalarTypes[dtype];

/** The name of the type: of a vector `f32x8`, of a scalar its C type. */
export function typeName({ dtype, lanes }: ExprType): string {
  if (lanes === 1) return scalarTypes[dtype];
  invariant(isLaneDType(dtype), `vectors have no lanes of ${dtype}`);
  return `${laneDTypes[dtype]}x${lanes}`;
}

/** Like `typeName`, as a part of an identifier. */
export const typeTag = (type: ExprType): string => (type.lanes === 1 ? type.dtype : typeName(type));

/** How elements of a dtype lie in memory. */
export interface Storage {
  readonly c: string;
  readonly bytes: number;
  /** The compute type that loads give and stores take. */
  readonly dtype: ComputeDType;
  /** Integers narrower than their storage are wrapped to this many bits. */
  readonly bits?: number;
}

const storages: Partial<Record<NumericDType, Storage>> = {
  f64: { c: 'double', bytes: 8, dtype: 'f64' },
  f32: { c: 'float', bytes: 4, dtype: 'f32' },
  i64: { c: 'i64', bytes: 8, dtype: 'i64' },
  i32: { c: 'int', bytes: 4, dtype: 'i32' },
  i16: { c: 'short', bytes: 2, dtype: 'i32' },
  i8: { c: 'i8', bytes: 1, dtype: 'i32' },
  i4: { c: 'i8', bytes: 1, dtype: 'i32', bits: 4 },
  i2: { c: 'i8', bytes: 1, dtype: 'i32', bits: 2 },
  u64: { c: 'u64', bytes: 8, dtype: 'u64' },
  u32: { c: 'unsigned', bytes: 4, dtype: 'u32' },
  u16: { c: 'u16', bytes: 2, dtype: 'u32' },
  u8: { c: 'u8', bytes: 1, dtype: 'u32' },
  u4: { c: 'u8', bytes: 1, dtype: 'u32', bits: 4 },
  u2: { c: 'u8', bytes: 1, dtype: 'u32', bits: 2 },
  bool: { c: 'u8', bytes: 1, dtype: 'bool' },
};

/** The small floats are integers by now (kernel/smallFloats.ts). */
export function storageOf(dtype: NumericDType): Storage {
  const storage = storages[dtype];
  if (storage === undefined) throw new AnychipError('unsupported', `buffers of ${dtype} cannot be rendered in C`, { hint: 'Let the node that makes it run on the host.' });
  return storage;
}

const floatText = (value: number): string => {
  const text = String(value);
  return /[.e]/.test(text) ? text : Object.is(value, -0) ? '-0.0' : `${text}.0`;
};

function special(value: number, suffix: '' | 'f'): string | undefined {
  if (Number.isNaN(value)) return `__builtin_nan${suffix}("")`;
  if (Number.isFinite(value)) return undefined;
  return `${value < 0 ? '-' : ''}__builtin_inf${suffix}()`;
}

const wrapSigned = (value: bigint, bits: number, min: string): string => {
  const wrapped = BigInt.asIntN(bits, value);
  // The literal of the least integer is out of range before its minus sign.
  return wrapped === -(1n << BigInt(bits - 1)) ? min : String(wrapped);
};

const constants: { readonly [D in ComputeDType]: (value: number | bigint) => string } = {
  f32: (value) => special(Math.fround(Number(value)), 'f') ?? `${floatText(Math.fround(Number(value)))}f`,
  f64: (value) => special(Number(value), '') ?? floatText(Number(value)),
  i32: (value) => wrapSigned(BigInt(value), 32, '(-2147483647 - 1)'),
  u32: (value) => `${BigInt.asUintN(32, BigInt(value))}u`,
  i64: (value) => (BigInt.asIntN(64, BigInt(value)) === -(2n ** 63n) ? '(-9223372036854775807ll - 1)' : `${BigInt.asIntN(64, BigInt(value))}ll`),
  u64: (value) => `${BigInt.asUintN(64, BigInt(value))}ull`,
  bool: (value) => (Number(value) === 0 ? '0' : '1'),
  index: (value) => (Math.abs(Number(value)) < 2 ** 31 ? String(value) : `${value}ll`),
};

/** A scalar constant as a C expression; negative numbers come in parentheses. */
export function constantText(dtype: ComputeDType, value: number | bigint): string {
  const text = constants[dtype](value);
  return text.startsWith('-') ? `(${text})` : text;
}
