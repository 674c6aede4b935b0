// The first k along an axis: runs of a row are ordered by counting what comes before each element, then merged two by two, where each
// element finds its place in the other run by halving. Every pass is one kernel with a thread for every element.
// Ties keep the lower index; NaN counts as the largest value.
import { delinearize, indexSymbol, linearIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { elementCount } from '../../core/shape.ts';
import { add, assign, binary, cast, compare, declare, index, load, loop, mul, store, unary, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import type { PrimNodes } from '../positions.ts';
import { computeType } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import { before } from '../emit/topK.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot, Storage } from '../storage.ts';
import { BLOCK_THREADS, finishKernel, globalThread, powerAtLeast, when } from './machine.ts';

/** Elements of a run that is ordered by counting. */
const RUN = 64;

/** A row's elements in some order, with the places they come from. */
interface Ordered {
  readonly keys: MemorySlot;
  readonly places: MemorySlot;
}

interface Row {
  readonly node: PrimNodes['topK'];
  readonly x: Storage;
  readonly outputs: readonly Storage[];
  /** Elements of a row. */
  readonly n: number;
  readonly total: number;
  readonly threads: number;
}

/** One thread's element: number `i` of the row at `at`. */
interface Point {
  readonly emitter: Emitter;
  readonly i: Expr;
  readonly at: readonly IndexExpr[];
  /** Where the row begins in memory that holds rows one after the other. */
  readonly start: Expr;
}

export function lowerTopK(node: PrimNodes['topK'], x: Storage, outputs: readonly Storage[], facts: SimtFacts): readonly LoweredKernel[] {
  const { shape, dtype } = node.inputs[0]!;
  const total = elementCount(shape);
  const row: Row = { node, x, outputs, n: shape[node.attrs.axis]!, total, threads: Math.min(BLOCK_THREADS, facts.maxThreads, powerAtLeast(total)) };
  const kernels: LoweredKernel[] = [];
  let from: Ordered | undefined;
  for (let ordered = RUN; ; ordered *= 2) {
    const to = ordered >= row.n ? undefined : { keys: createSlot('value', { dtype, shape }), places: createSlot('value', { dtype: 'i32', shape }) };
    kernels.push(from === undefined ? countRuns(row, to) : mergeRuns(row, ordered / 2, from, to));
    if (to === undefined) return kernels;
    from = to;
  }
}

/** Writes one kernel with a thread for each element. */
function forElements(row: Row, name: string, write: (point: Point) => void): LoweredKernel {
  const { node, n, total, threads } = row;
  const emitter = new Emitter();
  const flat = emitter.bind(globalThread(threads));
  when(emitter, total % threads === 0 ? undefined : compare('lt', flat, index(total)), () => {
    const i = emitter.bind(binary('rem', flat, index(n)));
    const number = emitter.bind(binary('div', flat, index(n)));
    emitter.define('row', number);
    const rows = node.inputs[0]!.shape.map((size, axis) => (axis === node.attrs.axis ? 1 : size));
    const at = delinearize(indexSymbol('row', 0, total / n - 1), rows);
    write({ emitter, i, at, start: emitter.bind(mul(number, index(n))) });
  });
  return finishKernel(emitter, name, { blocks: Math.ceil(total / threads), threads }, false, { flops: total * RUN, bytes: 0 });
}

/** Writes the element to position `place` of its row. */
function put(row: Row, { emitter, at, start }: Point, to: Ordered | undefined, place: Expr, key: Expr, source: Expr): void {
  if (to !== undefined) {
    const slot = emitter.bind(add(start, place));
    emitter.push(store(emitter.buffer(to.keys, 'write'), slot, key), store(emitter.buffer(to.places, 'write'), slot, source));
    return;
  }
  const { axis, k } = row.node.attrs;
  when(emitter, k >= row.n ? undefined : compare('lt', place, index(k)), () => {
    row.outputs.forEach((output, i) => {
      const offset = add(emitter.index(linearIndex(at, output.strides, output.offset)), mul(place, index(output.strides[axis]!)));
      emitter.push(store(emitter.buffer(output.slot, 'write'), offset, i === 0 ? key : cast('i64', source)));
    });
  });
}

/** Orders runs of RUN elements: an element's place is the number of those that come before it. */
function countRuns(row: Row, to: Ordered | undefined): LoweredKernel {
  const type = computeType(row.node.inputs[0]!.dtype);
  return forElements(row, 'topk_runs', (point) => {
    const { emitter, i, at } = point;
    const source = emitter.buffer(row.x.slot, 'read');
    const base = emitter.bind(emitter.index(linearIndex(at, row.x.strides, row.x.offset)));
    const element = (e: Expr): Expr => load(source, add(base, mul(e, index(row.x.strides[row.node.attrs.axis]!))), type);
    const key = emitter.bind(element(i));
    const run = emitter.bind(mul(binary('div', i, index(RUN)), index(RUN)));
    const end = emitter.bind(binary('min', add(run, index(RUN)), index(row.n)));
    const count = emitter.fresh('c');
    const [j, other] = [emitter.fresh('n'), emitter.fresh('t')];
    const rival = variable(other, type);
    const tie = binary('and', unary('not', before(row.node, key, rival)), compare('lt', variable(j), i));
    const body: Stmt[] = [
      declare(other, element(variable(j))),
      { kind: 'if', condition: binary('or', before(row.node, rival, key), tie), then: [assign(count, add(variable(count), index(1)))], else: [] },
    ];
    emitter.push(declare(count, run), loop(j, run, end, body));
    put(row, point, to, variable(count), key, cast('i32', i));
  });
}

/** Merges neighbouring runs of `width`: an element's place is its own plus the number of elements of the other run before it. */
function mergeRuns(row: Row, width: number, from: Ordered, to: Ordered | undefined): LoweredKernel {
  const type = computeType(row.node.inputs[0]!.dtype);
  return forElements(row, 'topk_merge', (point) => {
    const { emitter, i, start } = point;
    const [keys, places] = [emitter.buffer(from.keys, 'read'), emitter.buffer(from.places, 'read')];
    const key = emitter.bind(load(keys, add(start, i), type));
    const place = emitter.bind(load(places, add(start, i), 'i32'));
    const pair = emitter.bind(mul(binary('div', i, index(2 * width)), index(2 * width)));
    const middle = emitter.bind(binary('min', add(pair, index(width)), index(row.n)));
    const isLeft = emitter.bind(compare('lt', i, middle));
    const [low, high] = [emitter.fresh('c'), emitter.fresh('c')];
    const choose = (a: Expr, b: Expr): Expr => ({ kind: 'select', type: a.type, condition: isLeft, a, b });
    const begin = emitter.bind(choose(middle, pair));
    emitter.push(declare(low, begin), declare(high, choose(binary('min', add(pair, index(2 * width)), index(row.n)), middle)));
    const [half, rivalName] = [emitter.fresh('t'), emitter.fresh('t')];
    const rival = variable(rivalName, type);
    // Equal keys of the left run come first.
    const precedes = binary('or', before(row.node, rival, key), binary('and', unary('not', isLeft), unary('not', before(row.node, key, rival))));
    const [lowest, highest] = [variable(low), variable(high)];
    const step: Stmt[] = [
      declare(half, binary('div', add(lowest, highest), index(2))),
      declare(rivalName, load(keys, add(start, variable(half)), type)),
      { kind: 'if', condition: precedes, then: [assign(low, add(variable(half), index(1)))], else: [assign(high, variable(half))] },
    ];
    const rounds = Math.ceil(Math.log2(width)) + 1;
    emitter.push(loop(emitter.fresh('n'), index(0), index(rounds), [{ kind: 'if', condition: compare('lt', lowest, highest), then: step, else: [] }]));
    // Its number in its own run, and what comes before it in the other.
    const own = binary('sub', i, choose(pair, middle));
    put(row, point, to, emitter.bind(add(add(pair, own), binary('sub', lowest, begin))), key, place);
  });
}
