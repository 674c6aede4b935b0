// The stages of a nest as loops: stores, reductions with several accumulators, extremes with their positions, running sums.
import { symbolsIn } from '../../core/indexExpr.ts';
import { dtypes, isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { assign, compare, constant, fma, index, select, splat } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { ReduceFn, ScatterFn } from '../../graph/prims.ts';
import { guardPoint } from '../point.ts';
import type { Condition, PointExpr, Substitution } from '../point.ts';
import type { Axis, Stage } from '../nest.ts';
import { computeType, narrowTo, typed } from './compute.ts';
import { combineReduced, identityOf } from './elementwise.ts';
import type { LetScope } from './elementwise.ts';
import { writeArgReduce } from './extremes.ts';
import type { Emitter } from './emitter.ts';
import { WORTHWHILE, vectorRatio } from './lanes.ts';
import { declareAccumulator, loopAll, nameOf } from './walk.ts';
import type { StageContext } from './walk.ts';
import { halvings, widestLanes, writeStrips } from './strips.ts';

type StageOf<K extends Stage['kind']> = Extract<Stage, { readonly kind: K }>;

const ACCUMULATORS = 4;

export const letScope = (emitter: Emitter): LetScope => ({ bind: (x) => emitter.bind(x), rangeOf: () => ({ min: -Infinity, max: Infinity }) });

/** Lanes for the innermost axis of a stage: more than 1 where vectors pay and the outer axis has none. */
function innerLanes(context: StageContext, axis: Axis | undefined, values: readonly PointExpr[], stage: Stage): number {
  const lanes = axis === undefined ? 1 : widestLanes(axis.extent, context.lanes);
  if (axis === undefined || context.outerLanes > 1 || lanes === 1) return 1;
  const offsets = stage.kind === 'store' || stage.kind === 'keep' ? [context.substitution.index(stage.offset)] : [];
  return vectorRatio({ values, offsets, dynamic: context.emitter.dynamic, axis, lanes, locals: [] }) < WORTHWHILE ? lanes : 1;
}

function writeStore(context: StageContext, stage: StageOf<'store' | 'keep'>): void {
  const { emitter, substitution } = context;
  const value = substitution.point(stage.value);
  const put = (inner: Substitution | undefined, lanes: number): void => {
    const e = inner === undefined ? value : inner.point(value);
    const offset = substitution.index(stage.offset);
    emitter.countUses(e);
    const place = inner === undefined ? offset : inner.index(offset);
    const result = splat(emitter.point(e), lanes);
    if (stage.kind === 'keep') emitter.keep(stage.slot, place, result);
    else emitter.store(stage.slot, place, result);
  };
  const last = stage.axes.at(-1);
  if (last === undefined) return put(undefined, context.outerLanes);
  const lanes = innerLanes(context, last, [value], stage);
  loopAll(emitter, stage.axes.slice(0, -1), () =>
    writeStrips(emitter, {
      axis: last,
      widths: halvings(lanes),
      overlap: context.overlap,
      values: [value],
      write: (inner, width) => put(inner, Math.max(width, context.outerLanes)),
    }),
  );
}

/** What reads the kept row must come after it: its local has the lanes of the rows and no other meaning. */
function writeKeep(context: StageContext, stage: StageOf<'keep'>): void {
  writeStore(context, stage);
  context.emitter.define(stage.local, splat(constant('i32', 0), context.outerLanes));
}

export const identity = (fn: ReduceFn, dtype: NumericDType, lanes: number): Expr => {
  const type = computeType(dtype);
  return splat(constant(type, typed(type, identityOf(fn, dtype))), lanes);
};

/**
 * Runs `write` with `value`, without those of its guards that are known by now and whose other side changes nothing: they become a
 * branch around it.
 */
function whereItMatters(emitter: Emitter, stage: StageOf<'reduce'>, value: PointExpr, later: readonly Axis[], write: (value: PointExpr) => void): void {
  if (value.kind !== 'guard' || !isNeutral(stage, value.outside)) return write(value);
  const isLater = (c: Condition): boolean => {
    const symbols = symbolsIn(c.value);
    return later.some((axis) => symbols.has(axis.name)) || emitter.varies(symbols);
  };
  const known = value.conditions.filter((c) => !isLater(c));
  if (known.length === 0) return write(value);
  const inside = guardPoint(value.conditions.filter(isLater), value.inside, value.outside);
  const then = emitter.block(() => whereItMatters(emitter, stage, inside, later, write), true);
  emitter.push({ kind: 'if', condition: emitter.holds(known), then, else: [] });
}

const isNeutral = (stage: StageOf<'reduce'>, e: PointExpr): boolean => e.kind === 'literal' && e.value === identityOf(stage.fn, stage.dtype);

/** acc ∘ value, as one fused multiply-add where the value is a product that is summed. */
export function accumulate(emitter: Emitter, stage: StageOf<'reduce'>, acc: Expr, e: PointExpr): void {
  const scope = letScope(emitter);
  const { lanes } = acc.type;
  const isProduct = stage.fn === 'sum' && e.kind === 'apply' && e.op.op === 'binary' && e.op.attrs.fn === 'mul' && isFloat(e.dtype) && dtypes[e.dtype].bits >= 32;
  let next: Expr;
  if (isProduct) {
    e.args.forEach((a) => emitter.countUses(a));
    next = fma(splat(emitter.point(e.args[0]!), lanes), splat(emitter.point(e.args[1]!), lanes), acc);
  } else {
    emitter.countUses(e);
    const value = splat(emitter.point(e), lanes);
    // Minimum and maximum look at the value twice.
    next = combineReduced(stage.fn, stage.dtype, acc, value, scope);
  }
  emitter.push(assign(nameOf(acc), next));
}

function writeReduce(context: StageContext, stage: StageOf<'reduce'>): void {
  const { emitter, substitution, outerLanes } = context;
  const value = substitution.point(stage.value);
  const last = stage.axes.at(-1);
  const lanes = innerLanes(context, last, [value], stage);
  const unroll = last !== undefined && lanes > 1 && last.extent >= 2 * ACCUMULATORS * lanes ? ACCUMULATORS : 1;
  const vectors = lanes > 1 ? Array.from({ length: unroll }, () => declareAccumulator(emitter, identity(stage.fn, stage.dtype, lanes))) : [];
  const single = declareAccumulator(emitter, identity(stage.fn, stage.dtype, outerLanes));
  const strips = (axis: Axis, x: PointExpr): void =>
    writeStrips(emitter, {
      axis,
      widths: lanes > 1 ? [lanes] : [],
      unroll,
      values: [x],
      write: (inner, width, copy) => whereItMatters(emitter, stage, inner.point(x), [], (e) => accumulate(emitter, stage, width > 1 ? vectors[copy]! : single, e)),
    });
  const loops = (axes: readonly Axis[], x: PointExpr): void =>
    whereItMatters(emitter, stage, x, axes, (e) => {
      const [first, ...rest] = axes;
      if (first === undefined) accumulate(emitter, stage, single, e);
      else if (rest.length === 0) strips(first, e);
      else emitter.loop(first.name, index(0), index(first.extent), 1, () => loops(rest, e));
    });
  loops(stage.axes, value);
  emitter.define(stage.local, emitter.bind(narrowTo(stage.dtype, joinAccumulators(emitter, stage, vectors, single))));
}

/** All accumulators in one; a balanced tree keeps sums accurate. */
function joinAccumulators(emitter: Emitter, stage: StageOf<'reduce'>, vectors: readonly Expr[], single: Expr): Expr {
  if (vectors.length === 0) return single;
  const scope = letScope(emitter);
  const join = (a: Expr, b: Expr): Expr => combineReduced(stage.fn, stage.dtype, a, b, scope);
  let items = [...vectors];
  while (items.length > 1)
    items = Array.from({ length: Math.ceil(items.length / 2) }, (_, i) => (items[2 * i + 1] === undefined ? items[2 * i]! : join(items[2 * i]!, items[2 * i + 1]!)));
  return join(single, acrossLanes(emitter, stage, items[0]!));
}

/** The lanes of a vector as one; NaN is kept. */
export function acrossLanes(emitter: Emitter, stage: StageOf<'reduce'>, x: Expr): Expr {
  const type = { dtype: x.type.dtype, lanes: 1 };
  if (x.type.dtype === 'bool') return { kind: 'across', type, fn: stage.fn === 'max' || stage.fn === 'sum' ? 'or' : 'and', x };
  if (stage.fn === 'sum') return { kind: 'across', type, fn: 'add', x };
  if (stage.fn === 'prod') return { kind: 'across', type, fn: 'mul', x };
  if (!isFloat(stage.dtype)) return { kind: 'across', type, fn: stage.fn, x };
  // `across` makes no promise about NaN.
  const bound = emitter.bind(x);
  const anyNaN: Expr = { kind: 'across', type: { dtype: 'bool', lanes: 1 }, fn: 'or', x: compare('ne', bound, bound) };
  return select(anyNaN, constant(x.type.dtype, NaN), { kind: 'across', type, fn: stage.fn, x: bound });
}

/** Begins a running sum or product; gives what writes each of its steps. */
export function beginScan({ emitter, substitution, outerLanes }: StageContext, stage: StageOf<'scan'>): () => void {
  const value = substitution.point(stage.value);
  const offset = substitution.index(stage.offset);
  const acc = declareAccumulator(emitter, identity(stage.fn, value.dtype, outerLanes));
  return () => {
    emitter.countUses(value);
    const x = splat(emitter.point(value), outerLanes);
    const next = narrowTo(value.dtype, combineReduced(stage.fn, value.dtype, acc, x, letScope(emitter)));
    if (stage.exclusive) {
      const bound = emitter.bind(next);
      emitter.store(stage.slot, offset, acc);
      emitter.push(assign(nameOf(acc), bound));
    } else {
      emitter.push(assign(nameOf(acc), next));
      emitter.store(stage.slot, offset, acc);
    }
  };
}

const UPDATES = { add: 'sum', mul: 'prod', min: 'min', max: 'max' } as const satisfies Record<Exclude<ScatterFn, 'replace'>, ReduceFn>;

/** What is stored is read anew at each point: an earlier point may have written it. */
function writeUpdate(context: StageContext, stage: StageOf<'update'>): void {
  const { emitter, substitution, outerLanes } = context;
  const value = substitution.point(stage.value);
  const offset = substitution.index(stage.offset);
  loopAll(emitter, stage.axes, () => {
    emitter.countUses(value);
    const x = splat(emitter.point(value), outerLanes);
    if (stage.fn === 'replace') return emitter.store(stage.slot, offset, x);
    const before = emitter.bind(emitter.reload(stage.slot, offset, outerLanes));
    const next = combineReduced(UPDATES[stage.fn], value.dtype, before, emitter.bind(x), letScope(emitter));
    emitter.store(stage.slot, offset, narrowTo(value.dtype, next));
  });
}

export function writeStage(context: StageContext, stage: Stage): void {
  switch (stage.kind) {
    case 'store':
      return writeStore(context, stage);
    case 'keep':
      return writeKeep(context, stage);
    case 'reduce':
      return writeReduce(context, stage);
    case 'argReduce':
      return writeArgReduce(context, stage, innerLanes(context, stage.axes.at(-1), [stage.value], stage));
    case 'scan':
      return loopAll(context.emitter, stage.axes, beginScan(context, stage));
    case 'update':
      return writeUpdate(context, stage);
  }
}
