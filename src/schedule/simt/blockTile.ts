// What all tilings of a contraction among blocks share: where a block's tile lies, and what is computed behind each sum.
import { guarded, substitute } from '../emit/places.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { addIndex, coefficientOf, delinearize, indexSymbol, scaleIndex } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import { pack, store } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import { findPairs } from '../inPlace.ts';
import { unflatten } from '../nest.ts';
import type { Nest } from '../nest.ts';
import type { Condition, Substitution } from '../point.ts';
import type { Emitter } from '../emit/emitter.ts';
import { pointsOf } from '../traffic.ts';
import type { Contraction } from '../contraction.ts';
import { isMultiple } from './machine.ts';

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

/** Results that are stored together. */
export const TOGETHER = 4;
/** What a thread can store several of together. */
const storedTogether: readonly NumericDType[] = ['f32', 'i32', 'u32', 'f16', 'bf16'];

/**
 * What is fused behind the sums of neighbours along b, from `flatB` on, a multiple of their number: stored together where they lie side by
 * side and the result has all of them or none.
 */
export function writeResults(emitter: Emitter, c: Contraction, batch: Bindings, flatA: IndexExpr, flatB: IndexExpr, sums: readonly Expr[]): void {
  const { slot, offset, value } = c.result;
  const pointsB = pointsOf(c.b.axes);
  const placeOf = (at: IndexExpr): Substitution => substitutionOf(emitter, batch, c, flatA, at);
  const lane = indexSymbol(LANE, 0, sums.length - 1);
  const where = placeOf(addIndex(flatB, lane)).index(offset);
  const first = placeOf(flatB).index(offset);
  const isWhole = pointsB % sums.length === 0 && coefficientOf(where, LANE) === 1 && isMultiple(first, sums.length) && storedTogether.includes(slot.dtype);
  if (!isWhole) return sums.forEach((sum, i) => writeResult(emitter, c, batch, flatA, addIndex(flatB, i), sum));
  guarded(emitter, endsOf(c, flatA, flatB), () => {
    const values = sums.map((sum, i) => {
      let result: Expr = sum;
      emitter.scoped(() => {
        emitter.define(c.sum.local, emitter.bind(sum));
        const e = placeOf(addIndex(flatB, i)).point(value);
        emitter.countUses(e);
        result = emitter.bind(asStored(emitter.point(e), slot.dtype));
      });
      return result;
    });
    emitter.push(store(emitter.buffer(slot, 'write'), emitter.index(first), pack(values)));
  });
}

const LANE = 'lane';

/** A store rounds by itself. */
const asStored = (e: Expr, dtype: NumericDType): Expr => (e.kind === 'narrow' && e.to === dtype ? e.x : e);

const substitutionOf = (emitter: Emitter, batch: Bindings, c: Contraction, flatA: IndexExpr, flatB: IndexExpr): Substitution =>
  substitute(emitter, batch, unflatten(c.a.axes, flatA), unflatten(c.b.axes, flatB));

/** Where the result has a point. */
const endsOf = (c: Contraction, flatA: IndexExpr, flatB: IndexExpr): readonly Condition[] => [
  { value: flatA, low: 0, high: pointsOf(c.a.axes) },
  { value: flatB, low: 0, high: pointsOf(c.b.axes) },
];

/** What is fused behind the sum of one point, where the result has it. */
export function writeResult(emitter: Emitter, c: Contraction, batch: Bindings, flatA: IndexExpr, flatB: IndexExpr, sum: Expr): void {
  guarded(emitter, endsOf(c, flatA, flatB), () => {
    emitter.define(c.sum.local, emitter.bind(sum));
    const substitution = substitutionOf(emitter, batch, c, flatA, flatB);
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
