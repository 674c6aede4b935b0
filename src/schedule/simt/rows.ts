// The stages of a row that several threads share: each walks every n-th point, and partial results meet in shuffles and in shared memory.
import { substitute } from '../emit/places.ts';
import { ZERO, indexSymbol, linearIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError, invariant } from '../../core/error.ts';
import { stridesOf } from '../../core/shape.ts';
import { add, assign, binary, cast, compare, constant, index, load, mul, select, shuffle, store, unary, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import { axisIndex, unflatten } from '../nest.ts';
import type { Axis, Stage } from '../nest.ts';
import type { Substitution } from '../point.ts';
import { computeType, narrowTo, typed } from '../emit/compute.ts';
import { combineReduced, identityOf } from '../emit/elementwise.ts';
import type { Emitter } from '../emit/emitter.ts';
import { accumulate, letScope } from '../emit/stages.ts';
import { declareAccumulator, nameOf } from '../emit/walk.ts';
import { createSlot } from '../storage.ts';
import { pointsOf } from '../traffic.ts';
import { when } from './machine.ts';

type StageOf<K extends Stage['kind']> = Extract<Stage, { readonly kind: K }>;

export interface RowContext {
  readonly emitter: Emitter;
  /** Threads that share a row, a power of two; rows of a block. */
  readonly threads: number;
  readonly rows: number;
  /** Whether neighbouring threads have neighbouring rows. */
  readonly across: boolean;
  /** In which bits the numbers of threads differ that take each other's values, and how many groups of such threads the row has. */
  readonly masks: readonly number[];
  readonly groups: number;
  /** The thread's number in its row, the row's number in its block. */
  readonly inRow: Expr;
  readonly row: Expr;
  /** Whether there is such a row; undefined where there always is. */
  readonly exists: Expr | undefined;
  /** Replaces the outer axes. */
  readonly substitution: Substitution;
}

const barrier: Stmt = { kind: 'barrier' };

/**
 * Walks the points of a stage, every thread its own: along the last axis alone where it is long, else over all axes as one. Where there are
 * fewer points than threads, nothing of it is done outside of the branch: what a point reads may be what its thread writes over.
 */
function walk({ emitter, threads, inRow }: RowContext, axes: readonly Axis[], write: (inner: Substitution) => void): void {
  const split = (axes.at(-1)?.extent ?? 0) >= threads ? axes.length - 1 : 0;
  const [slow, fast] = [axes.slice(0, split), axes.slice(split)];
  const total = pointsOf(fast);
  const symbol = emitter.fresh('w');
  const one = (): void => write(substitute(emitter, unflatten(fast, indexSymbol(symbol, 0, total - 1))));
  const loops = (rest: readonly Axis[]): void => {
    const [first, ...others] = rest;
    if (first !== undefined) return emitter.loop(first.name, index(0), index(first.extent), 1, () => loops(others));
    if (total >= threads) return emitter.loop(symbol, inRow, index(total), threads, one);
    when(emitter, compare('lt', inRow, index(total)), () => {
      emitter.define(symbol, inRow);
      one();
    });
  };
  loops(slow);
}

/** So many partial results are joined one after the other, by every thread for itself. */
const FEW = 8;

/** Shared memory with an element for every group of the row's threads: the emitter makes room for each of its rows. */
function partialsOf({ emitter, groups }: RowContext, dtype: NumericDType): string {
  return emitter.buffer(createSlot('scratch', { dtype, shape: [groups] }), 'write');
}

/**
 * What the row's threads have becomes one, which all of them then know: first by shuffles within groups of neighbours, then by a tree in shared
 * memory until there are few. `dtypes`: of memory that holds the values exactly.
 */
function meet(context: RowContext, own: readonly Expr[], dtypes: readonly NumericDType[], combine: (a: readonly Expr[], b: readonly Expr[]) => readonly Expr[]): readonly Expr[] {
  const { emitter, rows, across, row, inRow, masks, groups } = context;
  const join = (a: readonly Expr[], b: readonly Expr[]): readonly Expr[] => combine(a, b).map((x) => emitter.bind(x));
  let values = own;
  for (const mask of masks)
    values = join(
      values,
      values.map((x) => shuffled(emitter, x, mask)),
    );
  if (groups === 1) return values;
  const names = dtypes.map((dtype) => partialsOf(context, dtype));
  const together = 2 ** masks.length;
  const base = rows === 1 ? index(0) : across ? row : emitter.bind(mul(row, index(groups)));
  const at = (group: Expr): Expr => add(base, across ? mul(group, index(rows)) : group);
  const put = (group: Expr, x: readonly Expr[]): void => names.forEach((name, i) => emitter.push(store(name, at(group), x[i]!)));
  const get = (group: Expr): readonly Expr[] => names.map((name, i) => emitter.bind(load(name, at(group), own[i]!.type.dtype)));
  const isFirst = together === 1 ? undefined : compare('eq', binary('rem', inRow, index(together)), index(0));
  when(emitter, isFirst, () => put(binary('div', inRow, index(together)), values));
  emitter.push(barrier);
  let left = groups;
  for (; left > FEW; left /= 2) {
    const half = index(left / 2);
    when(emitter, compare('lt', inRow, half), () => put(inRow, join(get(inRow), get(add(inRow, half)))));
    emitter.push(barrier);
  }
  values = get(index(0));
  for (let i = 1; i < left; i++) values = join(values, get(index(i)));
  return values;
}

/** The value of the thread whose number differs in the bits of `mask`. */
export function shuffled(emitter: Emitter, x: Expr, mask: number): Expr {
  const name = emitter.fresh('x');
  emitter.push(shuffle(name, x, mask));
  return variable(name, x.type.dtype);
}

/** The dtype that holds values of a compute type exactly. */
function partialDType(dtype: NumericDType): NumericDType {
  const type = computeType(dtype);
  invariant(type !== 'index', 'an index has no dtype');
  return type;
}

function writeReduce(context: RowContext, stage: StageOf<'reduce'>): void {
  const { emitter, substitution } = context;
  const value = substitution.point(stage.value);
  const type = computeType(stage.dtype);
  const acc = declareAccumulator(emitter, constant(type, typed(type, identityOf(stage.fn, stage.dtype))));
  walk(context, stage.axes, (inner) => accumulate(emitter, stage, acc, inner.point(value)));
  const [result] = meet(context, [acc], [partialDType(stage.dtype)], ([a], [b]) => [combineReduced(stage.fn, stage.dtype, a!, b!, letScope(emitter))]);
  emitter.define(stage.local, emitter.bind(narrowTo(stage.dtype, result!)));
}

/** Whether x comes before y for certain: NaN comes first, then the extreme. */
function precedes(stage: StageOf<'argReduce'>, x: Expr, y: Expr, float: boolean): Expr {
  const [a, b] = x.type.dtype === 'bool' ? [cast('i32', x), cast('i32', y)] : [x, y];
  const better = compare(stage.fn === 'max' ? 'gt' : 'lt', a, b);
  if (!float) return better;
  return binary('or', better, binary('and', compare('ne', a, a), unary('not', compare('ne', b, b))));
}

/** Extremes with their positions; equal ones are told apart by position, so the order in which threads meet does not matter. */
function writeArgReduce(context: RowContext, stage: StageOf<'argReduce'>): void {
  const { emitter, substitution } = context;
  const value = substitution.point(stage.value);
  const float = isFloat(value.dtype);
  const start = substitute(emitter, new Map(stage.axes.map((a) => [a.name, ZERO]))).point(value);
  const place = declareAccumulator(emitter, constant('i32', 0));
  const best = declareAccumulator(emitter, emitter.point(start));
  const along: IndexExpr = linearIndex(stage.axes.map(axisIndex), stridesOf(stage.axes.map((a) => a.extent)));
  const take = (x: Expr, at: Expr, held: Expr, heldAt: Expr): Expr => {
    const tie = binary('and', unary('not', precedes(stage, held, x, float)), compare(stage.last ? 'gt' : 'lt', at, heldAt));
    return binary('or', precedes(stage, x, held, float), tie);
  };
  walk(context, stage.axes, (inner) => {
    const e = inner.point(value);
    emitter.countUses(e);
    const [x, at] = [emitter.bind(emitter.point(e)), emitter.bind(cast('i32', emitter.index(inner.index(along))))];
    emitter.push({ kind: 'if', condition: take(x, at, best, place), then: [assign(nameOf(best), x), assign(nameOf(place), at)], else: [] });
  });
  const [, at] = meet(context, [best, place], [partialDType(value.dtype), 'i32'], ([held, heldAt], [x, xAt]) => {
    const taken = emitter.bind(take(x!, xAt!, held!, heldAt!));
    return [select(taken, x!, held!), select(taken, xAt!, heldAt!)];
  });
  emitter.define(stage.local, emitter.bind(cast('i64', at!)));
}

function writeStore(context: RowContext, stage: StageOf<'store' | 'keep'>): void {
  const { emitter, substitution, inRow, row, exists } = context;
  const value = substitution.point(stage.value);
  const offset = substitution.index(stage.offset);
  const write = (): void =>
    walk(context, stage.axes, (inner) => {
      const e = inner.point(value);
      emitter.countUses(e);
      const result = emitter.point(e);
      if (stage.kind === 'keep') emitter.keep(stage.slot, inner.index(offset), result, row);
      else emitter.store(stage.slot, inner.index(offset), result);
    });
  if (stage.kind === 'store') return when(emitter, exists, write);
  write();
  emitter.push(barrier);
  emitter.define(stage.local, inRow, emitter.level, row);
}

export function writeRowStage(context: RowContext, stage: Stage): void {
  switch (stage.kind) {
    case 'store':
    case 'keep':
      return writeStore(context, stage);
    case 'reduce':
      return writeReduce(context, stage);
    case 'argReduce':
      return writeArgReduce(context, stage);
    case 'scan':
    case 'update':
      throw new AnychipError('internal', `a ${stage.kind} is not shared between threads`);
  }
}
