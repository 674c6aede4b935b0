// Weighted sums of gathered elements: what interpolation between pixels is made of (GridSample, RoiAlign, DeformConv).
import type { Builder, Operand } from '../../graph/builder.ts';
import type { Shape } from '../../core/shape.ts';

/** One element that contributes along an axis. All operands broadcast to the iteration shape. */
export interface Tap {
  /** i32, in range. */
  readonly index: Operand;
  /** Factor; 1 when absent. */
  readonly weight?: Operand;
  /** Bool; where false the element counts as zero. */
  readonly inside?: Operand;
}

/** Real coordinates as the two taps of linear interpolation on an axis of `size` elements; outside is zero. */
export function linearTaps(b: Builder, at: Operand, size: number): readonly Tap[] {
  const base = b.floor(at);
  const fraction = b.sub(at, base);
  const one = b.scalar(at.dtype, 1);
  return [
    { ...zeroOutside(b, base, size), weight: b.sub(one, fraction) },
    { ...zeroOutside(b, b.add(base, one), size), weight: fraction },
  ];
}

/** An integral float coordinate as an index that is in range, and whether it was. */
export function zeroOutside(b: Builder, at: Operand, size: number): Required<Pick<Tap, 'index' | 'inside'>> {
  const last = b.scalar(at.dtype, size - 1);
  const zero = b.scalar(at.dtype, 0);
  return { index: clampedIndex(b, at, size), inside: b.and(b.ge(at, zero), b.le(at, last)) };
}

/** Half away from zero; the primitive rounds half to even. */
export const roundAway = (b: Builder, x: Operand): Operand => b.mul(b.sign(x), b.floor(b.add(b.abs(x), b.scalar(x.dtype, 0.5))));

/** An integral float coordinate as an i32 index, moved to the nearest element in range. */
export const clampedIndex = (b: Builder, at: Operand, size: number): Operand => b.cast(b.min(b.max(at, b.scalar(at.dtype, 0)), b.scalar(at.dtype, size - 1)), 'i32');

/** How one axis of the data is met: by the iteration axis of this number, or by taps. */
export type Sampled = number | readonly Tap[];

/**
 * data × weights for every choice of one tap per sampled axis of `data`; each term has the iteration `shape`.
 * Without weights any dtype goes.
 */
export function tapTerms(b: Builder, data: Operand, axes: readonly Sampled[], shape: Shape): readonly Operand[] {
  let sampled = 0;
  const sources = axes.map((axis) => (typeof axis === 'number' ? { axis } : { index: sampled++ }));
  return product(axes.filter((axis) => typeof axis !== 'number')).map((corner) => {
    let value = b.gather(
      data,
      sources,
      corner.map((tap) => tap.index),
      shape,
    );
    const inside = combined(
      corner.map((tap) => tap.inside),
      b.and,
    );
    const weight = combined(
      corner.map((tap) => tap.weight),
      b.mul,
    );
    if (inside !== undefined) value = b.where(inside, value, b.scalar(data.dtype, 0));
    return weight === undefined ? value : b.mul(value, weight);
  });
}

/** Σ of `tapTerms`. */
export const sumTaps = (b: Builder, data: Operand, axes: readonly Sampled[], shape: Shape): Operand => tapTerms(b, data, axes, shape).reduce((sum, term) => b.add(sum, term));

const combined = (parts: readonly (Operand | undefined)[], combine: (a: Operand, b: Operand) => Operand): Operand | undefined =>
  parts.filter((part) => part !== undefined).reduce<Operand | undefined>((all, part) => (all === undefined ? part : combine(all, part)), undefined);

/** Every choice of one entry per list. */
export const product = <T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] =>
  lists.reduce<readonly (readonly T[])[]>((choices, list) => choices.flatMap((choice) => list.map((entry) => [...choice, entry])), [[]]);
