// sin, cos, tan and their inverses.
import { cast } from '../build.ts';
import type { Expr } from '../ir.ts';
import { arithmeticOf, head, overRoot, polynomials } from './arithmetic.ts';
import type { Arithmetic } from './arithmetic.ts';
import { lanewise } from './exponential.ts';
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
  const x = m.wide ? m.out.bindIf(isHuge, angle, () => remainder(angle, m.number(2 * Math.PI), m.out)) : angle;
  const n = m.bind(m.unary('rint', m.mul(x, 2 / Math.PI)));
  const r = m.bind((m.wide ? HALF_PI_WIDE : HALF_PI_NARROW).reduce<Expr>((rest, part) => m.fma(n, -part, rest), x));
  const z = m.bind(m.mul(r, r));
  return { sin: m.bind(m.mul(r, m.polynomial(sinTerms(m), z))), cos: m.bind(m.polynomial(cosTerms(m), z)), turns: m.bind(m.toInt(n)) };
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

/** Angles too large for f32's parts of π/2 are reduced in f64; that branch is taken where any lane needs it. */
export function circular(fn: 'sin' | 'cos' | 'tan', m: Arithmetic, x: Expr): Expr {
  const angle = m.bind(x);
  const near = m.bind(fromAngle[fn](m, reduceAngle(m, angle)));
  if (m.wide) return near;
  const isFar = m.bind(m.gt(m.unary('abs', angle), NARROW_LIMIT));
  const anyFar: Expr = m.lanes === 1 ? isFar : { kind: 'across', type: { dtype: 'bool', lanes: 1 }, fn: 'or', x: isFar };
  return m.out.bindIf(anyFar, near, () =>
    lanewise([angle], m.out, ([scalar]) => {
      const wide = arithmeticOf(cast('f64', scalar!), m.out);
      return cast('f32', fromAngle[fn](wide, reduceAngle(wide, m.out.bind(cast('f64', scalar!)))));
    }),
  );
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
