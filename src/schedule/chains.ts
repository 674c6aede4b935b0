// Kernels whose results only the next one reads, three in a row: a contraction, rows over its results, a contraction of these. A family may
// know how to compute them as one, without what lies between in memory.
import type { PrimNode } from '../graph/builder.ts';
import type { Family } from './family.ts';
import type { LoweredRoot } from './lowerRoot.ts';
import type { Nest } from './nest.ts';
import type { MemorySlot } from './storage.ts';

/** Nests of which each reads what the one before stores into a slot that nobody else uses. */
export interface Chain {
  readonly first: Nest;
  readonly rows: Nest;
  readonly last: Nest;
  /** What `first` gives to `rows`, and `rows` to `last`. */
  readonly between: readonly [MemorySlot, MemorySlot];
  readonly flops: number;
}

/** Who reads and who writes each slot. */
function usesOf(roots: readonly LoweredRoot[]): { readonly readers: Map<MemorySlot, Set<LoweredRoot>>; readonly writers: Map<MemorySlot, Set<LoweredRoot>> } {
  const [readers, writers] = [new Map<MemorySlot, Set<LoweredRoot>>(), new Map<MemorySlot, Set<LoweredRoot>>()];
  const note = (uses: Map<MemorySlot, Set<LoweredRoot>>, slot: MemorySlot, root: LoweredRoot): void => void uses.set(slot, (uses.get(slot) ?? new Set()).add(root));
  for (const root of roots) {
    for (const { kernel, args } of root.kernels) {
      kernel.params.forEach(({ access }, i) => {
        if (access !== 'write') note(readers, args[i]!.slot, root);
        if (access !== 'read') note(writers, args[i]!.slot, root);
      });
    }
  }
  return { readers, writers };
}

/** The roots with every chain that the family takes as one in the place of its last. */
export function joinChains(roots: readonly LoweredRoot[], family: Family): readonly LoweredRoot[] {
  const { lowerChain } = family;
  if (lowerChain === undefined) return roots;
  const { readers, writers } = usesOf(roots);
  const only = (roots: ReadonlySet<LoweredRoot> | undefined): LoweredRoot | undefined => (roots?.size === 1 ? [...roots][0] : undefined);
  /** The roots that alone make what `user` alone reads. */
  const makersFor = (user: LoweredRoot): { readonly slot: MemorySlot; readonly maker: LoweredRoot; readonly nest: Nest }[] =>
    [...readers.keys()].flatMap((slot) => {
      const maker = slot.kind === 'value' && only(readers.get(slot)) === user ? only(writers.get(slot)) : undefined;
      return maker?.nest === undefined || maker === user ? [] : [{ slot, maker, nest: maker.nest }];
    });
  const [gone, joined] = [new Set<LoweredRoot>(), new Map<LoweredRoot, LoweredRoot>()];
  for (const last of roots) {
    if (last.nest === undefined || !last.isContraction) continue;
    for (const rows of makersFor(last)) {
      if (rows.maker.isContraction === true) continue;
      for (const first of makersFor(rows.maker)) {
        if (first.maker.isContraction !== true || gone.has(first.maker) || joined.has(last)) continue;
        const parts = [first.maker, rows.maker, last];
        const flops = parts.reduce((sum, part) => sum + part.flops, 0);
        const kernels = lowerChain({ first: first.nest, rows: rows.nest, last: last.nest, between: [first.slot, rows.slot], flops });
        if (kernels === undefined) continue;
        gone.add(first.maker).add(rows.maker);
        joined.set(last, { ...last, kernels, nodes: parts.flatMap((part): readonly PrimNode[] => part.nodes), flops });
      }
    }
  }
  return roots.filter((root) => !gone.has(root)).map((root) => joined.get(root) ?? root);
}
