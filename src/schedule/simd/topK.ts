// The first k along an axis, in order: an insertion list for small k, a merge sort of the row for the rest. Ties keep the lower index;
// NaN counts as the largest value.
import { delinearize, linearIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { isFloat } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import { add, assign, binary, cast, compare, index, load, loop, mul, store, unary, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { PrimNodes } from '../positions.ts';
import { createSlot } from '../storage.ts';
import type { Storage } from '../storage.ts';
import { computeType } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { GRID_VAR, chunkOf, loopFlat, stepBounds } from './lowerNest.ts';

/** Above this k, sorting the row is cheaper than walking the list for each element. */
const INSERTION_LIMIT = 24;

interface Row {
  readonly emitter: Emitter;
  readonly node: PrimNodes['topK'];
  readonly x: Storage;
  readonly outputs: readonly Storage[];
  /** Position of the row, with 0 on the axis. */
  readonly at: readonly IndexExpr[];
}

export function lowerTopK(name: string, node: PrimNodes['topK'], x: Storage, outputs: readonly Storage[]): LoweredKernel {
  const { shape } = node.inputs[0]!;
  const { axis, k } = node.attrs;
  const n = shape[axis]!;
  const rows = shape.map((d, i) => (i === axis ? 1 : d));
  const total = elementCount(rows);
  const emitter = new Emitter();
  const chunk = chunkOf(total, n * (k <= INSERTION_LIMIT ? 4 : 4 * Math.log2(n + 1)));
  const { from, to } = stepBounds(emitter, total, chunk.size, chunk.steps);
  loopFlat(emitter, [{ name: 'row', extent: total }], from, to, (bindings) => {
    const row: Row = { emitter, node, x, outputs, at: delinearize(bindings.get('row')!, rows) };
    if (k <= INSERTION_LIMIT) insertRow(row, n);
    else sortRow(row, n);
  });
  return emitter.finish(name, { var: GRID_VAR, extent: chunk.steps }, { flops: total * n * Math.ceil(Math.log2(k + 1)), bytes: 0 });
}

/** The offset of element `i` of the row in a strided operand. */
function offsetOf({ emitter, node, at }: Row, storage: Storage, i: Expr): Expr {
  const along = mul(i, index(storage.strides[node.attrs.axis]!));
  return add(emitter.index(linearIndex(at, storage.strides, storage.offset)), along);
}

/** Whether a comes before b, for unlike values: strictly. */
function before({ node }: Row, a: Expr, b: Expr): Expr {
  const [x, y] = a.type.dtype === 'bool' ? [cast('i32', a), cast('i32', b)] : [a, b];
  const { largest } = node.attrs;
  const better = compare(largest ? 'gt' : 'lt', x, y);
  if (!isFloat(node.inputs[0]!.dtype)) return better;
  const [first, second] = largest ? [x, y] : [y, x];
  const isNaN = (v: Expr): Expr => compare('ne', v, v);
  return binary('or', better, binary('and', isNaN(first), unary('not', isNaN(second))));
}

function insertRow(row: Row, n: number): void {
  const { emitter, node, x } = row;
  const { dtype } = node.inputs[0]!;
  const { k } = node.attrs;
  const type = computeType(dtype);
  const keys = emitter.buffer(createSlot('scratch', { dtype, shape: [k] }), 'write');
  const places = emitter.buffer(createSlot('scratch', { dtype: 'i32', shape: [k] }), 'write');
  const source = emitter.buffer(x.slot, 'read');
  const [i, j, key, place] = [emitter.fresh('n'), emitter.fresh('n'), emitter.fresh('t'), emitter.fresh('t')];
  const [carried, at] = [variable(key, type), variable(place, 'i32')];
  const [other, otherPlace] = [emitter.fresh('t'), emitter.fresh('t')];
  const held = variable(other, type);
  const heldPlace = variable(otherPlace, 'i32');
  // Equal keys are told apart by their index.
  const tie = binary('and', unary('not', before(row, held, carried)), compare('lt', at, heldPlace));
  const wins = binary('or', before(row, carried, held), tie);
  const swap: Stmt[] = [store(keys, variable(j), carried), store(places, variable(j), at), assign(key, held), assign(place, heldPlace)];
  const slot: Stmt[] = [
    { kind: 'let', name: other, value: load(keys, variable(j), type) },
    { kind: 'let', name: otherPlace, value: load(places, variable(j), 'i32') },
    { kind: 'if', condition: wins, then: swap, else: [] },
  ];
  const body: Stmt[] = [
    { kind: 'let', name: key, value: load(source, offsetOf(row, x, variable(i)), type) },
    { kind: 'let', name: place, value: cast('i32', variable(i)) },
    loop(j, index(0), binary('min', variable(i), index(k)), slot),
    { kind: 'if', condition: compare('lt', variable(i), index(k)), then: [store(keys, variable(i), carried), store(places, variable(i), at)], else: [] },
  ];
  emitter.push(loop(i, index(0), index(n), body));
  writeResults(row, keys, places, index(0));
}

/** Bottom-up merge sort between two halves of scratch; merging takes the left run on ties, so equal keys keep their order. */
function sortRow(row: Row, n: number): void {
  const { emitter, node, x } = row;
  const { dtype } = node.inputs[0]!;
  const type = computeType(dtype);
  const keys = emitter.buffer(createSlot('scratch', { dtype, shape: [2 * n] }), 'write');
  const places = emitter.buffer(createSlot('scratch', { dtype: 'i32', shape: [2 * n] }), 'write');
  const source = emitter.buffer(x.slot, 'read');
  const i = emitter.fresh('n');
  emitter.push(loop(i, index(0), index(n), [store(keys, variable(i), load(source, offsetOf(row, x, variable(i)), type)), store(places, variable(i), cast('i32', variable(i)))]));
  let from = 0;
  for (let width = 1; width < n; width *= 2) {
    emitter.push(mergePass(row, keys, places, { n, width, from: index(from), to: index(n - from) }));
    from = n - from;
  }
  writeResults(row, keys, places, index(from));
}

interface Pass {
  readonly n: number;
  readonly width: number;
  readonly from: Expr;
  readonly to: Expr;
}

function mergePass(row: Row, keys: string, places: string, { n, width, from, to }: Pass): Stmt {
  const { emitter } = row;
  const type = computeType(row.node.inputs[0]!.dtype);
  const [run, t, left, right, middle, end] = [emitter.fresh('n'), emitter.fresh('n'), emitter.fresh('t'), emitter.fresh('t'), emitter.fresh('t'), emitter.fresh('t')];
  const [a, b, chosen] = [emitter.fresh('t'), emitter.fresh('t'), emitter.fresh('t')];
  const v = variable;
  const last = index(n - 1);
  const at = (buffer: string, i: Expr, dtype: typeof type): Expr => load(buffer, add(from, i), dtype);
  const takeRight = binary('and', compare('lt', v(right), v(end)), binary('or', compare('ge', v(left), v(middle)), before(row, v(b, type), v(a, type))));
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

function writeResults(row: Row, keys: string, places: string, from: Expr): void {
  const { emitter, node, outputs } = row;
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
