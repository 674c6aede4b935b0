// What a file says of a graph besides the data of its large tensors: two graphs that were imported from the same are the same but for that.
import type { Stored } from '../../core/stored.ts';
import type { Graph } from '../../graph/graph.ts';

/** Tensors with more bytes than this are no part of the structure. */
export const LARGE_BYTES = 4096;

/** A part of a file. */
export interface Range {
  readonly start: number;
  readonly bytes: number;
}

const structures = new WeakMap<Graph, () => readonly Uint8Array[]>();

/** Keeps in mind that `graph` is what `source` holds, `large` the data in it that is no part of its structure, in order. */
export function noteStructure(graph: Graph, source: Stored, large: readonly Range[]): void {
  structures.set(graph, () => {
    const ends = [0, ...large.map(({ start, bytes }) => start + bytes)];
    return ends.map((from, i) => source.read(from, (large[i]?.start ?? source.byteLength) - from));
  });
}

/** The bytes that the graph as it is was imported from; undefined for one that was made otherwise. */
export const structureOf = (graph: Graph): readonly Uint8Array[] | undefined => structures.get(graph)?.();
