// Scalar meaning of the elementwise primitives, as documented in graph/prims.ts: on numbers (floats, integers up to 32 bits, bool)
// and on bigints (64-bit integers). Results are rounded or wrapped when they are written.
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { roundEven } from '../../core/float.ts';
import { erf, pow } from '../../core/math.ts';
import type { BinaryFn, CompareFn, ReduceFn, UnaryFn } from '../../graph/prims.ts';

export const isWide = (dtype: NumericDType): boolean => dtype === 'i64' || dtype === 'u64';

export type NumberFn2 = (a: number, b: number) => number;
export type BigintFn2 = (a: bigint, b: bigint) => bigint;

const unsupported = (fn: string, dtype: string): never => {
  throw new AnychipError('shape', `${fn} is not defined on ${dtype}`);
};

export const numberUnary: { readonly [F in UnaryFn]: (x: number) => number } = {
  neg: (x) => -x,
  abs: Math.abs,
  sign: Math.sign,
  floor: Math.floor,
  ceil: Math.ceil,
  round: (x) => (Number.isFinite(x) ? roundEven(x) : x),
  trunc: Math.trunc,
  sqrt: Math.sqrt,
  reciprocal: (x) => 1 / x,
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
  not: (x) => (x === 0 ? 1 : 0),
  bitNot: (x) => ~x,
  isNaN: (x) => (Number.isNaN(x) ? 1 : 0),
  isInf: (x) => (x === Infinity || x === -Infinity ? 1 : 0),
};

const bigintUnary: { readonly [F in UnaryFn]?: (x: bigint) => bigint } = {
  neg: (x) => -x,
  abs: (x) => (x < 0n ? -x : x),
  sign: (x) => (x < 0n ? -1n : x > 0n ? 1n : 0n),
  bitNot: (x) => ~x,
};
export const wideUnary = (fn: UnaryFn): ((x: bigint) => bigint) => bigintUnary[fn] ?? (() => unsupported(fn, 'i64'));

/** a^b wrapped to 32 bits; b < 0 gives 0 unless a is ±1. */
function intPow(a: number, b: number): number {
  if (b < 0) return a === 1 ? 1 : a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
  let result = 1;
  let base = a;
  for (let e = b; e > 0; e = Math.floor(e / 2)) {
    if (e % 2 === 1) result = Math.imul(result, base);
    base = Math.imul(base, base);
  }
  return result;
}
const modOf = (a: number, b: number): number => {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
};

const floatBinary: { readonly [F in BinaryFn]: NumberFn2 } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  mod: modOf,
  rem: (a, b) => a % b,
  pow,
  min: Math.min,
  max: Math.max,
  and: () => unsupported('and', 'a float'),
  or: () => unsupported('or', 'a float'),
  xor: () => unsupported('xor', 'a float'),
  shl: () => unsupported('shl', 'a float'),
  shr: () => unsupported('shr', 'a float'),
};

/** `bits`: width of the dtype, for shifts. */
const intBinary = (bits: number): { readonly [F in BinaryFn]: NumberFn2 } => ({
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  div: (a, b) => (b === 0 ? 0 : Math.trunc(a / b)),
  mod: (a, b) => (b === 0 ? 0 : modOf(a, b)),
  rem: (a, b) => (b === 0 ? 0 : a % b),
  pow: intPow,
  min: Math.min,
  max: Math.max,
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => (b >= bits ? 0 : a << b),
  shr: (a, b) => (b >= bits ? 0 : a >>> b),
});
export const numberBinary = (fn: BinaryFn, dtype: NumericDType): NumberFn2 => (dtypes[dtype].class === 'float' ? floatBinary[fn] : intBinary(dtypes[dtype].bits)[fn]);

function widePow(a: bigint, b: bigint): bigint {
  if (b < 0n) return a === 1n ? 1n : a === -1n ? (b % 2n === 0n ? 1n : -1n) : 0n;
  let result = 1n;
  let base = a;
  for (let e = b; e > 0n; e >>= 1n) {
    if ((e & 1n) === 1n) result = BigInt.asUintN(64, result * base);
    base = BigInt.asUintN(64, base * base);
  }
  return result;
}

export const wideBinary: { readonly [F in BinaryFn]: BigintFn2 } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => (b === 0n ? 0n : a / b),
  mod: (a, b) => {
    if (b === 0n) return 0n;
    const r = a % b;
    return r !== 0n && r < 0n !== b < 0n ? r + b : r;
  },
  rem: (a, b) => (b === 0n ? 0n : a % b),
  pow: widePow,
  min: (a, b) => (a < b ? a : b),
  max: (a, b) => (a > b ? a : b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => (b >= 64n ? 0n : BigInt.asUintN(64, a << b)),
  shr: (a, b) => (b >= 64n ? 0n : BigInt.asUintN(64, a) >> b),
};

/** On numbers and bigints alike. */
export const comparisons: { readonly [F in CompareFn]: (a: number | bigint, b: number | bigint) => boolean } = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

const combining = { sum: 'add', prod: 'mul', max: 'max', min: 'min' } as const satisfies Record<ReduceFn, BinaryFn>;
export const numberReduce = (fn: ReduceFn, dtype: NumericDType): NumberFn2 => numberBinary(combining[fn], dtype);
export const wideReduce = (fn: ReduceFn): BigintFn2 => wideBinary[combining[fn]];

/** What reducing nothing gives. */
export function emptyValue(fn: ReduceFn, dtype: NumericDType): number | bigint {
  if (fn === 'sum') return 0;
  if (fn === 'prod') return 1;
  const { class: kind, bits } = dtypes[dtype];
  const lowest = fn === 'max';
  if (kind === 'float') return lowest ? -Infinity : Infinity;
  if (kind === 'bool') return lowest ? 0 : 1;
  const width = BigInt(bits);
  const signed = kind === 'int';
  return lowest ? (signed ? -(1n << (width - 1n)) : 0n) : (1n << (signed ? width - 1n : width)) - 1n;
}
