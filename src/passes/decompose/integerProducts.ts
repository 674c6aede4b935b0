// Products of tensors of 8-bit integers whose zero points are taken off first. Zero points do not go into the product, which stays one
// of bytes with sums of 32 bits, for machines that multiply bytes; what they add is taken off the sums:
//   Σ (a − za)(b − zb) = Σ ab − za·(Σ b − k·zb) − zb·Σ a
// All of it is exact, as sums of 32 bits wrap around. The factors get the dtypes that the machine multiplies, their zero points with them: i8
// for those that multiply whole matrices, those of `words` for those that multiply words, and i32, less the zero points, for all others.
import { elementCount } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { tensorFrom } from '../../core/tensor.ts';
import { wordLayouts } from '../../core/words.ts';
import type { WordParts } from '../../core/words.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { PrimAttrs } from '../../graph/prims.ts';
import { isZero } from './requantize.ts';
import { padAxis } from './views.ts';

/** Integers, and what is taken off each of them: of the same dtype, of a shape that broadcasts against them. */
export interface Shifted {
  readonly values: Operand;
  readonly zero: Operand | undefined;
}

const minus = (b: Builder, x: Operand, y: Operand | undefined): Operand => (y === undefined ? x : b.sub(x, y));

/** What is multiplied, and a zero point in i32; undefined where it is known to be 0. */
interface Factor {
  readonly values: Operand;
  readonly zero: Operand | undefined;
}

/** What is added to integers of one dtype so that they are those of another, in order. */
const LIFT = { u8: { u8: 0, i8: -128 }, i8: { u8: 128, i8: 0 } } as const;

/** Integers of 8 bits as those of `dtype`, moved so that their order stays. */
function lifted(b: Builder, x: Operand, dtype: 'u8' | 'i8'): Operand {
  const lift = LIFT[x.dtype === 'u8' ? 'u8' : 'i8'][dtype];
  return lift === 0 ? x : b.cast(b.add(b.cast(x, 'i32'), b.scalar('i32', lift)), dtype);
}

/** Integers that a run brings as the machine multiplies them, with their zero points (of shape `shape`): so they are kept once, for products and all others. */
export function asFactor(b: Builder, x: Operand, zero: Operand | null, shape: Shape): { readonly values: Operand; readonly zero: Operand | null } {
  const dtype = b.integers === undefined || b.integers === 'matrices' ? undefined : wordLayouts[b.integers].dtypes[0];
  if (x.dtype !== 'i8' || dtype !== 'u8' || b.constantOf(x) !== undefined) return { values: x, zero };
  return { values: lifted(b, x, dtype), zero: zero === null ? b.full(dtype, shape, LIFT.i8[dtype]) : lifted(b, zero, dtype) };
}

type FactorDType = 'u8' | 'i8' | 'i16' | 'i32';

/** The factor in `dtype`; i16 and i32 hold each difference from a zero point. */
function factorIn(b: Builder, { values, zero }: Shifted, dtype: FactorDType): Factor {
  const wide = zero === undefined ? undefined : b.cast(zero, 'i32');
  if (dtype === 'i16' || dtype === 'i32') return { values: b.cast(minus(b, b.cast(values, 'i32'), wide), dtype), zero: undefined };
  const lift = LIFT[values.dtype === 'u8' ? 'u8' : 'i8'][dtype];
  const moved = b.add(wide ?? b.scalar('i32', 0), b.scalar('i32', lift));
  return { values: lifted(b, values, dtype), zero: isZero(b, moved) ? undefined : moved };
}

/** Fewer points of a sum than this do not fill words. */
export const LEAST_WORDS = 2;

/** How the machine multiplies sums over `depth` points. */
const wordsFor = (b: Builder, depth: number): WordParts | undefined => (depth < LEAST_WORDS || b.integers === 'matrices' ? undefined : b.integers);
function dtypesOf({ integers }: Builder, words: WordParts | undefined): readonly [FactorDType, FactorDType] {
  if (words !== undefined) return wordLayouts[words].dtypes;
  return integers === undefined ? ['i32', 'i32'] : ['i8', 'i8'];
}

/** Words of neighbours along `axis`; what is missing is 0. */
function packed(b: Builder, x: Operand, axis: number, words: WordParts): Operand {
  const { count } = wordLayouts[words];
  const missing = -x.shape[axis]! & (count - 1);
  return b.words(padAxis(b, x, axis, 0, missing), words, axis);
}

const times = (b: Builder, x: Operand | undefined, y: Operand): Operand | undefined => (x === undefined ? undefined : b.mul(x, y));
const wideSum = (b: Builder, x: Operand, axes: readonly number[]): Operand => b.reduce('sum', b.cast(x, 'i32'), axes);

/** Σ (x − its zero)(y − its zero) of matrices [.., M, K] and [.., K, N] of equal rank, with zero points that broadcast against [.., M, 1] and [.., 1, N], in i32. */
export function integerMatmul(b: Builder, x: Shifted, y: Shifted): Operand {
  const rank = x.values.shape.length;
  const points = x.values.shape.at(-1)!;
  const words = wordsFor(b, points);
  const [p, q] = [factorIn(b, x, dtypesOf(b, words)[0]), factorIn(b, y, dtypesOf(b, words)[1])];
  const depth = b.scalar('i32', points);
  const product = words === undefined ? b.matmul(p.values, q.values, 'i32') : b.matmul(packed(b, p.values, rank - 1, words), packed(b, q.values, rank - 2, words), 'i32', words);
  const columns = p.zero === undefined ? undefined : minus(b, wideSum(b, q.values, [rank - 2]), times(b, q.zero, depth));
  const rows = q.zero === undefined ? undefined : wideSum(b, p.values, [rank - 1]);
  const withRows = minus(b, product, columns === undefined ? undefined : times(b, p.zero, columns));
  return minus(b, withRows, rows === undefined ? undefined : times(b, q.zero, rows));
}

/** Repeats what each group has, [N, groups, out…], for its filters. */
function spreadGroups(b: Builder, sums: Operand, filters: number): Operand {
  const [batch, groups, ...out] = sums.shape;
  if (groups === 1) return sums;
  const each = filters / groups!;
  return b.reshape(b.expand(b.reshape(sums, [batch!, groups!, 1, ...out]), [batch!, groups!, each, ...out]), [batch!, filters, ...out]);
}

function convOf(b: Builder, x: Operand, w: Operand, attrs: PrimAttrs['conv'], words: WordParts | undefined): Operand {
  if (words === undefined) return b.conv(x, w, attrs);
  const { groups } = attrs;
  const [batch, channels, ...space] = x.shape;
  const split = packed(b, b.reshape(x, [batch!, groups, channels! / groups, ...space]), 2, words);
  const filters = packed(b, w, 1, words);
  return b.conv(b.reshape(split, [batch!, groups * filters.shape[1]!, ...space]), filters, { ...attrs, words });
}

/** A convolution of x − its zero, a scalar, and w − its zero, which broadcasts against [O, 1…], in i32. Padding is what becomes 0. */
export function integerConv(b: Builder, x: Shifted, w: Shifted, attrs: Omit<PrimAttrs['conv'], 'acc'>): Operand {
  const [filters, ...taps] = w.values.shape;
  const words = wordsFor(b, taps[0]!);
  const [p, q] = [factorIn(b, x, dtypesOf(b, words)[0]), factorIn(b, w, dtypesOf(b, words)[1])];
  const borders = (sides: readonly number[]): readonly number[] => [0, 0, ...sides];
  const padded = p.zero === undefined ? p.values : b.pad(p.values, borders(attrs.low), borders(attrs.high), b.cast(p.zero, p.values.dtype));
  const none = attrs.low.map(() => 0);
  const window: PrimAttrs['conv'] = { ...attrs, ...(p.zero === undefined ? {} : { low: none, high: none }), acc: 'i32' };
  const sums = convOf(b, padded, q.values, window, words);
  const depth = b.scalar('i32', elementCount(taps));
  const rank = sums.shape.length;
  /** A value for each filter, or one, against [N, O, out…]. */
  const along = (v: Operand): Operand => (elementCount(v.shape) === 1 ? b.reshape(v, []) : b.reshape(v, [filters!, ...Array.from({ length: rank - 2 }, () => 1)]));
  const weights =
    p.zero === undefined
      ? undefined
      : along(
          minus(
            b,
            wideSum(
              b,
              q.values,
              taps.map((_, i) => i + 1),
            ),
            times(b, q.zero, depth),
          ),
        );
  const withWeights = minus(b, sums, weights === undefined ? undefined : times(b, b.reshape(p.zero!, []), weights));
  if (q.zero === undefined) return withWeights;
  const ones: Shape = [attrs.groups, ...taps];
  const filter = b.constant(tensorFrom(q.values.dtype, ones, new Float64Array(elementCount(ones)).fill(1)));
  const inputs = spreadGroups(b, convOf(b, padded, filter, window, words), filters!);
  return b.sub(withWeights, b.mul(along(q.zero), inputs));
}
