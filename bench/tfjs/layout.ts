// How the axes of a model's tensors, which has channels before rows, lie in tensors of TensorFlow.js, which wants them last. Transposes and
// reshapes of the model become other names for the same memory wherever they can. It knows axes only.
import { elementCount } from '../../src/core/shape.ts';

export interface Layout {
  /** As the model has it. */
  readonly shape: readonly number[];
  /** Axes of the model in the order in which they lie in memory. */
  readonly order: readonly number[];
}

export const identity = (rank: number): number[] => Array.from({ length: rank }, (_, i) => i);
/** Channels last, where there are images; else as the model has it. */
export const preferredOrder = (rank: number): number[] => (rank === 4 ? [0, 2, 3, 1] : identity(rank));
/** Extents in the order of memory. */
export const extentsOf = ({ shape, order }: Layout): number[] => order.map((axis) => shape[axis]!);
/** The permutation that brings memory from one order into another. */
export const permutation = (from: readonly number[], to: readonly number[]): number[] => to.map((axis) => from.indexOf(axis));
export const isSameOrder = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((axis, i) => axis === b[i]);

/** Groups of axes of both shapes, from the first on, that have the same number of elements. */
function axisGroups(from: readonly number[], to: readonly number[]): { readonly from: number[]; readonly to: number[] }[] {
  const groups: { readonly from: number[]; readonly to: number[] }[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const group = { from: i < from.length ? [i++] : [], to: j < to.length ? [j++] : [] };
    const [count, wanted] = [() => elementCount(group.from.map((a) => from[a]!)), () => elementCount(group.to.map((a) => to[a]!))];
    while (count() !== wanted()) {
      if (count() < wanted()) group.from.push(i++);
      else group.to.push(j++);
    }
    groups.push(group);
  }
  return groups;
}

/** How a reshape goes: first into `order` of memory (the one there is, if it does), then the result lies as `layout` says. */
export function reshapeLayout({ shape, order }: Layout, to: readonly number[]): { readonly order: number[]; readonly layout: Layout } {
  const groups = axisGroups(shape, to);
  const place = (group: { readonly from: readonly number[] }): number => Math.max(...group.from.filter((a) => shape[a] !== 1).map((a) => order.indexOf(a)), -1);
  const sorted = groups.toSorted((a, b) => place(a) - place(b));
  return { order: sorted.flatMap((g) => g.from), layout: { shape: to, order: sorted.flatMap((g) => g.to) } };
}

/** `data` of a tensor in the model's own order, brought into `order`. */
export function reorder(data: ArrayLike<number>, { shape, order }: Layout): Float32Array {
  const strides = shape.map((_, axis) => elementCount(shape.slice(axis + 1)));
  const extents = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => strides[axis]!);
  return Float32Array.from({ length: elementCount(shape) }, (_, flat) => {
    let [rest, from] = [flat, 0];
    for (let i = extents.length - 1; i >= 0; i--) {
      from += (rest % extents[i]!) * steps[i]!;
      rest = Math.floor(rest / extents[i]!);
    }
    return data[from]!;
  });
}
