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
import { axisIndex } from '../nest.ts';
import type { Axis, Nest } from '../nest.ts';
import { Substitution, guardPoint, literal } from '../point.ts';
import type { Condition } from '../point.ts';
import { computeType, typed } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { WORTHWHILE, vectorRatio } from '../emit/lanes.ts';
import { writeStrips } from '../emit/strips.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
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
  /** One thread takes the places of all in turn: a thread with vectors stands for a core, which gains nothing from company. */
  readonly serial: boolean;
}

const ROWS = 4;
const VECTORS = 4;
const DEPTH = 16;
const THREADS_PER_SIDE = 16;
/** The same where one thread does it all: tiles for a core's cache. */
const SERIAL = { rows: 8, vectors: 2, depth: 64, placesPerSide: 8 } as const;

const sideA = (t: TileShape): number => t.threadsA * t.rows;
const sideB = (t: TileShape): number => t.threadsB * t.vectors * t.lanes;
const bringElements = (t: TileShape): number => t.depth * (sideA(t) + sideB(t));
const resultElements = (t: TileShape): number => sideA(t) * sideB(t);
/** Where the result's tile begins in shared memory: behind those of the factors if it is summed there, else in their place. */
const resultBase = (t: TileShape): number => (t.serial ? bringElements(t) : 0);
const sharedElements = (t: TileShape): number => Math.max(bringElements(t), resultBase(t) + resultElements(t));

/** The largest divisor of `k` up to `most`, if it is not much smaller: then nothing needs a guard at the end of the sum. */
function depthOf(k: number, most: number): number {
  for (let depth = most; depth >= most / 4; depth--) if (k % depth === 0) return depth;
  return Math.min(most, powerAtLeast(k));
}

/** The largest tile that the machine can hold and the problem fills. */
export function chooseTile(c: Contraction, facts: SimtFacts): TileShape {
  const [m, n, k] = [pointsOf(c.a.axes), pointsOf(c.b.axes), pointsOf(c.summed)];
  const lanes = dtypes[c.sum.dtype].bits > 32 ? 1 : powerAtMost(facts.vectorLanes);
  const serial = lanes > 1;
  const side = Math.min(THREADS_PER_SIDE, powerAtMost(Math.sqrt(facts.maxThreads)));
  const t: { -readonly [K in keyof TileShape]: TileShape[K] } = {
    rows: serial ? SERIAL.rows : ROWS,
    vectors: serial ? SERIAL.vectors : VECTORS,
    lanes,
    threadsA: serial ? SERIAL.placesPerSide : side,
    threadsB: serial ? SERIAL.placesPerSide / 2 : side,
    depth: serial ? depthOf(k, SERIAL.depth) : Math.min(DEPTH, powerAtLeast(k)),
    serial,
  };
  const bytes = dtypes[c.sum.dtype].bytes;
  // A side longer than the problem is cut: first how much a thread does, then how many threads there are.
  while (sideA(t) / 2 >= m && sideA(t) > 1) t[t.rows > 1 && !(serial && t.threadsA > 1) ? 'rows' : 'threadsA'] /= 2;
  while (sideB(t) / 2 >= n && t.vectors * t.threadsB > 1) t[t.threadsB > 1 ? 'threadsB' : 'vectors'] /= 2;
  while (sideB(t) / 2 >= n && t.lanes > 1) t.lanes /= 2;
  while (t.serial && sharedElements(t) * bytes > facts.sharedBytes && t.threadsA * t.threadsB > 1) t[t.threadsA >= t.threadsB ? 'threadsA' : 'threadsB'] /= 2;
  while (sharedElements(t) * bytes > facts.sharedBytes && t.depth > 4) t.depth = Math.ceil(t.depth / 2);
  while (sharedElements(t) * bytes > facts.sharedBytes && t.rows > 1) t.rows /= 2;
  // Every unit should have a block.
  const blocks = (): number => pointsOf(c.batch) * Math.ceil(m / sideA(t)) * Math.ceil(n / sideB(t));
  while (blocks() < facts.units && (serial ? t.threadsA : t.rows) > 1) t[serial ? 'threadsA' : 'rows'] /= 2;
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
  readonly slot: MemorySlot;

  constructor(nest: Nest, c: Contraction, t: TileShape) {
    this.emitter = new Emitter(nest.dynamic);
    this.c = c;
    this.t = t;
    this.dtype = c.sum.dtype;
    this.threads = t.serial ? 1 : t.threadsA * t.threadsB;
    this.blocksA = Math.ceil(pointsOf(c.a.axes) / sideA(t));
    this.blocksB = Math.ceil(pointsOf(c.b.axes) / sideB(t));
    this.slot = createSlot('scratch', { dtype: c.sum.dtype, shape: [sharedElements(t)] });
    this.shared = this.emitter.buffer(this.slot, 'write');
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
    const sums = Array.from({ length: t.rows }, () => Array.from({ length: t.vectors }, () => emitter.fresh('acc')));
    if (t.serial) return this.#writeSerial(sums, startA, startB, batch);
    for (const name of sums.flat()) emitter.push(declare(name, this.#zero(t.lanes)));
    const [inA, inB] = [emitter.bind(binary('div', thread, index(t.threadsB))), emitter.bind(binary('rem', thread, index(t.threadsB)))];
    const steps = Math.ceil(pointsOf(c.summed) / t.depth);
    emitter.loop('step', index(0), index(steps), 1, () => {
      const start = scaleIndex(indexSymbol('step', 0, steps - 1), t.depth);
      if (steps > 1) emitter.push({ kind: 'barrier' });
      this.#bring(c.a, startA, sideA(t), 0, start, batch);
      this.#bring(c.b, startB, sideB(t), t.depth * sideA(t), start, batch);
      emitter.push({ kind: 'barrier' }, this.#multiply(sums, inA, inB));
    });
    emitter.push({ kind: 'barrier' }, ...this.#spread(sums, inA, inB), { kind: 'barrier' });
    this.#finish(startA, startB, batch);
  }

  #zero(lanes: number): Expr {
    const type = computeType(this.dtype);
    return splat(constant(type, typed(type, 0)), lanes);
  }

  /** The same by one thread: the result's tile stays in memory, and registers hold one small tile of it at a time. */
  #writeSerial(sums: readonly (readonly string[])[], startA: IndexExpr, startB: IndexExpr, batch: Bindings): void {
    const { emitter, c, t } = this;
    const type = computeType(this.dtype);
    const place = variable('place');
    const [inA, inB] = [binary('div', place, index(t.threadsB)), binary('rem', place, index(t.threadsB))];
    const steps = Math.ceil(pointsOf(c.summed) / t.depth);
    const clear = variable('z');
    if (steps > 1) emitter.push(loop('z', index(0), index(resultElements(t)), [store(this.shared, add(clear, index(resultBase(t))), this.#zero(t.lanes))], t.lanes));
    emitter.loop('step', index(0), index(steps), 1, () => {
      const start = scaleIndex(indexSymbol('step', 0, steps - 1), t.depth);
      this.#bringAll(c.a, startA, sideA(t), 0, start, batch);
      this.#bringAll(c.b, startB, sideB(t), t.depth * sideA(t), start, batch);
      const begin = sums.flatMap((row, i) =>
        row.map((name, j) => declare(name, steps > 1 ? load(this.shared, this.#resultAt(i, j, inA, inB), type, t.lanes) : this.#zero(t.lanes))),
      );
      emitter.push(loop('place', index(0), index(t.threadsA * t.threadsB), [...begin, this.#multiply(sums, inA, inB), ...this.#spread(sums, inA, inB)]));
    });
    this.#finish(startA, startB, batch);
  }

  /** Fills one factor's tile by one thread, in vectors where memory allows. A tile that is inside needs no guard. */
  #bringAll(factor: Factor, start: IndexExpr, side: number, base: number, startK: IndexExpr, batch: Bindings): void {
    const { emitter } = this;
    const size = pointsOf(factor.axes);
    const write = (guarded: boolean): void => this.#bringPart(factor, start, side, base, startK, batch, guarded);
    if (size < side || size % side === 0) return write(size < side);
    const condition = emitter.holds([{ value: start, low: 0, high: size - side + 1 }]);
    emitter.push({ kind: 'if', condition, then: emitter.block(() => write(false), true), else: emitter.block(() => write(true), true) });
  }

  #bringPart(factor: Factor, start: IndexExpr, side: number, base: number, startK: IndexExpr, batch: Bindings, guarded: boolean): void {
    const { emitter, c, t, dtype } = this;
    const [own, sum]: readonly Axis[] = [
      { name: emitter.fresh('own'), extent: side },
      { name: emitter.fresh('sum'), extent: t.depth },
    ];
    const [slow, fast] = factor.alongSum ? [own!, sum!] : [sum!, own!];
    const [flatK, flatOwn] = [addIndex(startK, axisIndex(sum!)), addIndex(start, axisIndex(own!))];
    const substitution = this.#substitution(batch, unflatten(factor.axes, flatOwn), unflatten(c.summed, flatK));
    const inside: Condition[] = [{ value: flatK, low: 0, high: pointsOf(c.summed) }, ...(guarded ? [{ value: flatOwn, low: 0, high: pointsOf(factor.axes) }] : [])];
    const value = guardPoint(inside, substitution.point(factor.value), literal(dtype, dtypes[dtype].held === 'bigint' ? 0n : 0));
    const offset = addIndex(addIndex(scaleIndex(axisIndex(sum!), side), axisIndex(own!)), base);
    const question = { values: [value], offsets: [offset], dynamic: emitter.dynamic, axis: fast, lanes: t.lanes, locals: [] };
    const lanes = t.lanes > 1 && fast.extent >= t.lanes && vectorRatio(question) < WORTHWHILE ? t.lanes : 1;
    emitter.loop(slow.name, index(0), index(slow.extent), 1, () =>
      writeStrips(emitter, {
        axis: fast,
        widths: lanes > 1 ? [lanes] : [],
        values: [value],
        write: (inner, width) => {
          const e = inner.point(value);
          emitter.countUses(e);
          emitter.store(this.slot, inner.index(offset), splat(emitter.point(e), width));
        },
      }),
    );
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

  /** Where the result's tile has vector j of row i of a thread's tile: [side a][side b]. */
  #resultAt(i: number, j: number, inA: Expr, inB: Expr): Expr {
    const { t } = this;
    const row = mul(add(mul(inA, index(t.rows)), index(i)), index(sideB(t)));
    return add(add(row, mul(inB, index(t.lanes))), index(j * t.threadsB * t.lanes + resultBase(t)));
  }

  /** The sums go to shared memory. */
  #spread(sums: readonly (readonly string[])[], inA: Expr, inB: Expr): Stmt[] {
    const type = computeType(this.dtype);
    return sums.flatMap((row, i) => row.map((name, j) => store(this.shared, this.#resultAt(i, j, inA, inB), variable(name, type, this.t.lanes))));
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
        emitter.define(c.sum.local, emitter.bind(load(this.shared, add(emitter.named('out').expr, index(resultBase(t))), type)));
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
