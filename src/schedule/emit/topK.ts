// The first k along an axis, in order: an insertion list for small k, a merge sort of the row for the rest. Ties keep the lower index;
// NaN counts as the largest value.
import { linearIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { isFloat } from '../../core/dtype.ts';
import { add, assign, binary, cast, compare, index, load, loop, mul, store, unary, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { PrimNodes } from '../positions.ts';
import type { Storage } from '../storage.ts';
import { computeType } from './compute.ts';
import type { Emitter } from './emitter.ts';

/** Above this k, sorting the row is cheaper than walking the list for each element. */
const INSERTION_LIMIT = 24;

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
}

const lengthOf = (node: PrimNodes['topK']): number => node.inputs[0]!.shape[node.attrs.axis]!;

/** Elements of memory that ordering a row takes. */
export const heldElements = (node: PrimNodes['topK']): number => (node.attrs.k <= INSERTION_LIMIT ? node.attrs.k : 2 * lengthOf(node));

/** Comparisons of one row, about. */
export const topKWork = (node: PrimNodes['topK']): number => lengthOf(node) * (node.attrs.k <= INSERTION_LIMIT ? 4 : 4 * Math.log2(lengthOf(node) + 1));

export const topKFlops = (node: PrimNodes['topK'], rows: number): number => rows * lengthOf(node) * Math.ceil(Math.log2(node.attrs.k + 1));

export function writeTopKRow(row: TopKRow): void {
  if (row.node.attrs.k <= INSERTION_LIMIT) insertRow(row, lengthOf(row.node));
  else sortRow(row, lengthOf(row.node));
}

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

function insertRow(row: TopKRow, n: number): void {
  const { emitter, node, x, keys, places, start } = row;
  const { k } = node.attrs;
  const type = computeType(node.inputs[0]!.dtype);
  const source = emitter.buffer(x.slot, 'read');
  const [i, j, key, place] = [emitter.fresh('n'), emitter.fresh('n'), emitter.fresh('t'), emitter.fresh('t')];
  const [carried, at] = [variable(key, type), variable(place, 'i32')];
  const [other, otherPlace] = [emitter.fresh('t'), emitter.fresh('t')];
  const held = variable(other, type);
  const heldPlace = variable(otherPlace, 'i32');
  // Equal keys are told apart by their index.
  const tie = binary('and', unary('not', before(row.node, held, carried)), compare('lt', at, heldPlace));
  const wins = binary('or', before(row.node, carried, held), tie);
  const swap: Stmt[] = [store(keys, add(start, variable(j)), carried), store(places, add(start, variable(j)), at), assign(key, held), assign(place, heldPlace)];
  const slot: Stmt[] = [
    { kind: 'let', name: other, value: load(keys, add(start, variable(j)), type) },
    { kind: 'let', name: otherPlace, value: load(places, add(start, variable(j)), 'i32') },
    { kind: 'if', condition: wins, then: swap, else: [] },
  ];
  const body: Stmt[] = [
    { kind: 'let', name: key, value: load(source, offsetOf(row, x, variable(i)), type) },
    { kind: 'let', name: place, value: cast('i32', variable(i)) },
    loop(j, index(0), binary('min', variable(i), index(k)), slot),
    { kind: 'if', condition: compare('lt', variable(i), index(k)), then: [store(keys, add(start, variable(i)), carried), store(places, add(start, variable(i)), at)], else: [] },
  ];
  emitter.push(loop(i, index(0), index(n), body));
  writeResults(row, start);
}

/** Bottom-up merge sort between two halves of scratch; merging takes the left run on ties, so equal keys keep their order. */
function sortRow(row: TopKRow, n: number): void {
  const { emitter, node, x, keys, places, start } = row;
  const type = computeType(node.inputs[0]!.dtype);
  const source = emitter.buffer(x.slot, 'read');
  const i = emitter.fresh('n');
  emitter.push(
    loop(i, index(0), index(n), [
      store(keys, add(start, variable(i)), load(source, offsetOf(row, x, variable(i)), type)),
      store(places, add(start, variable(i)), cast('i32', variable(i))),
    ]),
  );
  let from = 0;
  for (let width = 1; width < n; width *= 2) {
    emitter.push(mergePass(row, { n, width, from: add(start, index(from)), to: add(start, index(n - from)) }));
    from = n - from;
  }
  writeResults(row, add(start, index(from)));
}

interface Pass {
  readonly n: number;
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
  const last = index(n - 1);
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
    index(n),
    [
      { kind: 'let', name: middle, value: binary('min', add(v(run), index(width)), index(n)) },
      { kind: 'let', name: end, value: binary('min', add(v(run), index(2 * width)), index(n)) },
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
