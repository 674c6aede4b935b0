// Rounding to whole numbers as arithmetic, for vector units that have no instruction for it: adding and taking away the number from which
// on floats are whole rounds to the nearest, ties to even.
import type { Expr, UnaryFn } from '../ir.ts';
import type { Arithmetic } from './arithmetic.ts';

export type Rounding = Extract<UnaryFn, 'floor' | 'ceil' | 'rint' | 'trunc'>;

/** `round` is given |x| rounded to nearest, and |x|; numbers that are whole already, infinities and NaN stay as they are. */
function rounded(m: Arithmetic, value: Expr, round: (nearest: Expr, magnitude: Expr) => Expr): Expr {
  const x = m.bind(value);
  const whole = 2 ** m.layout.mantissa;
  const magnitude = m.bind(m.unary('abs', x));
  const nearest = m.bind(m.sub(m.add(magnitude, whole), whole));
  return m.select(m.lt(magnitude, whole), m.withSignOf(round(nearest, magnitude), x), x);
}

const rint = (m: Arithmetic, x: Expr): Expr => rounded(m, x, (nearest) => nearest);
const trunc = (m: Arithmetic, x: Expr): Expr => rounded(m, x, (nearest, magnitude) => m.select(m.gt(nearest, magnitude), m.sub(nearest, 1), nearest));
/** The next whole number towards −∞ where the nearest is above. */
function floor(m: Arithmetic, value: Expr): Expr {
  const x = m.bind(value);
  const nearest = m.bind(rint(m, x));
  return m.select(m.gt(nearest, x), m.sub(nearest, 1), nearest);
}
function ceil(m: Arithmetic, value: Expr): Expr {
  const x = m.bind(value);
  const nearest = m.bind(rint(m, x));
  // −0.5 goes to −0.
  return m.select(m.lt(nearest, x), m.withSignOf(m.unary('abs', m.add(nearest, 1)), x), nearest);
}

export const roundings: { readonly [F in Rounding]: (m: Arithmetic, x: Expr) => Expr } = { floor, ceil, rint, trunc };
export const isRounding = (fn: UnaryFn): fn is Rounding => Object.hasOwn(roundings, fn);
