// Polynomials that stand for functions. They are computed from the functions' own definitions when they are first asked for, so no table
// of magic numbers has to be believed. It knows nothing of kernels.

/**
 * Coefficients, lowest power first, of the polynomial of `degree` through `f` at the Chebyshev nodes of [low, high]: within a small
 * factor of the best one (Trefethen, Approximation Theory and Approximation Practice, ch. 16).
 */
export function fitPolynomial(f: (x: number) => number, low: number, high: number, degree: number): number[] {
  const count = degree + 1;
  const [middle, half] = [(low + high) / 2, (high - low) / 2];
  const angles = Array.from({ length: count }, (_, i) => (Math.PI * (i + 0.5)) / count);
  const values = angles.map((angle) => f(middle + half * Math.cos(angle)));
  const series = Array.from({ length: count }, (_, k) => ((k === 0 ? 1 : 2) / count) * angles.reduce((sum, angle, i) => sum + values[i]! * Math.cos(k * angle), 0));
  return compose(chebyshevToPowers(series), -middle / half, 1 / half);
}

/** Σ series[k]·T_k(t) as powers of t. */
function chebyshevToPowers(series: readonly number[]): number[] {
  const result = series.map(() => 0);
  let [earlier, current] = [[1], [0, 1]];
  series.forEach((c, k) => {
    const term = k === 0 ? earlier : current;
    term.forEach((t, i) => (result[i]! += c * t));
    if (k > 0) [earlier, current] = [current, [0, ...current.map((t) => 2 * t)].map((t, i) => t - (earlier[i] ?? 0))];
  });
  return result;
}

/** The polynomial p(offset + scale·x) as powers of x. */
function compose(powers: readonly number[], offset: number, scale: number): number[] {
  let result: number[] = [];
  for (const c of powers.toReversed()) {
    const next = [0, ...result.map((r) => r * scale)];
    result.forEach((r, i) => (next[i]! += r * offset));
    next[0]! += c;
    result = next;
  }
  return result.slice(0, powers.length);
}

/** The error function, by a series of positive terms: full precision where it is not yet 1 (Abramowitz & Stegun 7.1.6). */
export function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 400 && term > sum * 1e-18; n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
