// Shapes and strides of row-major tensors, all concrete. Symbolic dimensions are names and live in graph types only.
import { AnychipError } from './error.ts';

export type Shape = readonly number[];

/** Number of elements; 1 for a scalar (rank 0). */
export const elementCount = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** Row-major strides, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides: number[] = Array.from({ length: shape.length }, () => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

export const sameShape = (a: Shape, b: Shape): boolean => a.length === b.length && a.every((d, i) => d === b[i]);

/** Throws unless the shapes are equal: for operators that do not broadcast. */
export function checkSameShape(a: Shape, b: Shape): void {
  if (!sameShape(a, b))
    throw new AnychipError('shape', `operands of shapes ${formatShape(a)} and ${formatShape(b)}`, { hint: 'This operator does not broadcast: its operands have one shape.' });
}

export const formatShape = (shape: readonly (number | string)[]): string => `[${shape.join(', ')}]`;

/** NumPy broadcasting of any number of shapes (ONNX "multidirectional broadcasting"). */
export function broadcastShapes(...shapes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, axis) => {
    let dim = 1;
    for (const shape of shapes) {
      const d = shape[axis - rank + shape.length] ?? 1;
      if (d === 1 || d === dim) continue;
      if (dim !== 1) {
        throw new AnychipError('shape', `shapes ${shapes.map(formatShape).join(' and ')} do not broadcast together`, {
          hint: 'Dimensions must be equal or 1, aligned from the right.',
        });
      }
      dim = d;
    }
    return dim;
  });
}

/** An axis in [0, rank) from one in [-rank, rank). */
export function normalizeAxis(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new AnychipError('shape', `axis ${axis} is outside a tensor of rank ${rank}`, { hint: `Use an axis from ${-rank} to ${rank - 1}.` });
  }
  return axis < 0 ? axis + rank : axis;
}

/** Axes in [0, rank), each once, ascending. */
export function normalizeAxes(axes: readonly number[], rank: number): number[] {
  return [...new Set(axes.map((axis) => normalizeAxis(axis, rank)))].sort((a, b) => a - b);
}

/** Calls `visit` with every index of `shape` in row-major order. The array is reused between calls. */
export function forEachIndex(shape: Shape, visit: (index: readonly number[], flat: number) => void): void {
  const count = elementCount(shape);
  const index = shape.map(() => 0);
  for (let flat = 0; flat < count; flat++) {
    visit(index, flat);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = index[axis]! + 1;
      if (next < shape[axis]!) {
        index[axis] = next;
        break;
      }
      index[axis] = 0;
    }
  }
}

/** A shape that both can be had from by joining neighbouring axes, with the axis of `b` that each of its axes is part of; undefined where there is none. */
export function commonRefinement(a: Shape, b: Shape): { readonly shape: Shape; readonly parts: readonly number[] } | undefined {
  const ends = (shape: Shape): number[] => shape.map((_, i) => elementCount(shape.slice(0, i + 1)));
  const cuts = [...new Set([1, ...ends(a), ...ends(b)])].sort((x, y) => x - y);
  const steps = cuts.slice(1).map((end, i) => end / cuts[i]!);
  if (elementCount(a) === 0 || elementCount(a) !== elementCount(b) || !steps.every(Number.isInteger)) return undefined;
  return { shape: steps, parts: cuts.slice(1).map((end) => ends(b).findIndex((last) => last >= end)) };
}
