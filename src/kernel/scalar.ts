// Arithmetic on single values of the compute types, as JavaScript numbers and bigints: each result is what a machine of that type
// gives. Total tables; i64 and u64 are bigints, bools are 0 and 1. Where the IR promises nothing, an error says so.
import { AnychipError } from '../core/error.ts';
import { roundEven } from '../core/float.ts';
import { erf, pow } from '../core/math.ts';
import type { BinaryFn, CompareFn, ComputeDType, UnaryFn } from './ir.ts';

export type Scalar = number | bigint;

const undefinedResult = (what: string): never => {
  throw new AnychipError('internal', what, { hint: 'This is a bug in anychip; please report it with the model.' });
};

/** A number as a value of the type: rounded, or wrapped modulo 2^bits. `index` is exact up to 2^53. */
const settle: { readonly [D in Exclude<ComputeDType, 'i64' | 'u64'>]: (x: number) => number } = {
  f32: Math.fround,
  f64: (x) => x,
  i32: (x) => x | 0,
  u32: (x) => x >>> 0,
  bool: (x) => (x === 0 ? 0 : 1),
  index: (x) => (Number.isSafeInteger(x) ? x + 0 : undefinedResult(`an index of ${x}`)),
};
const settleWide = (dtype: 'i64' | 'u64', x: bigint): bigint => (dtype === 'i64' ? BigInt.asIntN(64, x) : BigInt.asUintN(64, x));
const isWide = (dtype: ComputeDType): dtype is 'i64' | 'u64' => dtype === 'i64' || dtype === 'u64';
const isReal = (dtype: ComputeDType): boolean => dtype === 'f32' || dtype === 'f64';

/** A constant as the type holds it; integers wrap. */
export const constantScalar = (dtype: ComputeDType, value: Scalar): Scalar =>
  isWide(dtype) ? settleWide(dtype, BigInt(value)) : settle[dtype](typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : value);

const rint = (x: number): number => (Number.isFinite(x) ? (x < 0 ? -roundEven(-x) : x === 0 ? x : roundEven(x)) : x);

const unaryNumber: { readonly [F in UnaryFn]: (x: number) => number } = {
  neg: (x) => -x,
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  rint,
  trunc: Math.trunc,
  sqrt: Math.sqrt,
  not: (x) => (x === 0 ? 1 : 0),
  bitNot: (x) => ~x,
  exp: Math.exp,
  log: Math.log,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
};
const unaryWide: { readonly [F in UnaryFn]?: (x: bigint) => bigint } = { neg: (x) => -x, abs: (x) => (x < 0n ? -x : x), bitNot: (x) => ~x };

export function unaryScalar(fn: UnaryFn, dtype: ComputeDType, x: Scalar): Scalar {
  if (isWide(dtype)) return settleWide(dtype, (unaryWide[fn] ?? (() => undefinedResult(`${fn} of ${dtype}`)))(BigInt(x)));
  return settle[dtype](unaryNumber[fn](Number(x)));
}

interface BinaryRules {
  readonly real: (a: number, b: number) => number;
  /** 32-bit integers, bools and indices. */
  readonly whole: (a: number, b: number) => number;
  readonly wide: (a: bigint, b: bigint) => bigint;
}
const none = (what: string) => (): never => undefinedResult(what);
const divisor = <T extends Scalar>(x: T): T => (x == 0 ? undefinedResult('an integer division by zero') : x); // oxlint-disable-line eqeqeq -- both 0 and 0n
const count = (x: Scalar, bits: number): number => (x >= 0 && x < bits ? Number(x) : undefinedResult(`a shift by ${x} of ${bits} bits`));
const least = <T extends Scalar>(a: T, b: T): T => (a < b ? a : b);
const greatest = <T extends Scalar>(a: T, b: T): T => (a > b ? a : b);

const binaryRules: { readonly [F in BinaryFn]: BinaryRules } = {
  add: { real: (a, b) => a + b, whole: (a, b) => a + b, wide: (a, b) => a + b },
  sub: { real: (a, b) => a - b, whole: (a, b) => a - b, wide: (a, b) => a - b },
  mul: { real: (a, b) => a * b, whole: (a, b) => (Number.isSafeInteger(a * b) ? a * b : Math.imul(a, b)), wide: (a, b) => a * b },
  div: { real: (a, b) => a / b, whole: (a, b) => Math.trunc(a / divisor(b)), wide: (a, b) => a / divisor(b) },
  rem: { real: (a, b) => a % b, whole: (a, b) => a % divisor(b), wide: (a, b) => a % divisor(b) },
  min: { real: least, whole: least, wide: least },
  max: { real: greatest, whole: greatest, wide: greatest },
  and: { real: none('and of floats'), whole: (a, b) => a & b, wide: (a, b) => a & b },
  or: { real: none('or of floats'), whole: (a, b) => a | b, wide: (a, b) => a | b },
  xor: { real: none('xor of floats'), whole: (a, b) => a ^ b, wide: (a, b) => a ^ b },
  shl: { real: none('shl of floats'), whole: (a, b) => a << count(b, 32), wide: (a, b) => a << BigInt(count(b, 64)) },
  shr: { real: none('shr of floats'), whole: (a, b) => (a < 0 ? a >> count(b, 32) : a >>> count(b, 32)), wide: (a, b) => a >> BigInt(count(b, 64)) },
  pow: { real: pow, whole: none('pow of integers'), wide: none('pow of integers') },
};

export function binaryScalar(fn: BinaryFn, dtype: ComputeDType, a: Scalar, b: Scalar): Scalar {
  if (dtype === 'index' && fn === 'mul') return settle.index(Number(a) * Number(b));
  if (isWide(dtype)) return settleWide(dtype, binaryRules[fn].wide(BigInt(a), BigInt(b)));
  return settle[dtype](binaryRules[fn][isReal(dtype) ? 'real' : 'whole'](Number(a), Number(b)));
}

const compareRules: { readonly [F in CompareFn]: (a: Scalar, b: Scalar) => boolean } = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};
export const compareScalar = (fn: CompareFn, a: Scalar, b: Scalar): Scalar => (compareRules[fn](a, b) ? 1 : 0);

/** a·b + c, rounded once for f64 up to what JavaScript offers, and for f32 up to double rounding: the IR leaves open whether it is fused. */
export const fmaScalar = (dtype: ComputeDType, a: Scalar, b: Scalar, c: Scalar): Scalar =>
  dtype === 'f32' ? Math.fround(Number(a) * Number(b) + Number(c)) : Number(a) * Number(b) + Number(c);

/** Digits kept before the last rounding of a 64-bit integer to f32. */
const KEPT_BITS = 40n;

/** A 64-bit integer as f32, rounded once: bits dropped on the way leave a trace in the lowest one kept. */
function roundWide(x: bigint): number {
  const magnitude = x < 0n ? -x : x;
  const drop = BigInt(magnitude.toString(2).length) - KEPT_BITS;
  if (drop <= 0n) return Math.fround(Number(x));
  const kept = (magnitude >> drop) | ((magnitude >> drop) << drop === magnitude ? 0n : 1n);
  return Math.fround(Number(kept) * 2 ** Number(drop)) * (x < 0n ? -1 : 1);
}

/** By value. NaN and what is out of range become 0, one of the values that the IR allows. */
export function castScalar(from: ComputeDType, to: ComputeDType, x: Scalar): Scalar {
  if (to === 'f32' && isWide(from)) return roundWide(BigInt(x));
  if (isWide(to)) {
    const whole = typeof x === 'bigint' ? x : Number.isFinite(x) ? BigInt(Math.trunc(x)) : 0n;
    const wrapped = settleWide(to, whole);
    return isReal(from) && wrapped !== whole ? 0n : wrapped;
  }
  if (to === 'bool') return x == 0 ? 0 : 1; // oxlint-disable-line eqeqeq -- both 0 and 0n
  if (isReal(to) || !isReal(from)) return settle[to](typeof x === 'bigint' && to !== 'index' && !isReal(to) ? Number(BigInt.asIntN(32, x)) : Number(x));
  const whole = Math.trunc(Number(x)) + 0;
  return settle[to](whole) === whole ? whole : 0;
}

const scratch = new DataView(new ArrayBuffer(8));
const writeBits: { readonly [D in ComputeDType]?: (x: Scalar) => void } = {
  f32: (x) => scratch.setFloat32(0, Number(x)),
  i32: (x) => scratch.setInt32(0, Number(x)),
  u32: (x) => scratch.setUint32(0, Number(x)),
  f64: (x) => scratch.setFloat64(0, Number(x)),
  i64: (x) => scratch.setBigInt64(0, BigInt(x)),
  u64: (x) => scratch.setBigUint64(0, BigInt(x)),
};
const readBits: { readonly [D in ComputeDType]?: () => Scalar } = {
  f32: () => scratch.getFloat32(0),
  i32: () => scratch.getInt32(0),
  u32: () => scratch.getUint32(0),
  f64: () => scratch.getFloat64(0),
  i64: () => scratch.getBigInt64(0),
  u64: () => scratch.getBigUint64(0),
};

/** The same bits as a value of another type of the same width. */
export function bitcastScalar(from: ComputeDType, to: ComputeDType, x: Scalar): Scalar {
  const [write, read] = [writeBits[from], readBits[to]];
  if (write === undefined || read === undefined) return undefinedResult(`a bitcast of ${from} to ${to}`);
  write(x);
  return read();
}
