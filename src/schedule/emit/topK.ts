// The first k along an axis, in order: an insertion list for small k; for larger ones the best so far, sorted again when as many candidates
// have come; a merge sort of the row where k is a good part of it. What does not come before the last of the best is passed over, many
// elements at a time where they lie side by side. Ties keep the lower index; NaN counts as the largest value.
import { linearIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { isFloat } from '../../core/dtype.ts';
import { add, assign, binary, cast, compare, exprType, index, load, loop, mul, splat, store, unary, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { PrimNodes } from '../positions.ts';
import type { Storage } from '../storage.ts';
import { computeType, hasLanes } from './compute.ts';
import { declareAccumulator, nameOf } from './walk.ts';
import type { Emitter } from './emitter.ts';

/** Above this k, sorting is cheaper than walking the list for each element that enters it. */
const INSERTION_LIMIT = 24;
/** Rows of fewer times k elements are sorted as a whole. */
const CANDIDATE_ROWS = 4;
/** Vectors that are looked at together. */
const BLOCK_VECTORS = 4;

/** One row, and where its elements are held while it is ordered. */
export interface TopKRow {
  readonly emitter: Emitter;
  readonly node: PrimNodes['topK'];
  readonly x: Storage;
  readonly outputs: readonly Storage[];
  /** Position of the row, with 0 on the axis. */
  readonly at: readonly IndexExpr[];
  /** The memory for keys and for places, `heldElements` of each, from `start` on. */
  readonly keys: string;
  readonly places: string;
  readonly start: Expr;
  /** Lanes of the machine's vectors; 1 for none. */
  readonly lanes: number;
}

const lengthOf = (node: PrimNodes['topK']): number => node.inputs[0]!.shape[node.attrs.axis]!;

type Way = 'insertion' | 'candidates' | 'sort';
function wayOf(node: PrimNodes['topK']): Way {
  const { k } = node.attrs;
  if (k <= INSERTION_LIMIT) return 'insertion';
  return k * CANDIDATE_ROWS <= lengthOf(node) ? 'candidates' : 'sort';
}

interface Rule {
  /** Elements of memory that ordering a row takes. */
  readonly held: (k: number, n: number) => number;
  /** Comparisons of one row, about. */
  readonly work: (k: number, n: number) => number;
  readonly write: (row: TopKRow, n: number) => void;
}
const ways: { readonly [W in Way]: Rule } = {
  insertion: { held: (k) => k, work: (_, n) => n, write: (row, n) => insertRow(row, n) },
  candidates: { held: (k) => 4 * k, work: (k, n) => n + 16 * k * Math.log2(k), write: (row, n) => gatherRow(row, n) },
  sort: { held: (_, n) => 2 * n, work: (_, n) => 4 * n * Math.log2(n + 1), write: (row, n) => sortRow(row, n) },
};

export const heldElements = (node: PrimNodes['topK']): number => ways[wayOf(node)].held(node.attrs.k, lengthOf(node));

export const topKWork = (node: PrimNodes['topK']): number => ways[wayOf(node)].work(node.attrs.k, lengthOf(node));

export const topKFlops = (node: PrimNodes['topK'], rows: number): number => rows * lengthOf(node) * Math.ceil(Math.log2(node.attrs.k + 1));

export const writeTopKRow = (row: TopKRow): void => ways[wayOf(row.node)].write(row, lengthOf(row.node));

/** The offset of element `i` of the row in a strided operand. */
function offsetOf({ emitter, node, at }: TopKRow, storage: Storage, i: Expr): Expr {
  const along = mul(i, index(storage.strides[node.attrs.axis]!));
  return add(emitter.index(linearIndex(at, storage.strides, storage.offset)), along);
}

/** Whether a comes before b, for unlike values: strictly. */
export function before(node: PrimNodes['topK'], a: Expr, b: Expr): Expr {
  const [x, y] = a.type.dtype === 'bool' ? [cast('i32', a), cast('i32', b)] : [a, b];
  const { largest } = node.attrs;
  const better = compare(largest ? 'gt' : 'lt', x, y);
  if (!isFloat(node.inputs[0]!.dtype)) return better;
  const [first, second] = largest ? [x, y] : [y, x];
  const isNaN = (v: Expr): Expr => compare('ne', v, v);
  return binary('or', better, binary('and', isNaN(first), unary('not', isNaN(second))));
}

/** Reads element `i` of the row into a local. */
function readKey(row: TopKRow, i: Expr): Expr {
  const { emitter, node, x } = row;
  return declareAccumulator(emitter, load(emitter.buffer(x.slot, 'read'), offsetOf(row, x, i), computeType(node.inputs[0]!.dtype)));
}

const when = (emitter: Emitter, condition: Expr, then: () => void): void => emitter.push({ kind: 'if', condition, then: emitter.block(then, true), else: [] });

/** Writes what is done for each `i` in [from, to). */
function each(emitter: Emitter, from: Expr, to: Expr, write: (i: Expr) => void, step = 1): void {
  const name = emitter.fresh('n');
  emitter.loop(name, from, to, step, () => write(emitter.named(name).expr));
}

const put = ({ emitter, keys, places, start }: TopKRow, i: Expr, key: Expr, place: Expr): void =>
  emitter.push(store(keys, add(start, i), key), store(places, add(start, i), cast('i32', place)));

const heldKey = ({ node, keys, start }: TopKRow, i: number): Expr => load(keys, add(start, index(i)), computeType(node.inputs[0]!.dtype));

function insertRow(row: TopKRow, n: number): void {
  const { emitter } = row;
  const k = Math.min(row.node.attrs.k, n);
  each(emitter, index(0), index(k), (at) => {
    const [key, place] = [readKey(row, at), declareAccumulator(emitter, cast('i32', at))];
    moveThrough(row, [key, place], at);
    put(row, at, key, place);
  });
  if (k > 0 && k < n) {
    const last = declareAccumulator(emitter, heldKey(row, k - 1));
    passOver(row, { first: k, n, last }, (key, at) => {
      moveThrough(row, [key, declareAccumulator(emitter, cast('i32', at))], index(k));
      emitter.push(assign(nameOf(last), heldKey(row, k - 1)));
    });
  }
  writeResults(row, row.start);
}

/** Puts what is carried before the first of the `count` held that comes after it, and carries that one on. */
function moveThrough({ emitter, node, keys, places, start }: TopKRow, [key, place]: readonly [Expr, Expr], count: Expr): void {
  const j = emitter.fresh('n');
  const [other, otherPlace] = [emitter.fresh('t'), emitter.fresh('t')];
  const [held, heldPlace] = [variable(other, key.type.dtype), variable(otherPlace, 'i32')];
  // Equal keys are told apart by their index.
  const tie = binary('and', unary('not', before(node, held, key)), compare('lt', place, heldPlace));
  const swap: Stmt[] = [store(keys, add(start, variable(j)), key), store(places, add(start, variable(j)), place), assign(nameOf(key), held), assign(nameOf(place), heldPlace)];
  emitter.push(
    loop(j, index(0), count, [
      { kind: 'let', name: other, value: load(keys, add(start, variable(j)), key.type.dtype) },
      { kind: 'let', name: otherPlace, value: load(places, add(start, variable(j)), 'i32') },
      { kind: 'if', condition: binary('or', before(node, key, held), tie), then: swap, else: [] },
    ]),
  );
}

interface Passage {
  /** Where to begin, and where the row ends. */
  readonly first: number;
  readonly n: number;
  /** What elements must come before: a local. */
  readonly last: Expr;
}

/** Writes what `take` does with every element that comes before the last of the best. */
function passOver(row: TopKRow, { first, n, last }: Passage, take: (key: Expr, at: Expr) => void): void {
  const { emitter, node, x, lanes } = row;
  const { dtype } = node.inputs[0]!;
  const one = (at: Expr): void => {
    const key = readKey(row, at);
    when(emitter, before(node, key, last), () => take(key, at));
  };
  /** Elements from `at` on, `count` vectors of them, that are looked at one by one where any of them passes. */
  const together = (at: Expr, count: number, write: (at: Expr) => void): void => {
    const base = emitter.bind(offsetOf(row, x, at));
    const vectors = Array.from({ length: count }, (_, v) => load(emitter.buffer(x.slot, 'read'), add(base, index(v * lanes)), computeType(dtype), lanes));
    // Neither holds where one of the two is NaN.
    const none = vectors.map((v) => compare(node.attrs.largest ? 'le' : 'ge', v, splat(last, lanes))).reduce((both, holds) => binary('and', both, holds));
    when(emitter, unary('not', { kind: 'across', type: exprType('bool'), fn: 'and', x: none }), () => write(at));
  };
  const inVectors = lanes > 1 && x.strides[node.attrs.axis] === 1 && hasLanes(dtype) && dtype !== 'bool';
  const size = BLOCK_VECTORS * lanes;
  const end = inVectors ? first + Math.floor((n - first) / size) * size : first;
  const vector = (at: Expr): void => together(at, 1, () => each(emitter, at, add(at, index(lanes)), one));
  const block = (at: Expr): void => together(at, BLOCK_VECTORS, () => each(emitter, at, add(at, index(size)), vector, lanes));
  each(emitter, index(first), index(end), block, size);
  each(emitter, index(end), index(n), one);
}

/** Collects candidates behind the k best so far, and sorts both when there are as many. */
function gatherRow(row: TopKRow, n: number): void {
  const { emitter, node, keys, places, start } = row;
  const { k } = node.attrs;
  /** Sorts `count` of them; the k best come to lie in front. */
  const settle = (count: Expr): void => {
    const from = mergeAll(row, count, 2 * k);
    if (from === 0) return;
    const type = computeType(node.inputs[0]!.dtype);
    each(emitter, index(0), index(k), (j) => {
      const source = add(start, add(j, index(from)));
      put(row, j, load(keys, source, type), load(places, source, 'i32'));
    });
  };
  each(emitter, index(0), index(2 * k), (at) => put(row, at, readKey(row, at), at));
  settle(index(2 * k));
  const [last, count] = [declareAccumulator(emitter, heldKey(row, k - 1)), declareAccumulator(emitter, index(k))];
  passOver(row, { first: 2 * k, n, last }, (key, at) => {
    put(row, count, key, at);
    emitter.push(assign(nameOf(count), add(count, index(1))));
    when(emitter, compare('eq', count, index(2 * k)), () => {
      settle(index(2 * k));
      emitter.push(assign(nameOf(count), index(k)), assign(nameOf(last), heldKey(row, k - 1)));
    });
  });
  settle(count);
  writeResults(row, start);
}

/** All of the row, sorted. */
function sortRow(row: TopKRow, n: number): void {
  each(row.emitter, index(0), index(n), (at) => put(row, at, readKey(row, at), at));
  const from = mergeAll(row, index(n), n);
  writeResults(row, add(row.start, index(from)));
}

/**
 * Bottom-up merge sort of the first `count` held, at the most `most`, between two halves of memory; gives where they lie then. Merging takes
 * the left run on ties, so equal keys keep their order.
 */
function mergeAll(row: TopKRow, count: Expr, most: number): number {
  let from = 0;
  for (let width = 1; width < most; width *= 2) {
    row.emitter.push(mergePass(row, { n: count, width, from: add(row.start, index(from)), to: add(row.start, index(most - from)) }));
    from = most - from;
  }
  return from;
}

interface Pass {
  readonly n: Expr;
  readonly width: number;
  readonly from: Expr;
  readonly to: Expr;
}

function mergePass(row: TopKRow, { n, width, from, to }: Pass): Stmt {
  const { emitter, keys, places } = row;
  const type = computeType(row.node.inputs[0]!.dtype);
  const [run, t, left, right, middle, end] = [emitter.fresh('n'), emitter.fresh('n'), emitter.fresh('t'), emitter.fresh('t'), emitter.fresh('t'), emitter.fresh('t')];
  const [a, b, chosen] = [emitter.fresh('t'), emitter.fresh('t'), emitter.fresh('t')];
  const v = variable;
  const last = binary('sub', n, index(1));
  const at = (buffer: string, i: Expr, dtype: typeof type): Expr => load(buffer, add(from, i), dtype);
  const takeRight = binary('and', compare('lt', v(right), v(end)), binary('or', compare('ge', v(left), v(middle)), before(row.node, v(b, type), v(a, type))));
  const put = (source: string): Stmt[] => [
    store(keys, add(to, v(t)), v(source === left ? a : b, type)),
    store(places, add(to, v(t)), at(places, v(source), 'i32')),
    assign(source, add(v(source), index(1))),
  ];
  const merge: Stmt[] = [
    { kind: 'let', name: a, value: at(keys, binary('min', v(left), last), type) },
    { kind: 'let', name: b, value: at(keys, binary('min', v(right), last), type) },
    { kind: 'let', name: chosen, value: takeRight },
    { kind: 'if', condition: v(chosen, 'bool'), then: put(right), else: put(left) },
  ];
  return loop(
    run,
    index(0),
    n,
    [
      { kind: 'let', name: middle, value: binary('min', add(v(run), index(width)), n) },
      { kind: 'let', name: end, value: binary('min', add(v(run), index(2 * width)), n) },
      { kind: 'let', name: left, value: v(run) },
      { kind: 'let', name: right, value: v(middle) },
      loop(t, v(run), v(end), merge),
    ],
    2 * width,
  );
}

function writeResults(row: TopKRow, from: Expr): void {
  const { emitter, node, outputs, keys, places } = row;
  const type = computeType(node.inputs[0]!.dtype);
  const j = emitter.fresh('n');
  const [values, indices] = outputs.map((o) => emitter.buffer(o.slot, 'write'));
  emitter.push(
    loop(j, index(0), index(node.attrs.k), [
      store(values!, offsetOf(row, outputs[0]!, variable(j)), load(keys, add(from, variable(j)), type)),
      store(indices!, offsetOf(row, outputs[1]!, variable(j)), cast('i64', load(places, add(from, variable(j)), 'i32'))),
    ]),
  );
}
