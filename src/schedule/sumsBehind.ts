// What is made of sums, element by element, and should be kept in their place: where it is smaller, as quantised layers round to bytes, and
// where it is asked for more often than sums are made.
import { tensorBytes } from '../core/tensor.ts';
import type { Operand, PrimNode } from '../graph/builder.ts';
import { prims } from '../graph/prims.ts';

/** Primitives between sums and what is made of them, at most. */
const MOST_STEPS = 16;

/** What a value is computed from, element by element, back to the results of contractions: those, and how many of the primitives on the way read each value. */
function wayFrom(node: PrimNode, producers: ReadonlyMap<Operand, PrimNode>): { readonly sums: readonly Operand[]; readonly reads: ReadonlyMap<Operand, number> } {
  const sums: Operand[] = [];
  const reads = new Map<Operand, number>();
  const way = [node];
  for (let i = 0; i < way.length && i < MOST_STEPS; i++) {
    for (const x of new Set(way[i]!.inputs)) {
      const maker = producers.get(x);
      const kind = maker === undefined ? undefined : prims[maker.op].kind;
      // Sums keep their order in another shape.
      if (maker === undefined || (kind !== 'contraction' && kind !== 'elementwise' && maker.op !== 'reshape')) continue;
      const before = reads.get(x) ?? 0;
      reads.set(x, before + 1);
      if (before > 0) continue;
      if (kind === 'contraction') sums.push(x);
      else way.push(maker);
    }
  }
  return { sums, reads };
}

const bytesOf = (x: Operand): number => tensorBytes(x.dtype, x.shape);

/** Whether the result takes fewer bytes than the sums of a contraction that it is computed from. */
export const narrowsSums = (node: PrimNode, producers: ReadonlyMap<Operand, PrimNode>): boolean =>
  node.op === 'cast' && wayFrom(node, producers).sums.some((x) => bytesOf(x) > bytesOf(node.outputs[0]!));

/** Whether the result can be what a contraction stores: it is computed from sums of its size, and nothing else uses those or what is on the way. `uses`: how many primitives read a value, or give it to callers. */
export function endsSums(node: PrimNode, producers: ReadonlyMap<Operand, PrimNode>, uses: ReadonlyMap<Operand, number>): boolean {
  const { sums, reads } = wayFrom(node, producers);
  return sums.length === 1 && bytesOf(sums[0]!) >= bytesOf(node.outputs[0]!) && [...reads].every(([x, count]) => uses.get(x) === count);
}
