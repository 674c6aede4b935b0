// The language in which kernel mathematics is written: operands of one float type, f32 (any lanes) or f64 (scalar), beside plain numbers.
import { binary, bitcast, cast, compare, constant, fma, select, splat, unary } from '../build.ts';
import type { BinaryFn, CompareFn, Expr, UnaryFn } from '../ir.ts';
import type { StatementWriter } from '../rewriteKernel.ts';

/** What a float type is made of. */
export interface FloatLayout {
  readonly bits: 'u32' | 'u64';
  readonly int: 'i32' | 'i64';
  readonly mantissa: number;
  readonly bias: number;
  /** How many bits an exponent may have for Cody and Waite's constants to be exact when multiplied by it. */
  readonly headBits: number;
}
const layouts: { readonly f32: FloatLayout; readonly f64: FloatLayout } = {
  f32: { bits: 'u32', int: 'i32', mantissa: 23, bias: 127, headBits: 11 },
  f64: { bits: 'u64', int: 'i64', mantissa: 52, bias: 1023, headBits: 32 },
};

type Term = Expr | number;

export interface Arithmetic extends Readonly<Record<Exclude<BinaryFn, 'pow' | 'rem'> | CompareFn, (a: Term, b: Term) => Expr>> {
  readonly wide: boolean;
  readonly layout: FloatLayout;
  readonly out: StatementWriter;
  readonly lanes: number;
  readonly number: (value: number) => Expr;
  readonly unary: (fn: UnaryFn, x: Expr) => Expr;
  /** a·b + c. */
  readonly fma: (a: Term, b: Term, c: Term) => Expr;
  readonly select: (condition: Expr, a: Term, b: Term) => Expr;
  /** A name for a value that is used more than once. */
  readonly bind: (x: Expr) => Expr;
  /** Σ coefficients[i]·x^i. */
  readonly polynomial: (coefficients: readonly number[], x: Expr) => Expr;
  /** A constant of the unsigned integer type of the same width. */
  readonly bits: (value: number | bigint) => Expr;
  readonly toBits: (x: Expr) => Expr;
  readonly fromBits: (x: Expr) => Expr;
  /** By value, to and from the signed integer type of the same width. */
  readonly toInt: (x: Expr) => Expr;
  readonly fromInt: (x: Expr) => Expr;
  readonly int: (value: number) => Expr;
  /** `magnitude` (not negative) with the sign of `x`. */
  readonly withSignOf: (magnitude: Expr, x: Expr) => Expr;
}

/** Arithmetic on the type of `like`; what has to be named is named in `out`. */
export function arithmeticOf(like: Expr, out: StatementWriter): Arithmetic {
  const { dtype, lanes } = like.type;
  const wide = dtype === 'f64';
  const layout = wide ? layouts.f64 : layouts.f32;
  const number = (value: number): Expr => splat(constant(wide ? 'f64' : 'f32', wide ? value : Math.fround(value)), lanes);
  const lift = (x: Term): Expr => (typeof x === 'number' ? number(x) : x);
  const on =
    (fn: Exclude<BinaryFn, 'pow' | 'rem'>) =>
    (a: Term, b: Term): Expr =>
      binary(fn, lift(a), lift(b));
  const where =
    (fn: CompareFn) =>
    (a: Term, b: Term): Expr =>
      compare(fn, lift(a), lift(b));
  const bits = (value: number | bigint): Expr => splat(constant(layout.bits, wide ? BigInt(value) : Number(value)), lanes);
  const signBit = bits(wide ? 1n << 63n : 2 ** 31);
  const toBits = (x: Expr): Expr => bitcast(layout.bits, x);
  const fromBits = (x: Expr): Expr => bitcast(wide ? 'f64' : 'f32', x);
  const multiplyAdd = (a: Term, b: Term, c: Term): Expr => fma(lift(a), lift(b), lift(c));
  return {
    wide,
    layout,
    out,
    lanes,
    number,
    add: on('add'),
    sub: on('sub'),
    mul: on('mul'),
    div: on('div'),
    min: on('min'),
    max: on('max'),
    and: on('and'),
    or: on('or'),
    xor: on('xor'),
    shl: on('shl'),
    shr: on('shr'),
    eq: where('eq'),
    ne: where('ne'),
    lt: where('lt'),
    le: where('le'),
    gt: where('gt'),
    ge: where('ge'),
    unary,
    fma: multiplyAdd,
    select: (condition, a, b) => select(condition, lift(a), lift(b)),
    bind: (x) => out.bind(x),
    polynomial: (coefficients, x) => coefficients.slice(0, -1).reduceRight<Expr>((sum, c) => multiplyAdd(sum, x, c), number(coefficients.at(-1)!)),
    bits,
    toBits,
    fromBits,
    toInt: (x) => cast(layout.int, x),
    fromInt: (x) => cast(wide ? 'f64' : 'f32', x),
    int: (value) => splat(constant(layout.int, wide ? BigInt(value) : value), lanes),
    withSignOf: (magnitude, x) => fromBits(binary('or', toBits(magnitude), binary('and', toBits(x), signBit))),
  };
}

/** A function of √z over √z as a function of z, with its limit at 0: what an odd function leaves to a polynomial. */
export const overRoot =
  (f: (x: number) => number, limit: number) =>
  (z: number): number =>
    z < 1e-12 ? limit : f(Math.sqrt(z)) / Math.sqrt(z);

/** `value` to `bits` bits of mantissa. */
export function head(value: number, bits: number): number {
  const scale = 2 ** (bits - 1 - Math.floor(Math.log2(Math.abs(value))));
  return Math.trunc(value * scale) / scale;
}

/** Computed once, when first asked for. */
export function lazily<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}

/** The polynomial of each width: the lower degree reaches the precision of f32, the higher that of f64. */
export function polynomials(fit: (degree: number) => readonly number[], degree: number, wideDegree: number): (m: Arithmetic) => readonly number[] {
  const [narrow, wide] = [lazily(() => fit(degree)), lazily(() => fit(wideDegree))];
  return (m) => (m.wide ? wide() : narrow());
}
