// sin, cos, tan and their inverses.
import { cast } from '../build.ts';
import type { Expr } from '../ir.ts';
import { head, lazily, overRoot, polynomials } from './arithmetic.ts';
import type { Arithmetic } from './arithmetic.ts';
import { fitPolynomial } from './fit.ts';
import { remainder } from './remainder.ts';

/** π/2 = 1.57079632679489661923132169163975144; its first 33 bits, the next 33, and the rest (as Cody & Waite, ch. 8, split it). */
const HALF_PI_WIDE = [1.57079632673412561417, 6.0771005063039659766e-11, 2.02226624879595063154e-21] as const;
const halfPiHead = head(Math.PI / 2, 11);
const halfPiMiddle = head(Math.PI / 2 - halfPiHead, 11);
const HALF_PI_NARROW = [halfPiHead, halfPiMiddle, Math.PI / 2 - halfPiHead - halfPiMiddle] as const;
/** Above this the quadrant's number has more bits than the parts of π/2 leave free. */
const NARROW_LIMIT = 8192;

const LARGEST = (Math.PI / 4) ** 2;
const sinTerms = polynomials((degree) => fitPolynomial(overRoot(Math.sin, 1), 0, LARGEST, degree), 3, 7);
const cosTerms = polynomials((degree) => fitPolynomial((z) => Math.cos(Math.sqrt(z)), 0, LARGEST, degree), 4, 8);

/** Above this even f64's parts do not suffice: whole turns are taken off first, with the error that 2π itself has. */
const WIDE_LIMIT = 2 ** 30;

/** The exponent field of the first f32 beyond NARROW_LIMIT, and the weight of the first bit of 2/π that gives its product less than four. */
const [FIRST_EXPONENT, FIRST_WEIGHT] = [140, 12];
/** Words from which any f32 takes its four. */
const TABLE_WORDS = 7;

/** The bits of 2/π from that weight on, as words; π by Machin's formula. */
const turnBits = lazily((): readonly number[] => {
  const bits = 320n;
  const arctanOfInverse = (n: bigint): bigint => {
    let [term, sum] = [(1n << bits) / n, 0n];
    for (let k = 1n; term !== 0n; k += 2n, term /= -n * n) sum += term / k;
    return sum;
  };
  const pi = 16n * arctanOfInverse(5n) - 4n * arctanOfInverse(239n);
  const turn = (2n << (2n * bits)) / pi;
  return Array.from({ length: TABLE_WORDS }, (_, i) => Number((turn >> (bits + BigInt(FIRST_WEIGHT) - 32n * BigInt(i + 1))) & 0xffffffffn));
});

interface Angle {
  /** The sine and the cosine of the angle less its quarter turns. */
  readonly sin: Expr;
  readonly cos: Expr;
  /** Number of quarter turns, an integer of the layout's type. */
  readonly turns: Expr;
}

/** x = n·π/2 + r with |r| ≤ π/4, taken off in three parts. */
function reduceAngle(m: Arithmetic, angle: Expr): Angle {
  const isHuge = m.gt(m.unary('abs', angle), WIDE_LIMIT);
  const x = m.wide ? m.out.bindIf(isHuge, angle, () => remainder(angle, m.number(2 * Math.PI), m.out, true)) : angle;
  const n = m.bind(m.unary('rint', m.mul(x, 2 / Math.PI)));
  const r = m.bind((m.wide ? HALF_PI_WIDE : HALF_PI_NARROW).reduce<Expr>((rest, part) => m.fma(n, -part, rest), x));
  const z = m.bind(m.mul(r, r));
  return { sin: m.bind(m.mul(r, m.polynomial(sinTerms(m), z))), cos: m.bind(m.polynomial(cosTerms(m), z)), turns: m.bind(m.toInt(n)) };
}

/** f32 of any size: its mantissa times the bits of 2/π that matter gives quarter turns with 62 bits behind the point (Payne & Hanek, 1983). */
function reduceFar(m: Arithmetic, angle: Expr): Angle {
  const magnitude = m.bind(m.and(m.toBits(angle), m.bits(0x7fffffff)));
  const significand = m.bind(m.or(m.and(magnitude, m.bits(0x7fffff)), m.bits(0x800000)));
  // Bits of 2/π before this one give multiples of four.
  const first = m.bind(m.sub(m.shr(magnitude, m.bits(23)), m.bits(FIRST_EXPONENT)));
  const [word, shift] = [m.bind(m.shr(first, m.bits(5))), m.bind(m.and(first, m.bits(31)))];
  const table = turnBits();
  const at = (i: number): Expr => {
    const candidates = table.slice(i, table.length - 3 + i).map((bits) => m.bits(bits));
    return m.bind(candidates.reduce((found, bits, j) => m.select(m.eq(word, m.bits(j)), bits, found)));
  };
  const words = [0, 1, 2, 3].map(at);
  const window = [0, 1, 2].map((i) => m.bind(m.or(m.shl(words[i]!, shift), m.shr(m.shr(words[i + 1]!, m.bits(1)), m.sub(m.bits(31), shift)))));
  const [middle, least] = [productOf(m, significand, window[1]!), productOf(m, significand, window[2]!)];
  const low = m.bind(m.add(middle.low, least.high));
  const carry = m.select(m.lt(low, middle.low), m.bits(1), m.bits(0));
  const high = m.bind(m.add(m.add(m.mul(significand, window[0]!), middle.high), carry));
  const turns = m.bind(m.shr(m.add(high, m.bits(2 ** 29)), m.bits(30)));
  const part = m.bind(m.sub(high, m.shl(turns, m.bits(30))));
  const isBelow = m.bind(m.ge(part, m.bits(2 ** 31)));
  const [upper, lower] = [m.select(isBelow, m.unary('bitNot', part), part), m.select(isBelow, m.unary('bitNot', low), low)];
  const size = m.mul(m.fma(cast('f32', lower), 2 ** -32, cast('f32', upper)), 2 ** -30 * (Math.PI / 2));
  const isNegative = m.xor(isBelow, m.ne(m.shr(m.toBits(angle), m.bits(31)), m.bits(0)));
  const r = m.bind(negateIf(m, isNegative, size));
  const z = m.bind(m.mul(r, r));
  const count = m.bind(cast('i32', turns));
  const signed = m.select(m.lt(angle, 0), m.unary('neg', count), count);
  // Infinite angles have no sine.
  const defined = m.bind(m.select(m.ge(magnitude, m.bits(0x7f800000)), NaN, r));
  return { sin: m.bind(m.mul(defined, m.polynomial(sinTerms(m), z))), cos: m.bind(m.add(m.polynomial(cosTerms(m), z), m.sub(defined, defined))), turns: m.bind(signed) };
}

/** The words of the product of two u32, from products of halves. */
function productOf(m: Arithmetic, a: Expr, b: Expr): { readonly high: Expr; readonly low: Expr } {
  const half = m.bits(0xffff);
  const split = (x: Expr): readonly [Expr, Expr] => [m.bind(m.and(x, half)), m.bind(m.shr(x, m.bits(16)))];
  const [[a0, a1], [b0, b1]] = [split(a), split(b)];
  const low = m.bind(m.mul(a0, b0));
  const middle = m.bind(m.add(m.mul(a1, b0), m.shr(low, m.bits(16))));
  const other = m.bind(m.add(m.mul(a0, b1), m.and(middle, half)));
  return {
    low: m.bind(m.or(m.shl(other, m.bits(16)), m.and(low, half))),
    high: m.bind(m.add(m.add(m.mul(a1, b1), m.shr(middle, m.bits(16))), m.shr(other, m.bits(16)))),
  };
}

const hasBit = (m: Arithmetic, turns: Expr, bit: number): Expr => m.ne(m.and(turns, m.int(bit)), m.int(0));

const fromAngle: Readonly<Record<'sin' | 'cos' | 'tan', (m: Arithmetic, angle: Angle) => Expr>> = {
  sin: (m, { sin, cos, turns }) => negateIf(m, hasBit(m, turns, 2), m.select(hasBit(m, turns, 1), cos, sin)),
  cos: (m, { sin, cos, turns }) => negateIf(m, hasBit(m, m.bind(m.add(turns, m.int(1))), 2), m.select(hasBit(m, turns, 1), sin, cos)),
  tan: (m, { sin, cos, turns }) => {
    const isOdd = m.bind(hasBit(m, turns, 1));
    return m.div(negateIf(m, isOdd, m.select(isOdd, cos, sin)), m.select(isOdd, sin, cos));
  },
};

function negateIf(m: Arithmetic, condition: Expr, value: Expr): Expr {
  const x = m.bind(value);
  return m.select(condition, m.unary('neg', x), x);
}

/** Angles too large for f32's parts of π/2 are reduced in integers; that branch is taken where any lane needs it. */
export function circular(fn: 'sin' | 'cos' | 'tan', m: Arithmetic, x: Expr): Expr {
  const angle = m.bind(x);
  const near = m.bind(fromAngle[fn](m, reduceAngle(m, angle)));
  if (m.wide) return near;
  const isFar = m.bind(m.gt(m.unary('abs', angle), NARROW_LIMIT));
  const anyFar: Expr = m.lanes === 1 ? isFar : { kind: 'across', type: { dtype: 'bool', lanes: 1 }, fn: 'or', x: isFar };
  return m.out.bindIf(anyFar, near, () => m.select(isFar, fromAngle[fn](m, reduceFar(m, angle)), near));
}

const asinTerms = polynomials((degree) => fitPolynomial(overRoot(Math.asin, 1), 0, 0.25, degree), 5, 16);
const smallAsin = (m: Arithmetic, x: Expr, z: Expr): Expr => m.mul(x, m.polynomial(asinTerms(m), z));

/** Up to ½ a polynomial; beyond, asin x = π/2 − 2·asin √((1 − x)/2). */
export function asin(m: Arithmetic, x: Expr): Expr {
  const value = m.bind(x);
  const magnitude = m.bind(m.unary('abs', value));
  const isLarge = m.bind(m.gt(magnitude, 0.5));
  const z = m.bind(m.select(isLarge, m.mul(m.sub(1, magnitude), 0.5), m.mul(value, value)));
  const root = m.bind(m.select(isLarge, m.unary('sqrt', z), magnitude));
  const y = m.bind(smallAsin(m, root, z));
  return m.withSignOf(m.bind(m.select(isLarge, m.fma(y, -2, Math.PI / 2), y)), value);
}

export function acos(m: Arithmetic, x: Expr): Expr {
  const value = m.bind(x);
  const magnitude = m.bind(m.unary('abs', value));
  const isLarge = m.bind(m.gt(magnitude, 0.5));
  const z = m.bind(m.select(isLarge, m.mul(m.sub(1, magnitude), 0.5), m.mul(value, value)));
  const root = m.bind(m.select(isLarge, m.unary('sqrt', z), value));
  const y = m.bind(smallAsin(m, root, z));
  const far = m.select(m.lt(value, 0), m.fma(y, -2, Math.PI), m.add(y, y));
  return m.select(isLarge, far, m.sub(Math.PI / 2, y));
}

const EIGHTH = Math.tan(Math.PI / 8);
const atanTerms = polynomials((degree) => fitPolynomial(overRoot(Math.atan, 1), 0, EIGHTH ** 2, degree), 5, 14);

/** |x| is brought below tan(π/8) by atan x = π/2 − atan(1/x) and atan x = π/4 + atan((x − 1)/(x + 1)). */
export function atan(m: Arithmetic, x: Expr): Expr {
  const value = m.bind(x);
  const magnitude = m.bind(m.unary('abs', value));
  const isLarge = m.bind(m.gt(magnitude, 1));
  const inside = m.bind(m.select(isLarge, m.div(1, magnitude), magnitude));
  const isMiddle = m.bind(m.gt(inside, EIGHTH));
  const t = m.bind(m.select(isMiddle, m.div(m.sub(inside, 1), m.add(inside, 1)), inside));
  const y = m.bind(m.mul(t, m.polynomial(atanTerms(m), m.bind(m.mul(t, t)))));
  const upper = m.bind(m.select(isMiddle, m.add(y, Math.PI / 4), y));
  return m.withSignOf(m.bind(m.select(isLarge, m.sub(Math.PI / 2, upper), upper)), value);
}
