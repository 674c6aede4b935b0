// exp and log.
import { bitcast, constant, extract, pack } from '../build.ts';
import type { Expr } from '../ir.ts';
import type { StatementWriter } from '../rewriteKernel.ts';
import { head, overRoot, polynomials } from './arithmetic.ts';
import type { Arithmetic } from './arithmetic.ts';
import { fitPolynomial } from './fit.ts';

const LN2_LOW = { f32: Math.LN2 - head(Math.LN2, 11), f64: 1.9082149292705877e-10 };
/** ln 2 in two parts; the first times any exponent is exact. */
export const ln2 = (m: Arithmetic): readonly [number, number] => (m.wide ? [0.6931471803691238, LN2_LOW.f64] : [head(Math.LN2, 11), LN2_LOW.f32]);

const expTerms = polynomials((degree) => fitPolynomial(Math.exp, -Math.LN2 / 2, Math.LN2 / 2, degree), 6, 12);

/** 2^(k + plus) for integers in the normal range of exponents, or one below: 0. */
const powerOfTwo = (m: Arithmetic, k: Expr, plus = 0): Expr => m.fromBits(bitcast(m.layout.bits, m.shl(m.add(k, m.int(m.layout.bias + plus)), m.int(m.layout.mantissa))));

/** e^x for x from `low` on as n and e^r, e^x = 2^n·e^r with |r| ≤ ln 2 / 2 (Cody & Waite, Software Manual for the Elementary Functions, ch. 6). */
function reduce(m: Arithmetic, x: Expr, low: number): { readonly n: Expr; readonly r: Expr } {
  // The order of the operands lets NaN through.
  const inside = m.bind(m.min(m.wide ? 710 : 89, m.max(low, x)));
  const n = m.bind(m.unary('rint', m.mul(inside, Math.LOG2E)));
  const [ln2High, ln2Low] = ln2(m);
  return { n: m.bind(m.toInt(n)), r: m.bind(m.fma(n, -ln2Low, m.fma(n, -ln2High, inside))) };
}

/** e^x as 2·e^r·2^(n − 1): one factor, which is 0 where the result would be less than √2 times the smallest normal number. */
export function exp(m: Arithmetic, x: Expr): Expr {
  const { n, r } = reduce(m, x, m.wide ? -708.5 : -87.5);
  const doubled = expTerms(m).map((c) => 2 * c);
  return m.mul(m.polynomial(doubled, r), powerOfTwo(m, n, -1));
}

/** e^x down to the smallest number there is: 2^n as two factors, each in the normal range. */
export function gradualExp(m: Arithmetic, x: Expr): Expr {
  const { n, r } = reduce(m, x, m.wide ? -746 : -104);
  const half = m.bind(m.shr(n, m.int(1)));
  return m.mul(m.mul(m.polynomial(expTerms(m), r), powerOfTwo(m, half)), powerOfTwo(m, m.sub(n, half)));
}

/** s in log m = 2·s·(atanh(s)/s) for m in [√½, √2]: |s| ≤ 0.1716. */
const atanhTerms = polynomials((degree) => fitPolynomial(overRoot(Math.atanh, 1), 0, 0.0295, degree), 3, 8);

/** A positive number as 2^n·fraction with a fraction in [√½, √2). */
export function splitPower(m: Arithmetic, value: Expr): { readonly n: Expr; readonly fraction: Expr } {
  const { mantissa, bias } = m.layout;
  const isTiny = m.bind(m.lt(value, 2 ** (1 - bias)));
  const bits = m.bind(m.toBits(m.select(isTiny, m.mul(value, 2 ** mantissa), value)));
  // Bits of √½: subtracting them makes the exponent field count from there.
  const root = m.bind(m.sub(bits, m.bits(m.wide ? 0x3fe6a09e667f3bcdn : 0x3f3504f3)));
  const shifted = m.bind(m.shr(bitcast(m.layout.int, root), m.int(mantissa)));
  const fraction = m.bind(m.fromBits(m.sub(bits, bitcast(m.layout.bits, m.shl(shifted, m.int(mantissa))))));
  return { n: m.bind(m.sub(m.fromInt(shifted), m.select(isTiny, mantissa, 0))), fraction };
}

/** log x = n·ln 2 + log f with f in [√½, √2) (Cody & Waite, ch. 5). */
export function log(m: Arithmetic, x: Expr): Expr {
  const value = m.bind(x);
  const { n, fraction } = splitPower(m, value);
  const f = m.bind(m.sub(fraction, 1));
  const s = m.bind(m.div(f, m.add(f, 2)));
  const [ln2High, ln2Low] = ln2(m);
  const small = m.fma(m.add(s, s), m.polynomial(atanhTerms(m), m.bind(m.mul(s, s))), m.mul(n, ln2Low));
  const result = m.bind(m.fma(n, ln2High, small));
  const positive = m.select(m.eq(value, Infinity), Infinity, result);
  // A comparison with NaN is false, so NaN takes the last branch.
  return m.select(m.gt(value, 0), positive, m.select(m.eq(value, 0), -Infinity, NaN));
}

/** A function of scalars, for each lane of vectors. */
export function lanewise(xs: readonly Expr[], out: StatementWriter, apply: (scalars: readonly Expr[]) => Expr): Expr {
  const { lanes, dtype } = xs[0]!.type;
  if (lanes === 1) return out.bind(apply(xs));
  const scalar = (x: Expr, lane: number): Expr => (x.kind === 'splat' ? x.x : x.kind === 'const' ? constant(dtype, x.value) : extract(x, lane));
  return pack(Array.from({ length: lanes }, (_, lane) => out.bind(apply(xs.map((x) => out.bind(scalar(x, lane)))))));
}
