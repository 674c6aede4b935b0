// a^b. In f64 through e^(b·log |a|), which is exact enough for f32 too; where a machine has no f64, f32 powers are computed in pairs of f32.
import { assign, cast, constant, declare, index, loop, variable } from '../build.ts';
import type { Expr } from '../ir.ts';
import type { StatementWriter } from '../rewriteKernel.ts';
import { arithmeticOf, overRoot, polynomials } from './arithmetic.ts';
import type { Arithmetic } from './arithmetic.ts';
import { gradualExp, lanewise, ln2, log, splitPower } from './exponential.ts';
import { fitPolynomial } from './fit.ts';

/** Integer exponents up to this are products, which are exact where the result is a small integer. */
const LARGEST_PRODUCT = 63;

/** x^|n| by squaring, or its reciprocal for n < 0. */
function productOf(m: Arithmetic, x: Expr, n: Expr): Expr {
  const { out } = m;
  const count = out.bind(m.toInt(m.unary('abs', n)));
  const [product, square, bit] = [out.fresh(), out.fresh(), out.fresh()];
  out.push(declare(product, m.number(1)));
  out.push(declare(square, x));
  const [p, s] = [variable(product, 'f64'), variable(square, 'f64')];
  const isSet = m.ne(m.and(m.shr(count, cast('i64', variable(bit))), m.int(1)), m.int(0));
  out.push(loop(bit, index(0), index(Math.ceil(Math.log2(LARGEST_PRODUCT))), [assign(product, m.select(isSet, m.mul(p, s), p)), assign(square, m.mul(s, s))]));
  return m.select(m.lt(n, 0), m.div(1, p), p);
}

/** |x|^y, where that is neither trivial nor a matter of signs. */
type Power = (m: Arithmetic, magnitude: Expr, y: Expr, isInteger: Expr) => Expr;

/** a^b, with the cases of IEEE 754-2019 §9.2.1. */
function powBy(power: Power, m: Arithmetic, a: Expr, b: Expr): Expr {
  const [x, y] = [m.bind(a), m.bind(b)];
  const magnitude = m.bind(m.unary('abs', x));
  const isInteger = m.bind(m.eq(m.unary('trunc', y), y));
  const raised = m.bind(power(m, magnitude, y, isInteger));
  const half = m.bind(m.mul(y, 0.5));
  const isOdd = m.and(isInteger, m.ne(m.unary('trunc', half), half));
  const isNegative = m.ne(m.and(m.toBits(x), m.bits(m.wide ? 1n << 63n : 2 ** 31)), m.bits(0));
  const signed = m.bind(m.select(m.and(isNegative, isOdd), m.unary('neg', raised), raised));
  const isDefined = m.or(isInteger, m.or(m.ge(x, 0), m.or(m.eq(x, -Infinity), m.ne(x, x))));
  const result = m.bind(m.select(isDefined, signed, NaN));
  const isOne = m.or(m.eq(y, 0), m.or(m.eq(x, 1), m.and(m.eq(magnitude, 1), m.eq(m.unary('abs', y), Infinity))));
  return m.select(isOne, 1, result);
}

const wide: Power = (m, magnitude, y, isInteger) => {
  const isShort = m.and(isInteger, m.le(m.unary('abs', y), LARGEST_PRODUCT));
  const raised = m.out.bindIf(m.xor(isShort, constant('bool', 1)), m.number(1), () => gradualExp(m, m.bind(m.mul(y, log(m, magnitude)))));
  return m.out.bindIf(isShort, raised, () => productOf(m, magnitude, y));
};

// ── f32 alone ──

/** A number as the sum of two, the second far smaller. */
interface Pair {
  readonly high: Expr;
  readonly low: Expr;
}

/** The upper half of the mantissa's bits, and the rest: products of halves are exact (Dekker, 1971). */
function halvesOf(m: Arithmetic, x: Expr): Pair {
  const high = m.bind(m.fromBits(m.and(m.toBits(x), m.bits(0xfffff000))));
  return { high, low: m.bind(m.sub(x, high)) };
}

/** a·b and its rounding error. */
function productPair(m: Arithmetic, a: Expr, b: Expr): Pair {
  const high = m.bind(m.mul(a, b));
  const [x, y] = [halvesOf(m, a), halvesOf(m, b)];
  const partial = m.add(m.add(m.sub(m.mul(x.high, y.high), high), m.mul(x.high, y.low)), m.mul(x.low, y.high));
  return { high, low: m.bind(m.add(partial, m.mul(x.low, y.low))) };
}

/** a + b and its rounding error, where |a| ≥ |b| or a is 0. */
function sumPair(m: Arithmetic, a: Expr, b: Expr): Pair {
  const high = m.bind(m.add(a, b));
  return { high, low: m.bind(m.sub(b, m.sub(high, a))) };
}

/** (atanh(s)/s − 1)/s² as a polynomial in s²: what the logarithm adds to 2s. */
const restTerms = polynomials((degree) => fitPolynomial((z) => (z < 1e-6 ? 1 / 3 + z / 5 : (overRoot(Math.atanh, 1)(z) - 1) / z), 0, 0.0295, degree), 3, 8);

/** log x of a positive finite x, to about 2^-31 of it. */
function logPair(m: Arithmetic, x: Expr): Pair {
  const { n, fraction } = splitPower(m, x);
  const [f, below] = [m.bind(m.sub(fraction, 1)), m.bind(m.add(fraction, 1))];
  const belowLow = m.bind(m.sub(fraction, m.sub(below, 1)));
  const s = m.bind(m.div(f, below));
  const whole = productPair(m, s, below);
  const left = m.sub(m.sub(m.sub(f, whole.high), whole.low), m.mul(s, belowLow));
  const sLow = m.bind(m.div(left, below));
  const z = m.bind(m.mul(s, s));
  const [ln2High, ln2Low] = ln2(m);
  const twice = m.bind(m.add(s, s));
  const head = sumPair(m, m.bind(m.mul(n, ln2High)), twice);
  const rest = m.add(m.add(m.add(sLow, sLow), m.mul(twice, m.mul(z, m.polynomial(restTerms(m), z)))), m.mul(n, ln2Low));
  return sumPair(m, head.high, m.bind(m.add(head.low, rest)));
}

/** Integer exponents up to this take so few products that their rounding does not matter. */
const FEW_PRODUCTS = 4;
/** Integers below it, and their products below it, are exact. */
const EXACT_INTEGERS = 2 ** 24;

/** Products where they are exact, or few; e^(y·log |x|) in pairs elsewhere. */
const narrow: Power = (m, x, y, isInteger) => {
  const size = m.bind(m.unary('abs', y));
  const count = m.bind(m.toInt(m.min(LARGEST_PRODUCT, size)));
  let [product, square] = [m.number(1), x];
  for (let bit = 0; 2 ** bit <= LARGEST_PRODUCT; bit++) {
    product = m.bind(m.select(m.ne(m.and(count, m.int(2 ** bit)), m.int(0)), m.mul(product, square), product));
    square = m.bind(m.mul(square, square));
  }
  const isExact = m.and(m.eq(m.unary('trunc', x), x), m.lt(product, EXACT_INTEGERS));
  const isProduct = m.and(m.and(isInteger, m.le(size, LARGEST_PRODUCT)), m.or(m.le(size, FEW_PRODUCTS), isExact));
  const multiplied = m.select(m.lt(y, 0), m.div(1, product), product);

  const logarithm = logPair(m, x);
  const exponent = productPair(m, y, logarithm.high);
  const power = m.bind(gradualExp(m, exponent.high));
  // What rounding left out; beyond the range of f32 it may be no number.
  const low = m.add(exponent.low, m.mul(y, logarithm.low));
  const isInside = m.and(m.gt(power, 0), m.lt(power, Infinity));
  const raised = m.bind(m.select(isInside, m.fma(power, low, power), power));
  const isGrowing = m.bind(m.gt(y, 0));
  const ofZero = m.select(isGrowing, 0, Infinity);
  const ofInfinity = m.select(isGrowing, Infinity, 0);
  const finite = m.select(m.eq(x, 0), ofZero, m.select(m.eq(x, Infinity), ofInfinity, raised));
  return m.select(m.ne(x, x), NaN, m.select(isProduct, multiplied, m.select(m.ne(y, y), NaN, finite)));
};

/** `doubles`: whether the machine has f64. Powers of f32 then go through it, lane by lane. Small integers are exact either way. */
export function pow(a: Expr, b: Expr, out: StatementWriter, doubles: boolean): Expr {
  if (a.type.dtype === 'f64') return powBy(wide, arithmeticOf(a, out), a, b);
  if (!doubles) return powBy(narrow, arithmeticOf(a, out), a, b);
  return lanewise([out.bind(a), out.bind(b)], out, ([x, y]) => {
    const x64 = out.bind(cast('f64', x!));
    return cast('f32', powBy(wide, arithmeticOf(x64, out), x64, cast('f64', y!)));
  });
}
