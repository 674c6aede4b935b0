// A product whose rows go through a softmax and then through a second product, as attention has it: found in three nests by what they
// compute, whatever made them. One walk along the keys is enough for it, because weights that were taken relative to a smaller maximum are
// only scaled when a larger one is found: Milakov and Gimelshein, "Online normalizer calculation for softmax".
import { ZERO, addIndex, coefficientOf, indexSymbol, scaleIndex, symbolsIn } from '../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../core/indexExpr.ts';
import type { Chain } from './chains.ts';
import { Interner } from './interner.ts';
import { axisIndex, freshNames, refineAxes, unflatten } from './nest.ts';
import type { Axis, Nest, Stage } from './nest.ts';
import { Substitution, applyPoint, guardPoint } from './point.ts';
import type { PointExpr } from './point.ts';
import type { MemorySlot } from './storage.ts';
import { pointsOf, trafficOf } from './traffic.ts';
import type { Traffic } from './traffic.ts';
import { findContraction } from './contraction.ts';
import type { Contraction, Factor } from './contraction.ts';

/** Rows are numbered over all of the batch; `group` neighbours among them share their keys. */
export interface SoftmaxProduct {
  readonly rows: number;
  readonly group: number;
  readonly keys: number;
  /** Terms of a score, and columns of the result. */
  readonly depth: number;
  readonly columns: number;
  readonly scores: Contraction;
  readonly product: Contraction;
  /** The factors of the scores. */
  readonly queries: Factor;
  readonly ofKeys: Factor;
  /** The value at a place of one factor of the scores, and of the other, and of the second product's own. */
  query(row: IndexExpr, term: IndexExpr): PointExpr;
  key(row: IndexExpr, key: IndexExpr, term: IndexExpr): PointExpr;
  value(row: IndexExpr, key: IndexExpr, column: IndexExpr): PointExpr;
  /** What the softmax is taken of, from a score's sum. */
  score(row: IndexExpr, key: IndexExpr, sum: PointExpr): PointExpr;
  /** What is stored, from the sum, and where. */
  result(row: IndexExpr, column: IndexExpr, sum: PointExpr): { readonly value: PointExpr; readonly offset: IndexExpr };
  /** Rows without any finite score give zeros rather than no numbers. */
  readonly isGuarded: boolean;
}

/** The axes of rows in order, where `offset` counts rows of `last` one after the other. */
function rowAxes(offset: IndexExpr, axes: readonly Axis[], last: Axis): readonly Axis[] | undefined {
  const steps = axes.map((axis) => ({ axis, step: coefficientOf(offset, axis.name) ?? 0 })).sort((a, b) => b.step - a.step);
  let expected = last.extent;
  for (const { axis, step } of steps.toReversed()) {
    if (step !== expected) return undefined;
    expected *= axis.extent;
  }
  const isPlain = offset.constant === 0 && coefficientOf(offset, last.name) === 1 && symbolsIn(offset).size === axes.length + 1;
  return isPlain ? steps.map(({ axis }) => axis) : undefined;
}

/** How many neighbouring rows see the same of `value`. */
function groupOf(rows: readonly Axis[], value: PointExpr): number {
  const last = rows.findLastIndex((axis) => value.symbols.has(axis.name));
  return pointsOf(rows.slice(last + 1));
}

/** `e` with other expressions in place of some. */
function replacing(e: PointExpr, by: (x: PointExpr) => PointExpr | undefined): PointExpr {
  const made = by(e);
  if (made !== undefined) return made;
  if (e.kind === 'apply')
    return applyPoint(
      e.op,
      e.dtype,
      e.args.map((a) => replacing(a, by)),
    );
  return e.kind === 'guard' ? guardPoint(e.conditions, replacing(e.inside, by), replacing(e.outside, by)) : e;
}

const substituting = (bindings: Bindings): Substitution => new Substitution(bindings, new Map(), (_, old) => indexSymbol(old, 0, 0));

const isFn = (e: PointExpr, fn: string): e is Extract<PointExpr, { kind: 'apply' }> =>
  e.kind === 'apply' && (e.op.op === 'unary' || e.op.op === 'binary' || e.op.op === 'compare') && e.op.attrs.fn === fn;
const withoutCasts = (e: PointExpr): PointExpr => (e.kind === 'apply' && e.op.op === 'cast' ? withoutCasts(e.args[0]!) : e);

/** Whether `e` is the local, or the local with another number in the place of one. */
function isLocal(e: PointExpr, local: string, unless: number, instead: number): 'plain' | 'guarded' | undefined {
  if (e.kind === 'local') return e.name === local ? 'plain' : undefined;
  if (e.kind !== 'apply' || e.op.op !== 'where') return undefined;
  const [condition, otherwise, own] = e.args;
  const isTest = isFn(condition!, 'eq') && condition.args[0]?.kind === 'local' && condition.args[0].name === local && isNumber(condition.args[1], unless);
  return isTest && isNumber(otherwise, instead) && own?.kind === 'local' && own.name === local ? 'guarded' : undefined;
}
const isNumber = (e: PointExpr | undefined, value: number): boolean => e?.kind === 'literal' && Number(e.value) === value;

interface Softmax {
  readonly rows: readonly Axis[];
  readonly key: Axis;
  /** What it is taken of, at point `key` of a row. */
  readonly score: PointExpr;
  readonly isGuarded: boolean;
}

/** The nest as a softmax of rows of `from`, into rows of the same places of `to`. */
function findSoftmax(nest: Nest, from: MemorySlot, to: MemorySlot): Softmax | undefined {
  const kept = new Map(nest.stages.flatMap((s) => (s.kind === 'keep' ? [[s.slot, s] as const] : [])));
  const [largest, sum, store] = nest.stages.filter((s) => s.kind !== 'keep');
  if (nest.stages.length - kept.size !== 3 || largest?.kind !== 'reduce' || sum?.kind !== 'reduce' || store?.kind !== 'store') return undefined;
  if (largest.fn !== 'max' || sum.fn !== 'sum' || store.slot !== to || nest.stages.some((s) => s.axes.length !== 1)) return undefined;
  const inner = store.axes[0]!;
  const rows = rowAxes(store.offset, nest.outer, inner);
  if (rows === undefined) return undefined;
  const interner = new Interner();
  // Every stage at the same point of the row, without what is kept.
  const atInner = (stage: Stage): PointExpr => {
    const own = substituting(new Map([[stage.axes[0]!.name, axisIndex(inner)]])).point(stage.value);
    const keptAt = (x: PointExpr): PointExpr | undefined => {
      const filled = x.kind === 'load' && x.offset.key === axisIndex(inner).key ? kept.get(x.slot) : undefined;
      return filled !== undefined && filled.offset.key === axisIndex(filled.axes[0]!).key ? atInner(filled) : undefined;
    };
    return interner.intern(replacing(own, keptAt));
  };
  const [score, power, weight] = [atInner(largest), atInner(sum), withoutCasts(atInner(store))];
  const exponent = isFn(power, 'exp') ? power.args[0]! : undefined;
  if (exponent === undefined || !isFn(exponent, 'sub') || exponent.args[0] !== score || !isFn(weight, 'div') || weight.args[0] !== power) return undefined;
  const [base, total] = [isLocal(exponent.args[1]!, largest.local, -Infinity, 0), isLocal(weight.args[1]!, sum.local, 0, 1)];
  if (base === undefined || total === undefined) return undefined;
  let isPlain = true;
  replacing(score, (x) => {
    if (x.kind === 'load' && x.slot === from && x.offset.key !== store.offset.key) isPlain = false;
    if (x.kind === 'local' || (x.kind === 'load' && x.after !== undefined)) isPlain = false;
    return undefined;
  });
  return isPlain ? { rows, key: inner, score, isGuarded: total === 'guarded' } : undefined;
}

const isLoadOf = (e: PointExpr, slot: MemorySlot): boolean => e.kind === 'load' && e.slot === slot;

/** One of the two products: its rows in order, the axis of keys, the factor that has the keys (or the weights), and the other. */
interface Side {
  readonly contraction: Contraction;
  readonly rows: readonly Axis[];
  readonly key: Axis;
  readonly own: Factor;
  readonly other: Factor;
}

function refined(nest: Nest): { readonly outer: readonly Axis[]; readonly contraction: Contraction } | undefined {
  const { outer, ...rest } = refineAxes(nest, freshNames(nest));
  const contraction = findContraction({ outer, ...rest });
  return contraction === undefined ? undefined : { outer, contraction };
}

/** The factor that `is` so, and the other. */
function factorsOf({ a, b }: Contraction, is: (factor: Factor) => boolean): readonly [Factor, Factor] | undefined {
  return is(a) ? [a, b] : is(b) ? [b, a] : undefined;
}

/** The key is what lies side by side in the scores, and one factor's only own axis. */
function scoresSide(nest: Nest): Side | undefined {
  const fine = refined(nest);
  const offset = fine?.contraction.result.offset;
  const key = fine?.outer.find((axis) => coefficientOf(offset!, axis.name) === 1);
  if (fine === undefined || offset === undefined || key === undefined) return undefined;
  const factors = factorsOf(fine.contraction, ({ axes }) => axes.length === 1 && axes[0] === key);
  const others = fine.outer.filter((axis) => axis !== key);
  const rows = rowAxes(offset, others, key);
  return factors === undefined || rows === undefined ? undefined : { contraction: fine.contraction, rows, key, own: factors[0], other: factors[1] };
}

/** The weights are summed with what depends on keys and columns. */
function weightsSide(nest: Nest, slot: MemorySlot): Side | undefined {
  const fine = refined(nest);
  const factors = fine === undefined ? undefined : factorsOf(fine.contraction, ({ value }) => isLoadOf(withoutCasts(value), slot));
  const key = fine?.contraction.summed[0];
  if (fine === undefined || factors === undefined || key === undefined || fine.contraction.summed.length !== 1) return undefined;
  const [own, other] = factors;
  const weights = withoutCasts(own.value);
  const others = fine.outer.filter((axis) => !other.axes.includes(axis));
  const rows = weights.kind === 'load' ? rowAxes(weights.offset, others, key) : undefined;
  return rows === undefined ? undefined : { contraction: fine.contraction, rows, key, own, other };
}

export function findSoftmaxProduct({ first, rows, last, between: [scoresSlot, weightsSlot] }: Chain): SoftmaxProduct | undefined {
  if ([first, rows, last].some((nest) => nest.dynamic.size > 0)) return undefined;
  const [scores, product, softmax] = [scoresSide(first), weightsSide(last, weightsSlot), findSoftmax(refineAxes(rows, freshNames(rows)), scoresSlot, weightsSlot)];
  if (scores === undefined || product === undefined || softmax === undefined) return undefined;
  const groups = [groupOf(scores.rows, scores.own.value), groupOf(product.rows, product.other.value)];
  const [group, larger] = [Math.min(...groups), Math.max(...groups)];
  const counts = [scores, softmax, product].map((part) => pointsOf(part.rows));
  const isOne = [counts, [scores.key, softmax.key, product.key].map((axis) => axis.extent)].every(([a, ...more]) => more.every((b) => a === b));
  return isOne && larger % group === 0 ? describe(scores, softmax, product, scoresSlot, group) : undefined;
}

function describe(scores: Side, softmax: Softmax, product: Side, scoresSlot: MemorySlot, group: number): SoftmaxProduct {
  const terms = scores.contraction.summed;
  const columns = product.other.axes;
  const at = ({ rows, key: axis }: Pick<Side, 'rows' | 'key'>, row: IndexExpr, key: IndexExpr, ...more: readonly (readonly [readonly Axis[], IndexExpr])[]): Bindings =>
    new Map([...unflatten(rows, row), [axis.name, key], ...more.flatMap(([axes, x]) => [...unflatten(axes, x)])]);
  return {
    rows: pointsOf(scores.rows),
    group,
    keys: scores.key.extent,
    depth: pointsOf(terms),
    columns: pointsOf(columns),
    scores: scores.contraction,
    product: product.contraction,
    queries: scores.other,
    ofKeys: scores.own,
    isGuarded: softmax.isGuarded,
    query: (row, term) => substituting(at(scores, row, ZERO, [terms, term])).point(scores.other.value),
    key: (row, key, term) => substituting(at(scores, row, key, [terms, term])).point(scores.own.value),
    value: (row, key, column) => substituting(at(product, row, key, [columns, column])).point(product.other.value),
    score: (row, key, sum) => {
      const own = withSum(scores.contraction, substituting(at(scores, row, key)), sum);
      return replacing(substituting(at(softmax, row, key)).point(softmax.score), (x) => (isLoadOf(x, scoresSlot) ? own : undefined));
    },
    result: (row, column, sum) => {
      const place = substituting(at(product, row, ZERO, [columns, column]));
      return { value: withSum(product.contraction, place, sum), offset: place.index(product.contraction.result.offset) };
    },
  };
}

/** The result of a contraction at a place, with `given` for its sum. */
const withSum = ({ result, sum }: Contraction, place: Substitution, given: PointExpr): PointExpr =>
  replacing(place.point(result.value), (x) => (x.kind === 'local' && x.name === sum.local ? given : undefined));

/** What a kernel of it all moves: no scores, and no weights. */
export function trafficOfChain({ first, last }: Chain, { rows, keys }: SoftmaxProduct): Traffic {
  const [scores, product] = [trafficOf(first), trafficOf(last)];
  return { readBytes: scores.readBytes + Math.max(0, product.readBytes - 4 * rows * keys), writeBytes: product.writeBytes };
}

/** The row's number in the whole, from its group's and its own there. */
export const rowOf = ({ group }: SoftmaxProduct, number: IndexExpr, own: IndexExpr): IndexExpr => addIndex(scaleIndex(number, group), own);
