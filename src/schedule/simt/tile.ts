// The tiled contraction: a block of threads brings tiles of both factors into shared memory, each thread sums a small tile of its own in
// registers, and the sums go through shared memory once more so that what is fused behind them is written once and stores run along memory.
import { delinearize, indexSymbol } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { addIndex, scaleIndex } from '../../core/indexExpr.ts';
import { add, assign, binary, constant, declare, fma, index, load, loop, mul, splat, store, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { findPairs } from '../inPlace.ts';
import type { Axis, Nest } from '../nest.ts';
import { Substitution, guardPoint, literal } from '../point.ts';
import type { Condition } from '../point.ts';
import { computeType, typed } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { createSlot } from '../storage.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import type { Contraction, Factor } from './contraction.ts';
import { when } from './lowerNest.ts';
import { finishKernel, grid, powerAtLeast, powerAtMost, thread } from './machine.ts';

/** A thread's own tile: rows, vectors of `lanes` in a row; and how many threads stand along each side of a block's tile. */
export interface TileShape {
  readonly rows: number;
  readonly vectors: number;
  readonly lanes: number;
  readonly threadsA: number;
  readonly threadsB: number;
  /** Points of the sum that are brought at a time. */
  readonly depth: number;
}

const ROWS = 4;
const VECTORS = 4;
const DEPTH = 16;
const THREADS_PER_SIDE = 16;
/** Where threads have vectors of their own, they stand for cores: few of them, each with a larger tile. */
const WIDE = { rows: 8, vectors: 2, depth: 64, threadsPerSide: 4 } as const;

const sideA = (t: TileShape): number => t.threadsA * t.rows;
const sideB = (t: TileShape): number => t.threadsB * t.vectors * t.lanes;
/** Elements of shared memory: both factors' tiles, later the result's. */
const sharedElements = (t: TileShape): number => Math.max(t.depth * (sideA(t) + sideB(t)), sideA(t) * sideB(t));

/** The largest tile that the machine can hold and the problem fills. */
export function chooseTile(c: Contraction, facts: SimtFacts): TileShape {
  const [m, n, k] = [pointsOf(c.a.axes), pointsOf(c.b.axes), pointsOf(c.summed)];
  const lanes = dtypes[c.sum.dtype].bits > 32 ? 1 : powerAtMost(facts.vectorLanes);
  const wide = lanes > 1;
  const side = wide ? WIDE.threadsPerSide : Math.min(THREADS_PER_SIDE, powerAtMost(Math.sqrt(facts.maxThreads)));
  const t = {
    rows: wide ? WIDE.rows : ROWS,
    vectors: wide ? WIDE.vectors : VECTORS,
    lanes,
    threadsA: side,
    threadsB: side,
    depth: Math.min(wide ? WIDE.depth : DEPTH, powerAtLeast(k)),
  };
  const bytes = dtypes[c.sum.dtype].bytes;
  // A side longer than the problem is cut: first how much a thread does, then how many threads there are.
  while (sideA(t) / 2 >= m && sideA(t) > 1) t[t.rows > 1 && !(wide && t.threadsA > 1) ? 'rows' : 'threadsA'] /= 2;
  while (sideB(t) / 2 >= n && t.vectors * t.threadsB > 1) t[t.threadsB > 1 ? 'threadsB' : 'vectors'] /= 2;
  while (sideB(t) / 2 >= n && t.lanes > 1) t.lanes /= 2;
  while (sharedElements(t) * bytes > facts.sharedBytes && t.depth > 4) t.depth /= 2;
  while (sharedElements(t) * bytes > facts.sharedBytes && t.rows > 1) t.rows /= 2;
  // Every unit should have a block.
  const blocks = (): number => pointsOf(c.batch) * Math.ceil(m / sideA(t)) * Math.ceil(n / sideB(t));
  while (blocks() < facts.units && t.rows > 1) t.rows /= 2;
  return t;
}

const unflatten = (axes: readonly Axis[], flat: IndexExpr): Bindings => {
  const position = delinearize(
    flat,
    axes.map((a) => a.extent),
  );
  return new Map(axes.map((a, i) => [a.name, position[i]!]));
};

class TileWriter {
  readonly emitter: Emitter;
  readonly c: Contraction;
  readonly t: TileShape;
  readonly dtype: NumericDType;
  readonly threads: number;
  readonly blocksA: number;
  readonly blocksB: number;
  readonly shared: string;

  constructor(nest: Nest, c: Contraction, t: TileShape) {
    this.emitter = new Emitter(nest.dynamic);
    this.c = c;
    this.t = t;
    this.dtype = c.sum.dtype;
    this.threads = t.threadsA * t.threadsB;
    this.blocksA = Math.ceil(pointsOf(c.a.axes) / sideA(t));
    this.blocksB = Math.ceil(pointsOf(c.b.axes) / sideB(t));
    this.shared = this.emitter.buffer(createSlot('scratch', { dtype: c.sum.dtype, shape: [sharedElements(t)] }), 'write');
  }

  get blocks(): number {
    return pointsOf(this.c.batch) * this.blocksA * this.blocksB;
  }

  /** Index symbols of the block: its place in the batch, and along both sides. */
  #place(): { readonly batch: IndexExpr; readonly a: IndexExpr; readonly b: IndexExpr } {
    this.emitter.define('block', grid);
    const block = indexSymbol('block', 0, this.blocks - 1);
    const [batch, a, b] = delinearize(block, [pointsOf(this.c.batch), this.blocksA, this.blocksB]);
    return { batch: batch!, a: a!, b: b! };
  }

  #substitution(...bindings: readonly Bindings[]): Substitution {
    return new Substitution(new Map(bindings.flatMap((b) => [...b])), this.emitter.dynamic, (d) => this.emitter.dynamicSymbol(d));
  }

  write(): void {
    const { emitter, c, t } = this;
    const place = this.#place();
    const batch = unflatten(c.batch, place.batch);
    const [startA, startB] = [scaleIndex(place.a, sideA(t)), scaleIndex(place.b, sideB(t))];
    const type = computeType(this.dtype);
    const zero = splat(constant(type, typed(type, 0)), t.lanes);
    const sums = Array.from({ length: t.rows }, () => Array.from({ length: t.vectors }, () => emitter.fresh('acc')));
    for (const name of sums.flat()) emitter.push(declare(name, zero));
    const [inA, inB] = [emitter.bind(binary('div', thread, index(t.threadsB))), emitter.bind(binary('rem', thread, index(t.threadsB)))];
    const steps = Math.ceil(pointsOf(c.summed) / t.depth);
    emitter.loop('step', index(0), index(steps), 1, () => {
      const start = scaleIndex(indexSymbol('step', 0, steps - 1), t.depth);
      if (steps > 1) emitter.push({ kind: 'barrier' });
      this.#bring(c.a, startA, sideA(t), 0, start, batch);
      this.#bring(c.b, startB, sideB(t), t.depth * sideA(t), start, batch);
      emitter.push({ kind: 'barrier' }, this.#multiply(sums, inA, inB));
    });
    this.#spread(sums, inA, inB);
    this.#finish(startA, startB, batch);
  }

  /** Fills one factor's tile, [depth][side]: zeros beyond its ends. */
  #bring(factor: Factor, start: IndexExpr, side: number, base: number, startK: IndexExpr, batch: Bindings): void {
    const { emitter, c, t, dtype } = this;
    const total = t.depth * side;
    const symbol = emitter.fresh('e');
    emitter.loop(symbol, thread, index(total), this.threads, () => {
      const e = indexSymbol(symbol, 0, total - 1);
      const [k, own] = factor.alongSum ? delinearize(e, [side, t.depth]).reverse() : delinearize(e, [t.depth, side]);
      const [flatK, flatOwn] = [addIndex(startK, k!), addIndex(start, own!)];
      const substitution = this.#substitution(batch, unflatten(factor.axes, flatOwn), unflatten(c.summed, flatK));
      const inside: Condition[] = [
        { value: flatOwn, low: 0, high: pointsOf(factor.axes) },
        { value: flatK, low: 0, high: pointsOf(c.summed) },
      ];
      const outside = literal(dtype, dtypes[dtype].held === 'bigint' ? 0n : 0);
      const value = guardPoint(inside, substitution.point(factor.value), outside);
      emitter.countUses(value);
      const at = addIndex(addIndex(scaleIndex(k!, side), own!), base);
      emitter.push(store(this.shared, emitter.index(at), emitter.point(value)));
    });
  }

  /** One tile's products, summed in registers. */
  #multiply(sums: readonly (readonly string[])[], inA: Expr, inB: Expr): Stmt {
    const { t } = this;
    const type = computeType(this.dtype);
    const k = variable('k');
    const a = (i: number): Expr => load(this.shared, add(add(mul(k, index(sideA(t))), mul(inA, index(t.rows))), index(i)), type);
    const column = (j: number): Expr => add(mul(inB, index(t.lanes)), index(j * t.threadsB * t.lanes));
    const b = (j: number): Expr => load(this.shared, add(add(mul(k, index(sideB(t))), column(j)), index(t.depth * sideA(t))), type, t.lanes);
    const body: Stmt[] = [];
    for (let i = 0; i < t.rows; i++) body.push(declare(`a_${i}`, a(i)));
    for (let j = 0; j < t.vectors; j++) body.push(declare(`b_${j}`, b(j)));
    sums.forEach((row, i) =>
      row.forEach((name, j) => {
        const [x, y, sum] = [splat(variable(`a_${i}`, type), t.lanes), variable(`b_${j}`, type, t.lanes), variable(name, type, t.lanes)];
        body.push(assign(name, type === 'f32' || type === 'f64' ? fma(x, y, sum) : add(mul(x, y), sum)));
      }),
    );
    return loop('k', index(0), index(t.depth), body);
  }

  /** The sums go to shared memory, [side a][side b]. */
  #spread(sums: readonly (readonly string[])[], inA: Expr, inB: Expr): void {
    const { emitter, t } = this;
    const type = computeType(this.dtype);
    emitter.push({ kind: 'barrier' });
    sums.forEach((row, i) =>
      row.forEach((name, j) => {
        const at = add(mul(add(mul(inA, index(t.rows)), index(i)), index(sideB(t))), add(mul(inB, index(t.lanes)), index(j * t.threadsB * t.lanes)));
        emitter.push(store(this.shared, at, variable(name, type, t.lanes)));
      }),
    );
    emitter.push({ kind: 'barrier' });
  }

  /** What is fused behind the sum, for every element of the tile that the result has. */
  #finish(startA: IndexExpr, startB: IndexExpr, batch: Bindings): void {
    const { emitter, c, t } = this;
    const total = sideA(t) * sideB(t);
    const type = computeType(this.dtype);
    emitter.loop('out', thread, index(total), this.threads, () => {
      const [i, j] = delinearize(indexSymbol('out', 0, total - 1), [sideA(t), sideB(t)]);
      const [flatA, flatB] = [addIndex(startA, i!), addIndex(startB, j!)];
      const ends: Condition[] = [
        { value: flatA, low: 0, high: pointsOf(c.a.axes) },
        { value: flatB, low: 0, high: pointsOf(c.b.axes) },
      ];
      const open = ends.filter((e) => e.value.max >= e.high);
      when(emitter, open.length === 0 ? undefined : emitter.holds(open), () => {
        emitter.define(c.sum.local, emitter.bind(load(this.shared, emitter.named('out').expr, type)));
        const substitution = this.#substitution(batch, unflatten(c.a.axes, flatA), unflatten(c.b.axes, flatB));
        const value = substitution.point(c.result.value);
        emitter.countUses(value);
        emitter.store(c.result.slot, substitution.index(c.result.offset), emitter.point(value));
      });
    });
  }
}

/** `nest` has its axes refined, and is the contraction `c`; `raw` is the nest as it was. */
export function lowerTiles(name: string, nest: Nest, raw: Nest, c: Contraction, facts: SimtFacts, flops: number): LoweredKernel {
  const writer = new TileWriter(nest, c, chooseTile(c, facts));
  writer.write();
  const { readBytes, writeBytes } = trafficOf(raw);
  const kernel = finishKernel(writer.emitter, name, { blocks: writer.blocks, threads: writer.threads }, true, { flops, bytes: readBytes + writeBytes });
  return { ...kernel, traffic: { readBytes, writeBytes }, inPlace: pairsBehind(raw, c) };
}

/** A factor is read by many blocks, so only what the fused work reads may be written over. */
function pairsBehind(raw: Nest, c: Contraction): ReturnType<typeof findPairs> {
  const read = new Set<unknown>();
  const collect = (e: Contraction['a']['value']): void => {
    if (e.kind === 'load') read.add(e.slot);
    if (e.kind === 'apply') e.args.forEach(collect);
    if (e.kind === 'guard') [e.inside, e.outside].forEach(collect);
  };
  collect(c.sum.value);
  return findPairs(raw).filter((pair) => !read.has(pair.read));
}
