// Mathematical functions as plain arithmetic of the kernel IR, so that every chip computes them alike and a renderer needs no library.
// The methods are classical (Cody & Waite, Software Manual for the Elementary Functions, 1980); the polynomials are fitted in fit.ts.
// Results are within a few units in the last place; sin, cos and tan of f64 beyond 2^30 are less exact, and exponentials below √2 times
// the smallest normal number are 0.
import type { BinaryFn, ComputeDType, Expr, Kernel, UnaryFn } from './ir.ts';
import { arithmeticOf } from './math/arithmetic.ts';
import type { Arithmetic } from './math/arithmetic.ts';
import { exp, log } from './math/exponential.ts';
import { acosh, asinh, atanh, cosh, erf, sinh, tanh } from './math/hyperbolic.ts';
import { pow } from './math/power.ts';
import { remainder } from './math/remainder.ts';
import { isRounding, roundings } from './math/rounding.ts';
import { acos, asin, atan, circular } from './math/trigonometric.ts';
import { rewriteKernel } from './rewriteKernel.ts';

const MATH_UNARY = ['exp', 'log', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'asinh', 'acosh', 'atanh', 'erf'] as const satisfies readonly UnaryFn[];
export type MathUnary = (typeof MATH_UNARY)[number];
export type MathBinary = Extract<BinaryFn, 'pow'>;
const mathUnary: ReadonlySet<UnaryFn> = new Set(MATH_UNARY);
export const isMathUnary = (fn: UnaryFn): fn is MathUnary => mathUnary.has(fn);
export const isMathBinary = (fn: BinaryFn): fn is MathBinary => fn === 'pow';

const unaryMath: { readonly [F in MathUnary]: (m: Arithmetic, x: Expr) => Expr } = {
  exp,
  log,
  sin: (m, x) => circular('sin', m, x),
  cos: (m, x) => circular('cos', m, x),
  tan: (m, x) => circular('tan', m, x),
  asin,
  acos,
  atan,
  sinh,
  cosh,
  tanh,
  asinh,
  acosh,
  atanh,
  erf,
};

const isReal = (dtype: ComputeDType): boolean => dtype === 'f32' || dtype === 'f64';

/** The kernel without mathematical functions, powers, and remainders of floats. `doubles`: whether the machine computes in f64 itself. */
export const expandMath = (kernel: Kernel, doubles = true): Kernel =>
  rewriteKernel(kernel, {
    prefix: 'm',
    expr: (e, out) => {
      if (e.kind === 'unary' && isMathUnary(e.fn)) return unaryMath[e.fn](arithmeticOf(e.x, out), e.x);
      if (e.kind !== 'binary' || !isReal(e.type.dtype)) return e;
      if (e.fn === 'pow') return pow(e.a, e.b, out, doubles);
      return e.fn === 'rem' ? remainder(e.a, e.b, out, doubles) : e;
    },
  });

/** The kernel with rounding to whole numbers as arithmetic, except for functions that `has` holds. */
export const expandRounding = (kernel: Kernel, has: (fn: UnaryFn, dtype: ComputeDType) => boolean): Kernel =>
  rewriteKernel(kernel, {
    prefix: 'w',
    expr: (e, out) => (e.kind === 'unary' && isRounding(e.fn) && !has(e.fn, e.type.dtype) ? roundings[e.fn](arithmeticOf(e.x, out), e.x) : e),
  });
