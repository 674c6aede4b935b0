// Long reductions of few rows, dealt out to many blocks: a part of the row each, and what the parts give is reduced again by whoever needs
// the result. So a sum of millions of elements, or a product with a long sum and a small result, keeps all of a machine busy.
import { addIndex, indexSymbol, linearIndex, scaleIndex } from '../../core/indexExpr.ts';
import { stridesOf } from '../../core/shape.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { invariant } from '../../core/error.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { computeType, typed } from '../emit/compute.ts';
import { identityOf } from '../emit/elementwise.ts';
import { axisIndex, freshNames } from '../nest.ts';
import type { Axis, Nest, Stage } from '../nest.ts';
import { Substitution, applyPoint, guardPoint, literal, loadPoint, localPoint, visitPoints } from '../point.ts';
import type { PointExpr } from '../point.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
import { pointsOf } from '../traffic.ts';

type Reduce = Extract<Stage, { readonly kind: 'reduce' }>;

/** Blocks that every unit should have, where there are not enough rows. */
const BLOCKS_PER_UNIT = 4;
/** Elements that a part of a row has at least: another kernel takes as long as a block takes for these. */
const LEAST_PART = 4096;

/** The dtype that holds partial results exactly. */
function partialDType(dtype: NumericDType): NumericDType {
  const type = computeType(dtype);
  invariant(type !== 'index', 'an index has no dtype');
  return type;
}

/** Element of a slot that has one for every point of `axes`. */
const placeOf = (axes: readonly Axis[]) => linearIndex(axes.map(axisIndex), stridesOf(axes.map((a) => a.extent)));

/** Memory for a local's value at every point of `axes`, and the stage that stores it. */
function storeLocal(axes: readonly Axis[], local: string, dtype: NumericDType): { readonly slot: MemorySlot; readonly store: Stage } {
  const slot = createSlot('value', { dtype, shape: axes.map((a) => a.extent) });
  return { slot, store: { kind: 'store', axes: [], slot, offset: placeOf(axes), value: localPoint(local, dtype) } };
}

/** The least divisor of `extent` from `count` on that is not far beyond it. */
function divisorNear(extent: number, count: number): number | undefined {
  for (let parts = count; parts <= 4 * count && parts < extent; parts++) if (extent % parts === 0) return parts;
  return undefined;
}

export interface SplitReduce {
  /** Reduces the parts of every row. */
  readonly parts: Nest;
  /** Reduces what the parts gave, in place of the stage. */
  readonly join: Reduce;
}

/** The first stage of `nest`, a reduction, in about `count` parts. `exactly`: undefined unless its longest axis is divisible so. */
export function splitReduce(nest: Nest, count: number, exactly = false): SplitReduce | undefined {
  const [stage] = nest.stages;
  invariant(stage?.kind === 'reduce', 'only reductions are split');
  const long = stage.axes.reduce((best, axis) => (axis.extent > best.extent ? axis : best));
  const divisor = divisorNear(long.extent, count);
  if (divisor === undefined && exactly) return undefined;
  const step = Math.ceil(long.extent / (divisor ?? count));
  const fresh = freshNames(nest);
  const [part, inside]: readonly [Axis, Axis] = [
    { name: fresh(), extent: Math.ceil(long.extent / step) },
    { name: fresh(), extent: step },
  ];
  const at = addIndex(scaleIndex(axisIndex(part), step), axisIndex(inside));
  const { dynamic } = nest;
  const substitution = new Substitution(new Map([[long.name, at]]), dynamic, (definition, old) => {
    dynamic.set(`${old}'`, definition);
    return indexSymbol(`${old}'`, 0, Number.MAX_SAFE_INTEGER);
  });
  const nothing = literal(stage.value.dtype, typed(computeType(stage.value.dtype), identityOf(stage.fn, stage.dtype)));
  const value = guardPoint([{ value: at, low: 0, high: long.extent }], substitution.point(stage.value), nothing);
  const dtype = partialDType(stage.dtype);
  const outer = [part, ...nest.outer];
  const { slot, store } = storeLocal(outer, stage.local, dtype);
  const first: Reduce = { ...stage, dtype, value, axes: stage.axes.map((a) => (a === long ? inside : a)) };
  return { parts: { outer, stages: [first, store], dynamic }, join: { ...stage, axes: [part], value: loadPoint(slot, placeOf(outer), dtype) } };
}

/** Parts in which rows should be reduced; 1 where there are rows enough or they are short. */
export function partsOf(rows: number, length: number, facts: SimtFacts): number {
  if (rows >= facts.units) return 1;
  return Math.max(1, Math.min(Math.ceil((facts.units * BLOCKS_PER_UNIT) / Math.max(rows, 1)), Math.floor(length / LEAST_PART)));
}

/** Reductions, then a store; and no position depends on a result. */
function canSplit({ stages, dynamic }: Nest): boolean {
  const last = stages.at(-1);
  if (last?.kind !== 'store' || !stages.slice(0, -1).every((s) => s.kind === 'reduce')) return false;
  let known = true;
  visitPoints(dynamic.values(), dynamic, (e) => {
    if (e.kind === 'local') known = false;
  });
  return known;
}

/** `e` with a value in place of a local. */
function replaceLocal(e: PointExpr, local: string, value: PointExpr): PointExpr {
  const memo = new Map<PointExpr, PointExpr>();
  const walk = (x: PointExpr): PointExpr => {
    if (!x.symbols.has(local)) return x;
    const known = memo.get(x);
    if (known !== undefined) return known;
    const made =
      x.kind === 'local'
        ? value
        : x.kind === 'apply'
          ? applyPoint(x.op, x.dtype, x.args.map(walk))
          : x.kind === 'guard'
            ? guardPoint(x.conditions, walk(x.inside), walk(x.outside))
            : x;
    memo.set(x, made);
    return made;
  };
  return walk(e);
}

/** The nest, or nests that compute the same one after the other, each with work for the whole machine. */
export function splitLong(nest: Nest, facts: SimtFacts): readonly Nest[] {
  const { outer, dynamic } = nest;
  const partsFor = (stage: Stage): number => (stage.kind === 'reduce' ? partsOf(pointsOf(outer), pointsOf(stage.axes), facts) : 1);
  if (!canSplit(nest) || nest.stages.every((s) => partsFor(s) < 2)) return [nest];
  const made: Nest[] = [];
  let [stage, ...later] = nest.stages;
  while (stage?.kind === 'reduce') {
    const count = partsFor(stage);
    const split = count < 2 ? undefined : splitReduce({ outer, stages: [stage], dynamic }, count);
    if (split !== undefined) made.push(split.parts);
    const reduce = split?.join ?? stage;
    const [next] = later;
    if (later.length === 1 && next?.kind === 'store' && next.axes.length === 0) return [...made, { outer, stages: [reduce, next], dynamic }];
    const { slot, store } = storeLocal(outer, stage.local, stage.dtype);
    made.push({ outer, stages: [reduce, store], dynamic });
    const { local } = stage;
    const result = loadPoint(slot, placeOf(outer), stage.dtype);
    [stage, ...later] = later.map((s) => ({ ...s, value: replaceLocal(s.value, local, result) }));
  }
  invariant(stage?.kind === 'store', 'a row ends with a store');
  return [...made, { outer: [...outer, ...stage.axes], stages: [{ ...stage, axes: [] }], dynamic }];
}
