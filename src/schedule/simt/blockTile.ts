// What all tilings of a contraction among blocks share: where a block's tile lies, and what is computed behind each sum.
import { addIndex, delinearize, indexSymbol, scaleIndex } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import type { Expr } from '../../kernel/ir.ts';
import { findPairs } from '../inPlace.ts';
import { unflatten } from '../nest.ts';
import type { Nest } from '../nest.ts';
import { Substitution } from '../point.ts';
import type { Condition } from '../point.ts';
import type { Emitter } from '../emit/emitter.ts';
import { pointsOf } from '../traffic.ts';
import type { Contraction } from '../contraction.ts';
import { when } from './machine.ts';

/** Blocks along a that follow each other: those that run at a time share what they read of both factors in the machine's cache. */
const GROUPED = 8;

/** The tile of the block with the number 'block', an index symbol. */
export interface BlockPlace {
  readonly blocks: number;
  readonly batch: Bindings;
  /** Where it begins along both factors' own axes. */
  readonly startA: IndexExpr;
  readonly startB: IndexExpr;
}

export function placeOfBlock(c: Contraction, sideA: number, sideB: number): BlockPlace {
  const [blocksA, blocksB] = [Math.ceil(pointsOf(c.a.axes) / sideA), Math.ceil(pointsOf(c.b.axes) / sideB)];
  let together = GROUPED;
  while (blocksA % together !== 0) together /= 2;
  const blocks = pointsOf(c.batch) * blocksA * blocksB;
  const [batch, group, b, inGroup] = delinearize(indexSymbol('block', 0, blocks - 1), [pointsOf(c.batch), blocksA / together, blocksB, together]);
  const a = addIndex(scaleIndex(group!, together), inGroup!);
  return { blocks, batch: unflatten(c.batch, batch!), startA: scaleIndex(a, sideA), startB: scaleIndex(b!, sideB) };
}

/** What is fused behind the sum of one point, where the result has it. */
export function writeResult(emitter: Emitter, c: Contraction, batch: Bindings, flatA: IndexExpr, flatB: IndexExpr, sum: Expr): void {
  const ends: Condition[] = [
    { value: flatA, low: 0, high: pointsOf(c.a.axes) },
    { value: flatB, low: 0, high: pointsOf(c.b.axes) },
  ];
  const open = ends.filter((e) => e.value.max >= e.high);
  when(emitter, open.length === 0 ? undefined : emitter.holds(open), () => {
    emitter.define(c.sum.local, emitter.bind(sum));
    const bindings = new Map([batch, unflatten(c.a.axes, flatA), unflatten(c.b.axes, flatB)].flatMap((b) => [...b]));
    const substitution = new Substitution(bindings, emitter.dynamic, (d) => emitter.dynamicSymbol(d));
    const value = substitution.point(c.result.value);
    emitter.countUses(value);
    emitter.store(c.result.slot, substitution.index(c.result.offset), emitter.point(value));
  });
}

/** A factor is read by many blocks, so only what the fused work reads may be written over. */
export function pairsBehind(raw: Nest, c: Contraction): ReturnType<typeof findPairs> {
  const read = new Set<unknown>();
  const collect = (e: Contraction['a']['value']): void => {
    if (e.kind === 'load') read.add(e.slot);
    if (e.kind === 'apply') e.args.forEach(collect);
    if (e.kind === 'guard') [e.inside, e.outside].forEach(collect);
  };
  collect(c.sum.value);
  return findPairs(raw).filter((pair) => !read.has(pair.read));
}
