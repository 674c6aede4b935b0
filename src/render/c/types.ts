// How the languages of C's family spell the types and constants of kernel IR, and the storage types of buffers.
// A vector of bools is a vector of 32-bit masks, 0 or −1; a scalar bool is an int, 0 or 1.
import { AnychipError, invariant } from '../../core/error.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { ComputeDType, ExprType } from '../../kernel/ir.ts';
import type { Dialect, FloatSyntax, Real } from './dialect.ts';

/** `index` is the dialect's. */
export const scalarTypes = { f32: 'float', f64: 'double', i32: 'int', u32: 'unsigned', i64: 'i64', u64: 'u64', bool: 'int' } as const satisfies Record<
  Exclude<ComputeDType, 'index'>,
  string
>;

/** The dtype whose vectors hold lanes of this one. */
const laneDTypes = { f32: 'f32', i32: 'i32', u32: 'u32', bool: 'i32' } as const satisfies Partial<Record<ComputeDType, string>>;
const isLaneDType = (dtype: ComputeDType): dtype is keyof typeof laneDTypes => dtype in laneDTypes;

/** A name for a vector type: `f32x8`. */
export function typeName({ dtype, lanes }: ExprType): string {
  invariant(isLaneDType(dtype), `vectors have no lanes of ${dtype}`);
  return `${laneDTypes[dtype]}x${lanes}`;
}

/** A type as a part of an identifier. */
export const typeTag = (type: ExprType): string => (type.lanes === 1 ? type.dtype : typeName(type));

/** How elements of a dtype lie in memory. */
export interface Storage {
  readonly c: string;
  readonly bytes: number;
  /** The compute type that loads give and stores take. */
  readonly dtype: ComputeDType;
  /** How the language converts it, where it does. */
  readonly float?: FloatSyntax;
  /** Integers narrower than their storage are wrapped to this many bits. */
  readonly bits?: number;
}

const storages: Partial<Record<NumericDType, Storage>> = {
  f64: { c: 'double', bytes: 8, dtype: 'f64' },
  // Where the machine converts them itself: in all others they are integers by now.
  f16: { c: 'half', bytes: 2, dtype: 'f32' },
  bf16: { c: 'bfloat16_t', bytes: 2, dtype: 'f32' },
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

/** Small floats that a machine does not know are integers by now (kernel/smallFloats.ts). */
export function storageOf(dtype: NumericDType): Storage {
  const storage = storages[dtype];
  if (storage === undefined) throw new AnychipError('unsupported', `buffers of ${dtype} cannot be rendered in C`, { hint: 'Let the node that makes it run on the host.' });
  return storage;
}

/** As `storageOf`, in a language that may convert small floats itself. */
export function storageIn({ floats }: Dialect, dtype: NumericDType): Storage {
  const float = dtype === 'f16' || dtype === 'bf16' ? floats?.[dtype] : undefined;
  return float === undefined ? storageOf(dtype) : { c: float.c, bytes: 2, dtype: 'f32', float };
}

/** The small floats that stay what they are in kernels for the language. */
export const convertedBy = ({ floats = {} }: Dialect): readonly NumericDType[] => (['f16', 'bf16'] as const).filter((dtype) => floats[dtype] !== undefined);

const floatText = (value: number): string => {
  const text = String(value);
  return /[.e]/.test(text) ? text : Object.is(value, -0) ? '-0.0' : `${text}.0`;
};

function realText(dialect: Dialect, dtype: Real, value: number): string {
  if (Number.isNaN(value)) return dialect.nan(dtype);
  if (!Number.isFinite(value)) return `${value < 0 ? '-' : ''}${dialect.infinity(dtype)}`;
  return `${floatText(value)}${dtype === 'f32' ? 'f' : ''}`;
}

const wrapSigned = (value: bigint, bits: number, min: string): string => {
  const wrapped = BigInt.asIntN(bits, value);
  // The literal of the least integer is out of range before its minus sign.
  return wrapped === -(1n << BigInt(bits - 1)) ? min : String(wrapped);
};

const constants: { readonly [D in ComputeDType]: (value: number | bigint, dialect: Dialect) => string } = {
  f32: (value, dialect) => realText(dialect, 'f32', Math.fround(Number(value))),
  f64: (value, dialect) => realText(dialect, 'f64', Number(value)),
  i32: (value) => wrapSigned(BigInt(value), 32, '(-2147483647 - 1)'),
  u32: (value) => `${BigInt.asUintN(32, BigInt(value))}u`,
  i64: (value, { wideSuffix }) =>
    BigInt.asIntN(64, BigInt(value)) === -(2n ** 63n) ? `(-9223372036854775807${wideSuffix} - 1)` : `${BigInt.asIntN(64, BigInt(value))}${wideSuffix}`,
  u64: (value, { wideSuffix }) => `${BigInt.asUintN(64, BigInt(value))}u${wideSuffix}`,
  bool: (value) => (Number(value) === 0 ? '0' : '1'),
  index: (value, { wideSuffix }) => (Math.abs(Number(value)) < 2 ** 31 ? String(value) : `${value}${wideSuffix}`),
};

/** A scalar constant as an expression; negative numbers come in parentheses. */
export function constantText(dialect: Dialect, dtype: ComputeDType, value: number | bigint): string {
  const text = constants[dtype](value, dialect);
  return text.startsWith('-') ? `(${text})` : text;
}
