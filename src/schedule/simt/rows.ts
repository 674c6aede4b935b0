// The stages of a row that several threads share: each walks every n-th point, and partial results meet in a tree in shared memory.
import { ZERO, indexSymbol, linearIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError, invariant } from '../../core/error.ts';
import { stridesOf } from '../../core/shape.ts';
import { add, assign, binary, cast, compare, constant, declare, index, load, store, unary, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import { axisIndex, unflatten } from '../nest.ts';
import type { Axis, Stage } from '../nest.ts';
import { Substitution } from '../point.ts';
import { computeType, narrowTo, typed } from '../emit/compute.ts';
import { combineReduced, identityOf } from '../emit/elementwise.ts';
import type { Emitter } from '../emit/emitter.ts';
import { accumulate, letScope } from '../emit/stages.ts';
import { createSlot } from '../storage.ts';
import { pointsOf } from '../traffic.ts';
import { thread, when } from './machine.ts';

type StageOf<K extends Stage['kind']> = Extract<Stage, { readonly kind: K }>;

export interface RowContext {
  readonly emitter: Emitter;
  /** Threads that share a row, a power of two; rows of a block. */
  readonly threads: number;
  readonly rows: number;
  /** Whether neighbouring threads have neighbouring rows. */
  readonly across: boolean;
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
  const one = (): void => write(new Substitution(unflatten(fast, indexSymbol(symbol, 0, total - 1)), emitter.dynamic, (d) => emitter.dynamicSymbol(d)));
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

/** Shared memory with an element for every thread of the block: the emitter makes room for each of its rows. */
function treeOf({ emitter, threads }: RowContext, dtype: NumericDType): string {
  return emitter.buffer(createSlot('scratch', { dtype, shape: [threads] }), 'write');
}

/** The elements of the row's threads become one, in the first; then all know it. `combine` writes what joins an element and the one `distance` after it. */
function joinTree({ emitter, threads, rows, across, inRow }: RowContext, combine: (distance: number) => void): void {
  emitter.push(barrier);
  for (let step = threads / 2; step >= 1; step /= 2) {
    const then = emitter.block(() => combine(across ? step * rows : step), true);
    emitter.push({ kind: 'if', condition: compare('lt', inRow, index(step)), then, else: [] }, barrier);
  }
}

/** Where the row's first thread has its element. */
const firstOf = ({ emitter, rows, across, row, inRow }: RowContext): Expr => (rows === 1 ? index(0) : across ? row : emitter.bind(binary('sub', thread, inRow)));

const nameOf = (x: Expr): string => {
  invariant(x.kind === 'var', 'a local is a variable');
  return x.name;
};

function declareLocal(emitter: Emitter, value: Expr): Expr {
  const name = emitter.fresh('a');
  emitter.push(declare(name, value));
  return variable(name, value.type.dtype);
}

/** The dtype that holds values of a compute type exactly. */
function treeDType(dtype: NumericDType): NumericDType {
  const type = computeType(dtype);
  invariant(type !== 'index', 'an index has no dtype');
  return type;
}

function writeReduce(context: RowContext, stage: StageOf<'reduce'>): void {
  const { emitter, substitution } = context;
  const value = substitution.point(stage.value);
  const type = computeType(stage.dtype);
  const acc = declareLocal(emitter, constant(type, typed(type, identityOf(stage.fn, stage.dtype))));
  walk(context, stage.axes, (inner) => accumulate(emitter, stage, acc, inner.point(value)));
  const tree = treeOf(context, treeDType(stage.dtype));
  const at = (step: number): Expr => load(tree, add(thread, index(step)), type);
  emitter.push(store(tree, thread, acc));
  joinTree(context, (step) => {
    const [a, b] = [emitter.bind(at(0)), emitter.bind(at(step))];
    emitter.push(store(tree, thread, combineReduced(stage.fn, stage.dtype, a, b, letScope(emitter))));
  });
  emitter.define(stage.local, emitter.bind(narrowTo(stage.dtype, load(tree, firstOf(context), type))));
}

/** Whether x comes before y for certain: NaN comes first, then the extreme. */
function precedes(stage: StageOf<'argReduce'>, x: Expr, y: Expr, float: boolean): Expr {
  const [a, b] = x.type.dtype === 'bool' ? [cast('i32', x), cast('i32', y)] : [x, y];
  const better = compare(stage.fn === 'max' ? 'gt' : 'lt', a, b);
  if (!float) return better;
  return binary('or', better, binary('and', compare('ne', a, a), unary('not', compare('ne', b, b))));
}

/** Extremes with their positions; equal ones are told apart by position, so the order of the tree does not matter. */
function writeArgReduce(context: RowContext, stage: StageOf<'argReduce'>): void {
  const { emitter, substitution } = context;
  const value = substitution.point(stage.value);
  const float = isFloat(value.dtype);
  const start = new Substitution(new Map(stage.axes.map((a) => [a.name, ZERO])), emitter.dynamic, (d) => emitter.dynamicSymbol(d)).point(value);
  const place = declareLocal(emitter, constant('i32', 0));
  const best = declareLocal(emitter, emitter.point(start));
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
  const [values, places] = [treeOf(context, treeDType(value.dtype)), treeOf(context, 'i32')];
  const read = (step: number): readonly [Expr, Expr] => {
    const at = add(thread, index(step));
    return [emitter.bind(load(values, at, best.type.dtype)), emitter.bind(load(places, at, 'i32'))];
  };
  emitter.push(store(values, thread, best), store(places, thread, place));
  joinTree(context, (step) => {
    const [[held, heldAt], [x, at]] = [read(0), read(step)];
    emitter.push({ kind: 'if', condition: take(x, at, held, heldAt), then: [store(values, thread, x), store(places, thread, at)], else: [] });
  });
  emitter.define(stage.local, emitter.bind(cast('i64', load(places, firstOf(context), 'i32'))));
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
