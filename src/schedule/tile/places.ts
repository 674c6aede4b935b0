// Statements of a tile kernel with where they stand, and where a signal and a wait go between two of them.
import { invariant } from '../../core/error.ts';
import type { Stmt } from '../../kernel/ir.ts';
import { blocksOf } from '../../kernel/statements.ts';
import { usesOf } from './uses.ts';
import type { Use } from './uses.ts';

export interface Block {
  readonly nodes: readonly Node[];
  /** The statement that it belongs to. */
  readonly owner: Node | undefined;
}

export interface Node {
  readonly statement: Stmt;
  readonly uses: readonly Use[];
  readonly block: Block;
  readonly position: number;
  /** Where it begins and ends in the order of the text. */
  readonly begin: number;
  readonly end: number;
  /** The body of a loop, or both branches. */
  readonly blocks: readonly Block[];
}

/** `params` are in global memory. */
export function buildBlock(body: readonly Stmt[], params: ReadonlySet<string>): Block {
  let time = 0;
  const build = (list: readonly Stmt[], owner: Node | undefined): Block => {
    const nodes: Node[] = [];
    const block: Block = { nodes, owner };
    for (const [position, statement] of list.entries()) {
      const blocks: Block[] = [];
      const node = { statement, uses: usesOf(statement, params), block, position, begin: time++, end: 0, blocks };
      for (const part of blocksOf(statement)) blocks.push(build(part, node));
      node.end = time++;
      nodes.push(node);
    }
    return block;
  };
  return build(body, undefined);
}

/** The signal is given after `first`, the wait stands before `second`; both in one block. */
export interface Place {
  readonly first: Node;
  readonly second: Node;
  /** The loop in whose next step `second` comes: it is signalled once more before, and waited for once more after it. */
  readonly carried?: Node;
}

/** The node and all that it lies in, the outermost first. */
function pathOf(node: Node): readonly Node[] {
  const { owner } = node.block;
  return owner === undefined ? [node] : [...pathOf(owner), node];
}

/** Where `from`, which was done, and `to`, which is to be done, part. */
export function placesOf(from: Node, to: Node): Place {
  const [a, b] = [pathOf(from), pathOf(to)];
  let depth = 0;
  while (depth + 1 < Math.min(a.length, b.length) && a[depth + 1]!.block === b[depth + 1]!.block) depth++;
  let [first, second] = [a[depth]!, b[depth]!];
  if (first.position < second.position) return { first, second };
  // It was done in the step before.
  for (let { owner } = first.block; owner !== undefined; { owner } = owner.block) {
    if (owner.statement.kind === 'for') return { first, second, carried: owner };
    [first, second] = [owner, owner];
  }
  return invariant(false, 'a statement comes after one that it stands before') ?? { first, second };
}
