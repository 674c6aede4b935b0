// Fourier transforms as matrix products. A vector of complex numbers [n, 2] is a vector of 2n reals, so a transform is one product
// with a constant matrix; long ones are split (Cooley and Tukey, 1965), long primes become convolutions (Bluestein, 1970).
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { padAxis, sliceAxis } from './views.ts';

/** Transforms of at most this length are one matrix product. */
const DENSE_LENGTH = 512;

/** Which bins are wanted, of which transform. Not scaled. */
export interface Transform {
  readonly length: number;
  readonly bins: number;
  readonly inverse: boolean;
}

/** cos and sin of 2π·turns/length, as [re, im] of the transform's root of unity. */
function root(turns: number, { length, inverse }: Pick<Transform, 'length' | 'inverse'>): readonly [number, number] {
  const angle = ((inverse ? 2 : -2) * Math.PI * (turns % length)) / length;
  return [Math.cos(angle), Math.sin(angle)];
}

/** x [B, length, 1 | 2] → [B, bins, 2]. */
export function transform(b: Builder, x: Operand, t: Transform): Operand {
  if (t.length <= DENSE_LENGTH) return dense(b, x, t);
  const factor = splitFactor(t.length);
  const complex = x.shape[2] === 2 ? x : padAxis(b, x, 2, 0, 1);
  const all = factor === 1 ? bluestein(b, complex, t) : split(b, complex, t, factor);
  return sliceAxis(b, all, 1, 0, t.bins);
}

/** Real parts of a transform of complex x [B, length, 2] → [B, bins, 1]. */
export const realPart = (b: Builder, x: Operand): Operand => sliceAxis(b, x, 2, 0, 1);

/** The divisor nearest to √n among those of at most DENSE_LENGTH; 1 when there is none. */
function splitFactor(n: number): number {
  for (let d = Math.min(Math.floor(Math.sqrt(n)), DENSE_LENGTH); d > 1; d--) if (n % d === 0) return d;
  return 1;
}

function dense(b: Builder, x: Operand, t: Transform): Operand {
  const [batch, parts] = [x.shape[0]!, x.shape[2]!];
  const matrix: number[] = [];
  for (let n = 0; n < t.length; n++) {
    const row = Array.from({ length: t.bins }, (_, k) => root(n * k, t));
    matrix.push(...row.flat());
    if (parts === 2) for (const [re, im] of row) matrix.push(-im, re);
  }
  const weights = b.constant(tensorFrom(x.dtype, [t.length * parts, t.bins * 2], matrix));
  return b.reshape(b.matmul(b.reshape(x, [batch, t.length * parts]), weights), [batch, t.bins, 2]);
}

/** length = p·q: q transforms of p elements, a turn of each element, p transforms of q elements. */
function split(b: Builder, x: Operand, t: Transform, p: number): Operand {
  const [batch, q] = [x.shape[0]!, t.length / p];
  const columns = b.transpose(b.reshape(x, [batch, p, q, 2]), [0, 2, 1, 3]);
  const inner = transform(b, b.reshape(columns, [batch * q, p, 2]), { ...t, length: p, bins: p });
  const turns = Array.from({ length: q * p }, (_, i) => root(Math.floor(i / p) * (i % p), t));
  const turned = mulComplex(b, b.reshape(inner, [batch, q, p, 2]), complexConstant(b, x, [1, q, p, 2], turns));
  const rows = b.reshape(b.transpose(turned, [0, 2, 1, 3]), [batch * p, q, 2]);
  const outer = b.reshape(transform(b, rows, { ...t, length: q, bins: q }), [batch, p, q, 2]);
  return b.reshape(b.transpose(outer, [0, 2, 1, 3]), [batch, t.length, 2]);
}

/** n·k = (n² + k² − (k−n)²)/2 makes the transform a convolution with a chirp, done by transforms of a power of two. */
function bluestein(b: Builder, x: Operand, t: Transform): Operand {
  const { length } = t;
  const size = 2 ** Math.ceil(Math.log2(2 * length - 1));
  // n² is reduced modulo 2·length exactly: angles of half turns.
  const chirp = Array.from({ length }, (_, n) => root(Number((BigInt(n) * BigInt(n)) % BigInt(2 * length)), { length: 2 * length, inverse: t.inverse }));
  const kernel = Array.from({ length: size }, (_, i) => {
    const [re, im] = chirp[i < length ? i : size - i] ?? [0, 0];
    return [re, -im] as const;
  });
  const chirps = complexConstant(b, x, [1, length, 2], chirp);
  const padded = padAxis(b, mulComplex(b, x, chirps), 1, 0, size - length);
  const spectrum = transform(b, padded, { length: size, bins: size, inverse: false });
  const response = transform(b, complexConstant(b, x, [1, size, 2], kernel), { length: size, bins: size, inverse: false });
  const convolved = transform(b, mulComplex(b, spectrum, response), { length: size, bins: length, inverse: true });
  return mulComplex(b, b.mul(convolved, b.scalar(x.dtype, 1 / size)), chirps);
}

const complexConstant = (b: Builder, like: Operand, shape: readonly number[], values: readonly (readonly [number, number])[]): Operand =>
  b.constant(tensorFrom(like.dtype, shape, values.flat()));

/** The product of complex tensors [..., 2]; the second one broadcasts. */
function mulComplex(b: Builder, x: Operand, y: Operand): Operand {
  const last = x.shape.length - 1;
  const part = (v: Operand, i: number): Operand => sliceAxis(b, v, last, i, 1);
  const re = b.sub(b.mul(part(x, 0), part(y, 0)), b.mul(part(x, 1), part(y, 1)));
  const im = b.add(b.mul(part(x, 0), part(y, 1)), b.mul(part(x, 1), part(y, 0)));
  return b.concat([re, im], last);
}
