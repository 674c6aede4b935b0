// sinh, cosh, tanh, their inverses, and erf: near 0 a polynomial, since differences of exponentials lose there, elsewhere exp and log.
import type { Expr } from '../ir.ts';
import { overRoot, polynomials } from './arithmetic.ts';
import type { Arithmetic } from './arithmetic.ts';
import { exp, log } from './exponential.ts';
import { erf as erfOf, fitPolynomial } from './fit.ts';

type Terms = (m: Arithmetic) => readonly number[];
const oddTerms = (f: (x: number) => number, limit: number, largest: number, degree: number, wideDegree: number): Terms =>
  polynomials((d) => fitPolynomial(overRoot(f, limit), 0, largest ** 2, d), degree, wideDegree);

/** An odd function: x·p(x²) for |x| < limit, else `far(|x|)` with the sign of x. */
function odd(m: Arithmetic, x: Expr, limit: number, terms: Terms, far: (magnitude: Expr) => Expr): Expr {
  const value = m.bind(x);
  const magnitude = m.bind(m.unary('abs', value));
  const near = m.bind(m.mul(value, m.polynomial(terms(m), m.bind(m.mul(value, value)))));
  return m.select(m.lt(magnitude, limit), near, m.withSignOf(m.bind(far(magnitude)), value));
}

const sinhTerms = oddTerms(Math.sinh, 1, 1, 4, 8);
const tanhTerms = oddTerms(Math.tanh, 1, 0.632, 5, 14);
const asinhTerms = oddTerms(Math.asinh, 1, 0.5, 6, 16);
const atanhTerms = oddTerms(Math.atanh, 1, 0.5, 7, 16);
const erfTerms = oddTerms(erfOf, 2 / Math.sqrt(Math.PI), 1, 6, 12);

/** e^|x|/2 as two factors, e^(|x|/2)/2 and e^(|x|/2), since it overflows later than e^|x|. */
function halves(m: Arithmetic, magnitude: Expr): readonly [half: Expr, root: Expr] {
  const root = m.bind(exp(m, m.bind(m.mul(magnitude, 0.5))));
  return [m.bind(m.mul(root, 0.5)), root];
}

export const sinh = (m: Arithmetic, x: Expr): Expr =>
  odd(m, x, 1, sinhTerms, (magnitude) => {
    const [half, root] = halves(m, magnitude);
    return m.sub(m.mul(half, root), m.div(m.div(0.5, root), root));
  });

export function cosh(m: Arithmetic, x: Expr): Expr {
  const [half, root] = halves(m, m.bind(m.unary('abs', x)));
  return m.add(m.mul(half, root), m.div(m.div(0.5, root), root));
}

export const tanh = (m: Arithmetic, x: Expr): Expr => odd(m, x, 0.625, tanhTerms, (magnitude) => m.sub(1, m.div(2, m.add(exp(m, m.bind(m.add(magnitude, magnitude))), 1))));

/** log(x + root(x)), or log x + ln 2 where x² is too large. */
function logOfSum(m: Arithmetic, x: Expr, root: (x: Expr) => Expr): Expr {
  const isHuge = m.bind(m.gt(x, 2 ** 28));
  const sum = m.bind(m.select(isHuge, x, m.add(x, root(x))));
  return m.add(log(m, sum), m.select(isHuge, Math.LN2, 0));
}

export const asinh = (m: Arithmetic, x: Expr): Expr => odd(m, x, 0.5, asinhTerms, (magnitude) => logOfSum(m, magnitude, (v) => m.unary('sqrt', m.fma(v, v, 1))));

/** acosh(1 + t)/√(2t). */
const acoshTerms = polynomials((degree) => fitPolynomial((t) => (t < 1e-9 ? 1 : Math.log1p(t + Math.sqrt(t * (t + 2))) / Math.sqrt(2 * t)), 0, 0.5, degree), 5, 16);
export function acosh(m: Arithmetic, x: Expr): Expr {
  const value = m.bind(x);
  const t = m.bind(m.sub(value, 1));
  const near = m.bind(m.mul(m.unary('sqrt', m.add(t, t)), m.polynomial(acoshTerms(m), t)));
  const far = m.bind(logOfSum(m, value, (v) => m.unary('sqrt', m.sub(m.mul(v, v), 1))));
  return m.select(m.lt(value, 1.5), near, far);
}

export const atanh = (m: Arithmetic, x: Expr): Expr => odd(m, x, 0.5, atanhTerms, (magnitude) => m.mul(log(m, m.bind(m.div(m.add(1, magnitude), m.sub(1, magnitude)))), 0.5));

/** Beyond these the error function is 1 in f32 and in f64. */
const ERF_END = { f32: 4, f64: 6 };
const erfFarTerms = polynomials(
  (degree) => {
    const end = degree > 20 ? ERF_END.f64 : ERF_END.f32;
    return fitPolynomial((u) => erfOf((1 + end) / 2 + ((end - 1) / 2) * u), -1, 1, degree);
  },
  14,
  36,
);
export const erf = (m: Arithmetic, x: Expr): Expr =>
  odd(m, x, 1, erfTerms, (magnitude) => {
    const end = m.wide ? ERF_END.f64 : ERF_END.f32;
    const u = m.bind(m.mul(m.sub(m.min(end, magnitude), (1 + end) / 2), 2 / (end - 1)));
    return m.polynomial(erfFarTerms(m), u);
  });
