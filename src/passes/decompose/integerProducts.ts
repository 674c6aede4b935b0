// Products of tensors of 8-bit integers whose zero points are taken off first. Zero points do not go into the product, which stays one
// of bytes with sums of 32 bits, for machines that multiply bytes; what they add is taken off the sums:
//   Σ (a − za)(b − zb) = Σ ab − za·(Σ b − k·zb) − zb·Σ a
// All of it is exact, as sums of 32 bits wrap around. Every factor is i8, the one dtype that all such machines have: u8 is moved there, its
// zero point with it.
import { elementCount } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { numberReader, tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { PrimAttrs } from '../../graph/prims.ts';

/** Integers, and what is taken off each of them: of the same dtype, of a shape that broadcasts against them. */
export interface Shifted {
  readonly values: Operand;
  readonly zero: Operand | undefined;
}

/** i8, and a zero point in i32; undefined where it is known to be 0. */
interface Signed {
  readonly values: Operand;
  readonly zero: Operand | undefined;
}

/** What lies between the least values of u8 and of i8. */
const LIFT = 128;

function isZero(b: Builder, x: Operand): boolean {
  const tensor = b.valueOf(x);
  if (tensor === undefined) return false;
  const read = numberReader(tensor);
  return Array.from({ length: elementCount(x.shape) }, (_, i) => read(i)).every((value) => value === 0);
}

function signed(b: Builder, { values, zero }: Shifted): Signed {
  const wide = zero === undefined ? b.scalar('i32', 0) : b.cast(zero, 'i32');
  const move = (x: Operand): Operand => (values.dtype === 'i8' ? x : b.sub(x, b.scalar('i32', LIFT)));
  const moved = move(wide);
  return { values: b.cast(move(values.dtype === 'i8' ? values : b.cast(values, 'i32')), 'i8'), zero: isZero(b, moved) ? undefined : moved };
}

const minus = (b: Builder, x: Operand, y: Operand | undefined): Operand => (y === undefined ? x : b.sub(x, y));
const times = (b: Builder, x: Operand | undefined, y: Operand): Operand | undefined => (x === undefined ? undefined : b.mul(x, y));
const wideSum = (b: Builder, x: Operand, axes: readonly number[]): Operand => b.reduce('sum', b.cast(x, 'i32'), axes);

/** Σ (x − its zero)(y − its zero) of matrices [.., M, K] and [.., K, N] of equal rank, with zero points that broadcast against [.., M, 1] and [.., 1, N], in i32. */
export function integerMatmul(b: Builder, x: Shifted, y: Shifted): Operand {
  const [p, q] = [signed(b, x), signed(b, y)];
  const rank = p.values.shape.length;
  const depth = b.scalar('i32', p.values.shape.at(-1)!);
  const product = b.matmul(p.values, q.values, 'i32');
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

/** A convolution of x − its zero, a scalar, and w − its zero, which broadcasts against [O, 1…], in i32. Padding is what becomes 0. */
export function integerConv(b: Builder, x: Shifted, w: Shifted, attrs: Omit<PrimAttrs['conv'], 'acc'>): Operand {
  const [p, q] = [signed(b, x), signed(b, w)];
  const [filters, ...taps] = q.values.shape;
  const borders = (sides: readonly number[]): readonly number[] => [0, 0, ...sides];
  const padded = p.zero === undefined ? p.values : b.pad(p.values, borders(attrs.low), borders(attrs.high), b.cast(p.zero, 'i8'));
  const none = attrs.low.map(() => 0);
  const window: PrimAttrs['conv'] = { ...attrs, ...(p.zero === undefined ? {} : { low: none, high: none }), acc: 'i32' };
  const sums = b.conv(padded, q.values, window);
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
  const inputs = spreadGroups(b, b.conv(padded, b.constant(tensorFrom('i8', ones, new Float64Array(elementCount(ones)).fill(1))), window), filters!);
  return b.sub(withWeights, b.mul(along(q.zero), inputs));
}
