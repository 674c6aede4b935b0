// Views of one or a few axes, spelled out over all axes as the primitives want them.
import type { Builder, Operand } from '../../graph/builder.ts';
import type { Shape } from '../../core/shape.ts';

/** `list` with `value` at `axis`. */
const replaced = (list: readonly number[], axis: number, value: number): number[] => list.map((v, i) => (i === axis ? value : v));

/** x[start + i·step] along `axis`, `size` elements. */
export function sliceAxis(b: Builder, x: Operand, axis: number, start: number, size: number, step = 1): Operand {
  const zeros = x.shape.map(() => 0);
  return b.slice(
    x,
    replaced(zeros, axis, start),
    replaced(x.shape, axis, size),
    replaced(
      zeros.map(() => 1),
      axis,
      step,
    ),
  );
}

/** x in the opposite order along `axis`. */
export const flipAxis = (b: Builder, x: Operand, axis: number): Operand => (x.shape[axis]! < 2 ? x : sliceAxis(b, x, axis, x.shape[axis]! - 1, x.shape[axis]!, -1));

/** x with `low` and `high` elements of `value` around `axis`. */
export function padAxis(b: Builder, x: Operand, axis: number, low: number, high: number, value: number = 0): Operand {
  const zeros = x.shape.map(() => 0);
  return b.pad(x, replaced(zeros, axis, low), replaced(zeros, axis, high), b.scalar(x.dtype, value));
}

/** x with `gap - 1` zeros between neighbours along `axis`. */
export function spreadAxis(b: Builder, x: Operand, axis: number, gap: number): Operand {
  const size = x.shape[axis]!;
  if (gap === 1 || size === 0) return x;
  const column = b.reshape(x, x.shape.toSpliced(axis + 1, 0, 1));
  const spread = b.reshape(padAxis(b, column, axis + 1, 0, gap - 1), replaced(x.shape, axis, size * gap));
  return sliceAxis(b, spread, axis, 0, (size - 1) * gap + 1);
}

/** A vector laid along `axis` of a tensor of rank `rank`, to be broadcast. */
export const along = (b: Builder, vector: Operand, axis: number, rank: number): Operand => b.reshape(vector, alongShape(vector.shape[0]!, axis, rank));
const alongShape = (size: number, axis: number, rank: number): Shape => Array.from({ length: rank }, (_, i) => (i === axis ? size : 1));

/** Reduced axes taken out of the shape. */
export const dropAxes = (b: Builder, x: Operand, axes: readonly number[]): Operand =>
  b.reshape(
    x,
    x.shape.filter((_, i) => !axes.includes(i)),
  );
