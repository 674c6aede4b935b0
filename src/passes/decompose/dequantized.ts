// Products of what was dequantised: where the machine multiplies small integers faster than floats, the integers are multiplied and the
// sums scaled, Σ (a − za)·sa·(b − zb)·sb = sa·sb·Σ (a − za)(b − zb). The sums are exact, so the result is off by the rounding of three steps
// alone, less than sums in f32 are.
import { elementCount } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { numberReader } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { PrimAttrs } from '../../graph/prims.ts';
import { LEAST_WORDS, integerConv, integerMatmul } from './integerProducts.ts';
import { matmulBy } from './products.ts';

/** (values − zero)·scale, in f32. Scale and zero point have the rank of the values. */
export interface Dequantized {
  readonly values: Operand;
  readonly zero: Operand | undefined;
  readonly scale: Operand;
}

/** What operands were made of, which constants that were folded do not tell any more. */
const known = new WeakMap<Operand, Dequantized>();

/** Remembers what `y` was made of, where it is what integers of 8 bits and a scale of f32 give. */
export function noteDequantized(y: Operand, parts: Dequantized): void {
  const { dtype } = parts.values;
  if (y.dtype === 'f32' && parts.scale.dtype === 'f32' && (dtype === 'i8' || dtype === 'u8')) known.set(y, parts);
}

/** The transposed operand, which was dequantised if `x` was. */
export function transposed(b: Builder, x: Operand, perm: readonly number[]): Operand {
  const y = b.transpose(x, perm);
  const parts = known.get(x);
  if (parts !== undefined) {
    const turned = (v: Operand): Operand => b.transpose(v, perm);
    known.set(y, { values: turned(parts.values), zero: parts.zero === undefined ? undefined : turned(parts.zero), scale: turned(parts.scale) });
  }
  return y;
}

/** Whether scale and zero point are the same along `axes`. */
const isEven = ({ scale, zero }: Dequantized, axes: readonly number[]): boolean => [scale, zero].every((v) => v === undefined || axes.every((axis) => v.shape.at(axis) === 1));
const isSingle = (parts: Dequantized): boolean => isEven(parts, [...parts.scale.shape.keys()]);
/** Of no rank where it is one value. */
const zeroOf = (b: Builder, { zero }: Dequantized): Operand | undefined => (zero !== undefined && elementCount(zero.shape) === 1 ? b.reshape(zero, []) : zero);

/** (values − zero)·scale. */
export function dequantize(b: Builder, parts: Dequantized): Operand {
  const wide = b.cast(parts.values, 'i32');
  const offset = parts.zero === undefined ? wide : b.sub(wide, b.cast(parts.zero, 'i32'));
  const y = b.mul(b.cast(offset, 'f32'), parts.scale);
  noteDequantized(y, parts);
  return y;
}

/** `pick` of x, which chooses some of its elements by their order: of the integers, where x is made of some and one positive scale, so that what follows can multiply them. */
export function pickInOrder(b: Builder, x: Operand, pick: (x: Operand) => Operand): Operand {
  const parts = known.get(x);
  const scale = parts !== undefined && isSingle(parts) ? b.valueOf(parts.scale) : undefined;
  if (parts === undefined || scale === undefined || !(numberReader(scale)(0) > 0)) return pick(x);
  return dequantize(b, { ...parts, values: pick(parts.values) });
}

/** Of each difference from a zero point. */
const LARGEST = 255;
/** Whether no sum of this many products leaves i32. */
const isHeld = (depth: number): boolean => depth * LARGEST * LARGEST < 2 ** 31;

const scaled = (b: Builder, sums: Operand, p: Operand, q: Operand): Operand => b.mul(b.cast(sums, 'f32'), b.mul(p, q));

/** NumPy's matmul of two dequantised operands, f32; undefined where they are not, or where integers gain nothing. */
export function dequantizedMatmul(b: Builder, x: Operand, y: Operand): Operand | undefined {
  const [p, q] = [known.get(x), known.get(y)];
  if (b.integers === undefined || p === undefined || q === undefined || x.shape.length < 2 || y.shape.length < 2) return undefined;
  const depth = x.shape.at(-1)!;
  if (!isEven(p, [-1]) || !isEven(q, [-2]) || depth < LEAST_WORDS || !isHeld(depth)) return undefined;
  return scaled(
    b,
    matmulBy(b, p.values, q.values, (v, w) => integerMatmul(b, { values: v, zero: zeroOf(b, p) }, { values: w, zero: zeroOf(b, q) }), isSingle(p)),
    p.scale,
    q.scale,
  );
}

/** A convolution of two dequantised operands, f32; undefined as above. */
export function dequantizedConv(b: Builder, x: Operand, w: Operand, attrs: Omit<PrimAttrs['conv'], 'acc'>): Operand | undefined {
  const [p, q] = [known.get(x), known.get(w)];
  if (b.integers === undefined || p === undefined || q === undefined || !isSingle(p)) return undefined;
  const taps = w.shape.slice(1);
  const rest = taps.map((_, i) => i + 1);
  if (!isEven(q, rest) || taps[0]! < LEAST_WORDS || !isHeld(elementCount(taps))) return undefined;
  const sums = integerConv(b, { values: p.values, zero: zeroOf(b, p) }, { values: q.values, zero: q.zero }, attrs);
  const along: Shape = sums.shape.map((_, i) => (i === 1 ? q.scale.shape[0]! : 1));
  return scaled(b, sums, b.reshape(p.scale, []), b.reshape(q.scale, along));
}
