// One thread for several neighbouring sums: what they read in common is loaded once. How many, and along which axes, follows from counting
// what a step of the sums loads. So windows that overlap and short sums gain on every machine; where the threads of a block take turns and
// shared memory saves nothing, products of matrices do too.
import { range } from '../../core/integers.ts';
import { substitute } from '../emit/places.ts';
import { addIndex, coefficientOf, constantIndex, indexSymbol, scaleIndex } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import { compare, index, binary } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { SimtFacts, TurnFacts } from '../../runtime/device.ts';
import { narrowTo } from '../emit/compute.ts';
import type { Emitter } from '../emit/emitter.ts';
import { scalarCost } from '../emit/lanes.ts';
import { accumulate, identity } from '../emit/stages.ts';
import { declareAccumulator, loopAll } from '../emit/walk.ts';
import { unflatten } from '../nest.ts';
import type { Axis, Nest, Stage } from '../nest.ts';
import { Substitution, visitPoints } from '../point.ts';
import type { PointExpr } from '../point.ts';
import { Interner } from '../interner.ts';
import { pointsOf } from '../traffic.ts';
import { BLOCK_THREADS, globalThread, powerAtLeast, when } from './machine.ts';
import type { Launch } from './machine.ts';

/** Points of a thread along an axis. */
const SIZES = [2, 4, 8, 16];
/** So few points of a sum are written one after the other, so that what neighbours have in common is seen. */
const MOST_UNROLLED = 25;
/** Operations that are written out, at most, where a load that not every point has counts as several: software takes seconds to compile more. */
const MOST_WRITTEN = 512;
const GUARDED_LOAD = 6;
/** What a thread's points must save to be worth fewer threads. */
const WORTHWHILE = 0.8;

/** Where all threads of a block run at the same time: costs in multiply-adds. */
const AT_ONCE: TurnFacts = { registers: 48, loadCost: 6, stridedCost: 2 };
/** Threads that a unit should have, in subgroups. */
const SUBGROUPS = { atOnce: 16, inTurns: 2 };

type Sum = Extract<Stage, { readonly kind: 'reduce' }>;
type Result = Extract<Stage, { readonly kind: 'store' }>;

/** A nest of one sum, of any kind, and what is stored of it. */
interface Sums {
  readonly sum: Sum;
  readonly result: Result;
  /** The innermost axes of the sum, that are written out, and the others. */
  readonly written: readonly Axis[];
  readonly looped: readonly Axis[];
}

/** How many points of each axis a thread takes, by the axis' name: 1 where it is not named. */
export type Blocks = ReadonlyMap<string, number>;

function sumsOf({ stages }: Nest): Sums | undefined {
  const [sum, result] = stages;
  if (stages.length !== 2 || sum?.kind !== 'reduce' || result?.kind !== 'store' || result.axes.length > 0) return undefined;
  let first = sum.axes.length;
  while (first > 0 && pointsOf(sum.axes.slice(first - 1)) <= MOST_UNROLLED) first--;
  return { sum, result, written: sum.axes.slice(first), looped: sum.axes.slice(0, first) };
}

/** Elements that a load reads at all points of the axes together. */
function elementsOf(e: Extract<PointExpr, { kind: 'load' }>, axes: readonly Axis[]): number {
  let [offsets, apart] = [new Set([0]), 1];
  for (const { name, extent } of axes) {
    if (!e.symbols.has(name)) continue;
    const step = coefficientOf(e.offset, name);
    if (step === undefined) apart *= extent;
    else offsets = new Set([...offsets].flatMap((at) => range(extent).map((i) => at + step * i)));
  }
  return offsets.size * apart;
}

/** All ways to take points along one axis or two. */
function waysOf(axes: readonly Axis[]): Blocks[] {
  const along = axes.map(({ name, extent }) => SIZES.filter((size) => size <= extent).map((size) => [name, size] as const));
  const ways: Blocks[] = [];
  along.forEach((first, i) => {
    for (const a of first) {
      ways.push(new Map([a]));
      for (const b of along.slice(i + 1).flat()) ways.push(new Map([a, b]));
    }
  });
  return ways;
}

/** The points that a thread should take; undefined where one is best. */
export function chooseBlocks(nest: Nest, facts: SimtFacts): Blocks | undefined {
  const sums = sumsOf(nest);
  if (sums === undefined) return undefined;
  const { sum, result, written } = sums;
  const loads: Extract<PointExpr, { kind: 'load' }>[] = [];
  let load = 1;
  visitPoints([sum.value], nest.dynamic, (e) => {
    if (e.kind === 'load') loads.push(e);
    if (e.kind === 'guard') load = GUARDED_LOAD;
  });
  const { registers, loadCost, stridedCost } = facts.turns ?? AT_ONCE;
  const wanted = facts.units * facts.subgroupThreads * (facts.turns === undefined ? SUBGROUPS.atOnce : SUBGROUPS.inTurns);
  const fast = nest.outer.at(-1)?.name ?? '';
  const [arithmetic, epilogue] = [scalarCost([sum.value], (e) => e.kind === 'apply'), scalarCost([result.value])];
  const taps = pointsOf(written);
  const timeOf = (blocks: Blocks): number => {
    const own = nest.outer.filter((a) => blocks.has(a.name)).map((a): Axis => ({ ...a, extent: blocks.get(a.name)! }));
    const points = pointsOf(own);
    const operations = points * (taps * arithmetic + epilogue);
    if (points > 1 && (points > registers || operations > MOST_WRITTEN)) return Infinity;
    let [loaded, cost] = [0, 0];
    for (const e of loads) {
      const elements = elementsOf(e, [...own, ...written]);
      loaded += elements;
      cost += elements * loadCost * (blocks.has(fast) && coefficientOf(e.offset, fast) === 1 ? stridedCost : 1);
    }
    if (points > 1 && (points + loaded / taps > registers || operations + loaded * load > MOST_WRITTEN)) return Infinity;
    const threads = nest.outer.reduce((n, a) => n * Math.ceil(a.extent / (blocks.get(a.name) ?? 1)), 1);
    return threads * (cost + points * taps * arithmetic) * Math.max(1, wanted / threads);
  };
  const alone = timeOf(new Map());
  const best = waysOf(nest.outer).reduce<{ readonly blocks: Blocks | undefined; readonly time: number }>(
    (found, blocks) => {
      const time = timeOf(blocks);
      return time < found.time ? { blocks, time } : found;
    },
    { blocks: undefined, time: alone * WORTHWHILE },
  );
  return best.blocks;
}

/** One of a thread's points: the positions of the axes, and where only some threads store it, whether this one does. */
interface Point {
  readonly substitution: Substitution;
  readonly local: string;
  readonly isStored: Expr | undefined;
}

/** A thread for the points that `blocks` say. */
export function writeBlocks(emitter: Emitter, nest: Nest, blocks: Blocks, facts: SimtFacts): Launch {
  const sums = sumsOf(nest)!;
  const counts = nest.outer.map((a): Axis => ({ ...a, extent: Math.ceil(a.extent / (blocks.get(a.name) ?? 1)) }));
  const total = pointsOf(counts);
  const threads = Math.min(BLOCK_THREADS, facts.maxThreads, powerAtLeast(total));
  emitter.define('point', total <= 1 ? index(0) : emitter.bind(globalThread(threads)));
  when(emitter, total % threads === 0 ? undefined : compare('lt', emitter.named('point').expr, index(total)), () => {
    const place = unflatten(counts, indexSymbol('point', 0, Math.max(total - 1, 0)));
    writeSums(emitter, sums, pointsOfThread(emitter, nest, blocks, place, sums.sum.local));
  });
  return { blocks: Math.ceil(total / threads), threads };
}

/** The last thread along an axis takes points that end with it: what another has too is computed twice and stored once. */
function pointsOfThread(emitter: Emitter, nest: Nest, blocks: Blocks, place: Bindings, local: string): Point[] {
  let points: { readonly at: Bindings; readonly fresh: readonly Expr[] }[] = [{ at: new Map(), fresh: [] }];
  for (const { name, extent } of nest.outer) {
    const size = blocks.get(name) ?? 1;
    const first = scaleIndex(place.get(name)!, size);
    const isEven = extent % size === 0;
    if (!isEven) emitter.define(`${name}@`, emitter.bind(binary('min', emitter.index(first), index(extent - size))));
    const start = isEven ? first : indexSymbol(`${name}@`, 0, extent - size);
    points = points.flatMap(({ at, fresh }) =>
      range(size).map((i) => {
        const position: IndexExpr = addIndex(start, i);
        const isFresh = isEven ? [] : [compare('ge', emitter.index(position), emitter.index(first))];
        return { at: new Map([...at, [name, position]]), fresh: [...fresh, ...isFresh] };
      }),
    );
  }
  return points.map(({ at, fresh }, i) => ({
    substitution: new Substitution(
      at,
      emitter.dynamic,
      (d) => emitter.dynamicSymbol(d),
      (name) => (name === local ? `${name}_${i}` : name),
    ),
    local: `${local}_${i}`,
    isStored: fresh.length === 0 ? undefined : fresh.reduce((all, x) => binary('and', all, x)),
  }));
}

function writeSums(emitter: Emitter, { sum, result, written, looped }: Sums, points: readonly Point[]): void {
  const interner = new Interner();
  const sums = points.map(() => declareAccumulator(emitter, identity(sum.fn, sum.dtype, 1)));
  loopAll(emitter, looped, () => {
    const steps = range(pointsOf(written)).flatMap((tap) => {
      const fixed = substitute(emitter, unflatten(written, constantIndex(tap)));
      const value = fixed.point(sum.value);
      return points.map((point, i) => ({ acc: sums[i]!, value: interner.intern(point.substitution.point(value)) }));
    });
    // What several of them use is told before the first is written.
    for (const { value } of steps) emitter.countUses(value);
    for (const { acc, value } of steps) accumulate(emitter, sum, acc, value);
  });
  points.forEach(({ substitution, local, isStored }, i) =>
    when(emitter, isStored, () => {
      emitter.define(local, emitter.bind(narrowTo(sum.dtype, sums[i]!)));
      const value = interner.intern(substitution.point(result.value));
      emitter.countUses(value);
      emitter.store(result.slot, substitution.index(result.offset), emitter.point(value));
    }),
  );
}
