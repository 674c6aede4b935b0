// The tiled contraction: a block of threads brings tiles of both factors into shared memory, each thread sums a small tile of its own in
// registers, and the sums go through shared memory once more so that what is fused behind them is written once and stores run along memory.
import { substitute } from '../emit/places.ts';
import { delinearize, indexSymbol } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { addIndex, scaleIndex } from '../../core/indexExpr.ts';
import { add, assign, binary, constant, declare, fma, index, load, loop, mul, splat, store, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import { axisIndex, unflatten } from '../nest.ts';
import type { Axis, Nest } from '../nest.ts';
import { guardPoint, zeroOf } from '../point.ts';
import type { Condition } from '../point.ts';
import { computeType, typed } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { WORTHWHILE, vectorRatio } from '../emit/lanes.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { pairsBehind, placeOfBlock, writeResult } from './blockTile.ts';
import type { BlockPlace } from './blockTile.ts';
import type { Contraction, Factor } from '../contraction.ts';
import { sharedElements, sideA, sideB } from './tileShape.ts';
import type { TileShape } from './tileShape.ts';
import { finishKernel, grid, thread } from './machine.ts';

class TileWriter {
  readonly emitter: Emitter;
  readonly c: Contraction;
  readonly t: TileShape;
  readonly dtype: NumericDType;
  readonly threads: number;
  readonly place: BlockPlace;
  readonly shared: string;
  readonly slot: MemorySlot;

  constructor(nest: Nest, c: Contraction, t: TileShape) {
    this.emitter = new Emitter(nest.dynamic);
    this.c = c;
    this.t = t;
    this.dtype = c.sum.dtype;
    this.threads = t.threadsA * t.threadsB;
    this.place = placeOfBlock(c, sideA(t), sideB(t));
    this.slot = createSlot('scratch', { dtype: c.sum.dtype, shape: [sharedElements(t)] });
    this.shared = this.emitter.buffer(this.slot, 'write');
  }

  write(): void {
    const { emitter, c, t } = this;
    emitter.define('block', grid);
    const { batch, startA, startB } = this.place;
    const sums = Array.from({ length: t.rows }, () => Array.from({ length: t.vectors }, () => emitter.fresh('acc')));
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

  /** Fills one factor's tile, [depth][side]: zeros beyond its ends. In vectors, where memory and guards allow. */
  #bring(factor: Factor, start: IndexExpr, side: number, base: number, startK: IndexExpr, batch: Bindings): void {
    const { emitter, c, t, dtype } = this;
    const [own, sum]: readonly [Axis, Axis] = [
      { name: emitter.fresh('own'), extent: side },
      { name: emitter.fresh('sum'), extent: t.depth },
    ];
    const [flatK, flatOwn] = [addIndex(startK, axisIndex(sum)), addIndex(start, axisIndex(own))];
    const substitution = substitute(emitter, batch, unflatten(factor.axes, flatOwn), unflatten(c.summed, flatK));
    const inside: Condition[] = [
      { value: flatOwn, low: 0, high: pointsOf(factor.axes) },
      { value: flatK, low: 0, high: pointsOf(c.summed) },
    ];
    const value = guardPoint(inside, substitution.point(factor.value), zeroOf(dtype));
    const offset = addIndex(addIndex(scaleIndex(axisIndex(sum), side), axisIndex(own)), base);
    const [slow, fast] = factor.alongSum ? [own, sum] : [sum, own];
    const lanes =
      fast.extent % t.lanes === 0 && vectorRatio({ values: [value], offsets: [offset], dynamic: emitter.dynamic, axis: fast, lanes: t.lanes, locals: [] }) < WORTHWHILE
        ? t.lanes
        : 1;
    const runs = fast.extent / lanes;
    const symbol = emitter.fresh('e');
    emitter.loop(symbol, thread, index(slow.extent * runs), this.threads, () => {
      const [row, run] = delinearize(indexSymbol(symbol, 0, slow.extent * runs - 1), [slow.extent, runs]);
      const put = (at: IndexExpr): void => {
        const place = substitute(
          emitter,
          new Map([
            [slow.name, row!],
            [fast.name, at],
          ]),
        );
        const e = place.point(value);
        emitter.countUses(e);
        emitter.store(this.slot, place.index(offset), splat(emitter.point(e), lanes));
      };
      if (lanes === 1) return put(run!);
      const lane = emitter.fresh('lane');
      emitter.withLanes(lane, lanes, () => put(addIndex(scaleIndex(run!, lanes), indexSymbol(lane, 0, lanes - 1))));
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
    return add(add(row, mul(inB, index(t.lanes))), index(j * t.threadsB * t.lanes));
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
      writeResult(emitter, c, batch, addIndex(startA, i!), addIndex(startB, j!), load(this.shared, emitter.named('out').expr, type));
    });
  }
}

/** `nest` has its axes refined, and is the contraction `c`; `raw` is the nest as it was. */
export function lowerTiles(name: string, nest: Nest, raw: Nest, c: Contraction, tile: TileShape, flops: number): LoweredKernel {
  const writer = new TileWriter(nest, c, tile);
  writer.write();
  const { readBytes, writeBytes } = trafficOf(raw);
  const kernel = finishKernel(writer.emitter, name, { blocks: writer.place.blocks, threads: writer.threads }, true, { flops, bytes: readBytes + writeBytes });
  return { ...kernel, traffic: { readBytes, writeBytes }, inPlace: pairsBehind(raw, c) };
}
