// A softmax between two products as one kernel: a block takes a few rows and walks along the keys, a tile of them at a time. Threads side by
// side share rows and differ in keys, then in columns of the result; they agree on the largest score by shuffles.
import { range } from '../../core/integers.ts';
import { clamped, guarded } from '../emit/places.ts';
import { ZERO, addIndex, delinearize, indexSymbol, scaleIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { add, assign, binary, compare, constant, fma, index, load, loop, mul, select, store, unary, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import type { Chain } from '../chains.ts';
import { narrowTo } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { declareAccumulator, nameOf } from '../emit/walk.ts';
import { guardPoint, literal, localPoint } from '../point.ts';
import type { PointExpr } from '../point.ts';
import { createSlot } from '../storage.ts';
import { chooseMatrixTile } from './matrixShape.ts';
import { finishKernel, grid, thread } from './machine.ts';
import { shuffled } from './rows.ts';
import { findSoftmaxProduct, rowOf, trafficOfChain } from '../softmaxProduct.ts';
import type { SoftmaxProduct } from '../softmaxProduct.ts';

/** Threads that share rows, and groups of them in a block. */
const ACROSS = 16;
const GROUPS = 8;
/** Columns of the result that a thread sums, at most. */
const MOST_COLUMNS = 16;
/** Rows and keys of a thread: what is tried, the best first. */
const SHAPES = [
  { rows: 4, keys: 4 },
  { rows: 4, keys: 2 },
  { rows: 2, keys: 4 },
  { rows: 2, keys: 2 },
  { rows: 2, keys: 1 },
];
/** Fewer rows leave most threads of a block without one. */
const LEAST_ROWS = 16;
/** One unit in so many must have a block. */
const LEAST_SHARE = 4;

interface OnlineShape {
  readonly rows: number;
  readonly keys: number;
  readonly columns: number;
}
const blockRows = (t: OnlineShape): number => t.rows * GROUPS;
const blockKeys = (t: OnlineShape): number => t.keys * ACROSS;
/** Lines of shared memory are longer by four elements: they begin in other banks, and fours of neighbours stay where one load takes them. */
const PADDING = 4;
const keyLine = (t: OnlineShape): number => blockKeys(t) + PADDING;
const rowLine = (t: OnlineShape): number => blockRows(t) + PADDING;

/** Elements of queries, of keys and then values, and of weights in shared memory. */
const elementsOf = (p: SoftmaxProduct, t: OnlineShape): readonly [number, number, number] => [
  p.depth * rowLine(t),
  Math.max(p.depth * keyLine(t), blockKeys(t) * p.columns),
  blockKeys(t) * rowLine(t),
];

const blocksOf = (p: SoftmaxProduct, t: OnlineShape): number => (p.rows / p.group) * Math.ceil(p.group / blockRows(t));

function chooseShape(p: SoftmaxProduct, facts: SimtFacts): OnlineShape | undefined {
  const columns = Math.ceil(p.columns / ACROSS);
  const isFit = facts.shuffleThreads >= ACROSS && facts.turns === undefined && facts.maxThreads >= ACROSS * GROUPS && (ACROSS * GROUPS) % facts.shuffleThreads === 0;
  // Matrix units are faster at two products than threads are at one kernel.
  const hasUnits = [p.scores, p.product].some((c) => chooseMatrixTile(c, facts) !== undefined);
  if (!isFit || hasUnits || p.group < LEAST_ROWS || columns > MOST_COLUMNS || [p.scores, p.product].some((c) => c.sum.dtype !== 'f32')) return undefined;
  const fitting = SHAPES.map((shape) => ({ ...shape, columns })).filter((t) => elementsOf(p, t).reduce((sum, n) => sum + 4 * n, 0) <= facts.sharedBytes);
  // Three kernels find work for more units than so few blocks.
  return (
    fitting.find((t) => blocksOf(p, t) >= facts.units) ?? fitting.filter((t) => blocksOf(p, t) * LEAST_SHARE >= facts.units).sort((s, t) => blocksOf(p, t) - blocksOf(p, s))[0]
  );
}

const number = (x: number): Expr => constant('f32', x);

class OnlineWriter {
  readonly emitter = new Emitter();
  readonly p: SoftmaxProduct;
  readonly t: OnlineShape;
  readonly threads = ACROSS * GROUPS;
  readonly tiles: number;
  readonly queries: string;
  readonly tile: string;
  readonly weights: string;

  constructor(p: SoftmaxProduct, t: OnlineShape) {
    [this.p, this.t] = [p, t];
    this.tiles = Math.ceil(p.group / blockRows(t));
    const [queries, tile, weights] = elementsOf(p, t).map((elements) => this.emitter.buffer(createSlot('scratch', { dtype: 'f32', shape: [elements] }), 'write'));
    [this.queries, this.tile, this.weights] = [queries!, tile!, weights!];
  }

  get blocks(): number {
    return blocksOf(this.p, this.t);
  }

  #value(e: PointExpr): Expr {
    this.emitter.countUses(e);
    return this.emitter.point(e);
  }

  /** Fills shared memory from all places of `slow` and `fast`, which neighbouring threads walk along. */
  #bring(slow: number, fast: number, put: (slow: IndexExpr, fast: IndexExpr) => void): void {
    const symbol = this.emitter.fresh('e');
    this.emitter.loop(symbol, thread, index(slow * fast), this.threads, () => {
      const [a, b] = delinearize(indexSymbol(symbol, 0, slow * fast - 1), [slow, fast]);
      put(a!, b!);
    });
  }

  #store(buffer: string, at: IndexExpr, e: PointExpr): void {
    const value = this.#value(e);
    this.emitter.push(store(buffer, this.emitter.index(at), value));
  }

  write(): void {
    const { emitter, p, t } = this;
    emitter.define('block', grid);
    const [group, tile] = delinearize(indexSymbol('block', 0, this.blocks - 1), [p.rows / p.group, this.tiles]);
    const start = scaleIndex(tile!, blockRows(t));
    const rowAt = (own: IndexExpr): IndexExpr => rowOf(p, group!, clamped(emitter, addIndex(start, own), p.group));
    const [across, down] = [emitter.bind(binary('rem', thread, index(ACROSS))), emitter.bind(binary('div', thread, index(ACROSS)))];
    emitter.define('across', across);
    emitter.define('down', down);
    const [side, line] = [indexSymbol('across', 0, ACROSS - 1), scaleIndex(indexSymbol('down', 0, GROUPS - 1), t.rows)];
    const alongDepth = (isAlong: boolean, lines: number, put: (term: IndexExpr, own: IndexExpr) => void): void =>
      isAlong ? this.#bring(lines, p.depth, (own, term) => put(term, own)) : this.#bring(p.depth, lines, put);
    alongDepth(p.queries.alongSum, blockRows(t), (term, own) => this.#store(this.queries, addIndex(scaleIndex(term, rowLine(t)), own), p.query(rowAt(own), term)));
    const rows = range(t.rows).map((i) => rowAt(addIndex(line, i)));
    const [largest, total] = [range(t.rows).map(() => declareAccumulator(emitter, number(-Infinity))), range(t.rows).map(() => declareAccumulator(emitter, number(0)))];
    const sums = range(t.rows).map(() => range(t.columns).map(() => declareAccumulator(emitter, number(0))));
    const steps = Math.ceil(p.keys / blockKeys(t));
    emitter.loop('step', index(0), index(steps), 1, () => {
      const first = scaleIndex(indexSymbol('step', 0, steps - 1), blockKeys(t));
      const keyAt = (own: IndexExpr): IndexExpr => clamped(emitter, addIndex(first, own), p.keys);
      emitter.push(barrier);
      alongDepth(p.ofKeys.alongSum, blockKeys(t), (term, own) =>
        this.#store(this.tile, addIndex(scaleIndex(term, keyLine(t)), own), p.key(rowOf(p, group!, ZERO), keyAt(own), term)),
      );
      emitter.push(barrier);
      const products = this.#products(across, down);
      const keys = range(t.keys).map((j) => {
        const place = addIndex(first, addIndex(scaleIndex(side, t.keys), j));
        return { at: clamped(emitter, place, p.keys), isThere: place.max < p.keys ? undefined : emitter.bind(compare('lt', emitter.index(place), index(p.keys))) };
      });
      rows.forEach((row, i) => {
        const scores = keys.map(({ at, isThere }, j) => {
          const local = `score_${i}_${j}`;
          emitter.define(local, narrowTo(p.scores.sum.dtype, products[i]![j]!));
          const value = emitter.bind(this.#value(p.score(row, at, localPoint(local, p.scores.sum.dtype))));
          return isThere === undefined ? value : emitter.bind(select(isThere, value, number(-Infinity)));
        });
        this.#weigh(scores, largest[i]!, total[i]!, sums[i]!, i, across, down);
      });
      emitter.push(barrier);
      // Weights lie by the threads that made them, so that neighbours store into different banks; values come in the same order.
      this.#bring(blockKeys(t), p.columns, (at, column) => {
        const [j, thread] = delinearize(at, [t.keys, ACROSS]);
        const key = addIndex(first, addIndex(scaleIndex(thread!, t.keys), j!));
        // Weights of keys that are not there are zeros, and so must be what they are multiplied by.
        const value = p.value(rowOf(p, group!, ZERO), key, column);
        const guarded = guardPoint([{ value: key, low: 0, high: p.keys }], value, literal(value.dtype, 0));
        this.#store(this.tile, addIndex(scaleIndex(at, p.columns), column), guarded);
      });
      emitter.push(barrier, this.#multiply(sums, across, down));
    });
    rows.forEach((row, i) => this.#finish(row, addIndex(start, addIndex(line, i)), total[i]!, sums[i]!, scaleIndex(side, t.columns)));
  }

  /** Sums of products of the block's queries and keys: a thread's own. */
  #products(across: Expr, down: Expr): readonly (readonly Expr[])[] {
    const { emitter, p, t } = this;
    const products = range(t.rows).map(() => range(t.keys).map(() => declareAccumulator(emitter, number(0))));
    const h = variable('h');
    const query = (i: number): Expr => load(this.queries, add(add(mul(h, index(rowLine(t))), mul(down, index(t.rows))), index(i)), 'f32');
    const key = (j: number): Expr => load(this.tile, add(add(mul(h, index(keyLine(t))), mul(across, index(t.keys))), index(j)), 'f32');
    emitter.push(loop('h', index(0), index(p.depth), this.#outer('q', query, 'k', key, products)));
    return products;
  }

  /** The sums gain the weights times the values. */
  #multiply(sums: readonly (readonly Expr[])[], across: Expr, down: Expr): Stmt {
    const { p, t } = this;
    const at = variable('w');
    const weight = (i: number): Expr => load(this.weights, add(add(mul(at, index(rowLine(t))), mul(down, index(t.rows))), index(i)), 'f32');
    const value = (j: number): Expr => {
      const column = add(mul(across, index(t.columns)), index(j));
      return load(this.tile, add(mul(at, index(p.columns)), ACROSS * t.columns <= p.columns ? column : binary('min', column, index(p.columns - 1))), 'f32');
    };
    return loop('w', index(0), index(blockKeys(t)), this.#outer('p', weight, 'v', value, sums));
  }

  /** One step of sums of products: every `a` times every `b`. */
  #outer(nameA: string, a: (i: number) => Expr, nameB: string, b: (j: number) => Expr, sums: readonly (readonly Expr[])[]): Stmt[] {
    const declared = (name: string, count: number, value: (i: number) => Expr): Stmt[] => range(count).map((i): Stmt => ({ kind: 'let', name: `${name}_${i}`, value: value(i) }));
    const products = sums.flatMap((row, i) => row.map((sum, j) => assign(nameOf(sum), fma(variable(`${nameA}_${i}`, 'f32'), variable(`${nameB}_${j}`, 'f32'), sum))));
    return [...declared(nameA, sums.length, a), ...declared(nameB, sums[0]!.length, b), ...products];
  }

  /** The scores of a row become weights relative to the largest so far; what was summed before is scaled to it. */
  #weigh(scores: readonly Expr[], largest: Expr, total: Expr, sums: readonly Expr[], i: number, across: Expr, down: Expr): void {
    const { emitter, t } = this;
    let most = scores.reduce((x, y) => emitter.bind(binary('max', x, y)));
    for (let mask = ACROSS / 2; mask >= 1; mask /= 2) most = emitter.bind(binary('max', most, shuffled(emitter, most, mask)));
    const now = emitter.bind(binary('max', largest, most));
    // Where there was nothing but −∞, its powers are zero.
    const base = emitter.bind(select(compare('eq', now, number(-Infinity)), number(0), now));
    const scale = emitter.bind(unary('exp', binary('sub', largest, base)));
    const weights = scores.map((x) => emitter.bind(unary('exp', binary('sub', x, base))));
    emitter.push(
      assign(nameOf(largest), now),
      assign(
        nameOf(total),
        weights.reduce((sum, w) => add(sum, w), mul(total, scale)),
      ),
    );
    for (const sum of sums) emitter.push(assign(nameOf(sum), mul(sum, scale)));
    const row = add(mul(down, index(t.rows)), index(i));
    weights.forEach((w, j) => emitter.push(store(this.weights, add(mul(add(across, index(j * ACROSS)), index(rowLine(t))), row), w)));
  }

  #finish(row: IndexExpr, own: IndexExpr, total: Expr, sums: readonly Expr[], column: IndexExpr): void {
    const { emitter, p, t } = this;
    let all = total;
    for (let mask = ACROSS / 2; mask >= 1; mask /= 2) all = emitter.bind(add(all, shuffled(emitter, all, mask)));
    const divisor = p.isGuarded ? emitter.bind(select(compare('eq', all, number(0)), number(1), all)) : all;
    range(t.columns).forEach((j) => {
      const at = addIndex(column, j);
      const ends = [
        { value: own, low: 0, high: p.group },
        { value: at, low: 0, high: p.columns },
      ];
      guarded(emitter, ends, () => {
        const local = emitter.fresh('sum');
        emitter.define(local, emitter.bind(narrowTo(p.product.sum.dtype, binary('div', sums[j]!, divisor))));
        const { value, offset } = p.result(row, clamped(emitter, at, p.columns), localPoint(local, p.product.sum.dtype));
        emitter.store(p.product.result.slot, offset, this.#value(value));
      });
    });
  }
}

const barrier: Stmt = { kind: 'barrier' };

/** The chain as one kernel; undefined where it is something else, or the machine is faster with three. */
export function lowerOnline(chain: Chain, facts: SimtFacts): readonly LoweredKernel[] | undefined {
  const found = findSoftmaxProduct(chain);
  const shape = found === undefined ? undefined : chooseShape(found, facts);
  if (found === undefined || shape === undefined) return undefined;
  const writer = new OnlineWriter(found, shape);
  writer.write();
  const traffic = trafficOfChain(chain, found);
  const cost = { flops: chain.flops, bytes: traffic.readBytes + traffic.writeBytes };
  const launch = { blocks: writer.blocks, threads: writer.threads, subgroup: facts.shuffleThreads };
  return [{ ...finishKernel(writer.emitter, 'attention', launch, true, cost), traffic }];
}
