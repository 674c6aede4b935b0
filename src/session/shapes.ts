// Binding symbolic dimensions to numbers.
import type { Dim } from '../graph/graph.ts';

/** The shape with every name replaced; undefined when a name is not bound. */
export function dimsOf(shape: readonly Dim[], bound: Readonly<Record<string, number>>): number[] | undefined {
  const dims = shape.map((dim) => (typeof dim === 'number' ? dim : bound[dim]));
  return dims.every((dim) => dim !== undefined) ? dims : undefined;
}
