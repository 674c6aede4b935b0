// The tiled contraction on machines whose threads copy beside other work: stages of both factors' tiles in memory of the block, read in
// whole vectors, and sums of each thread in registers. At the end rows of sums pass through memory of the block, so that what is fused
// behind them is written once and stores run along memory.
import { range } from '../../core/integers.ts';
import { addIndex, constantIndex, delinearize, floorDiv, indexSymbol, linearIndex, modIndex, scaleIndex } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { add, assign, compare, constant, declare, extract, fma, index, load, mul, store, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import type { Nest } from '../nest.ts';
import { computeType, typed } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { createSlot } from '../storage.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { pairsBehind, placeOfBlock, writeResult } from './blockTile.ts';
import type { Contraction } from '../contraction.ts';
import { finishKernel, grid, thread } from './machine.ts';
import { StagedFactor, writeKeptSteps, writeSteps } from './stages.ts';
import type { StagedSide } from './stages.ts';
import { sideA, sideB } from './tileShape.ts';
import type { TileShape } from './tileShape.ts';

/** Elements that are read together. */
const VECTOR = 4;
/** Threads of a subgroup along b: they read neighbouring vectors of it. */
const ALONG_B = 8;
const barrier: Stmt = { kind: 'barrier' };
const LINE_PAD_BYTES = 16;
/**
 * With so many blocks to a unit there is always one to run, and what is on its way may lie in registers: lines across the sum can be stored
 * from them, which are read by fewer instructions. Points of the sum that they hold.
 */
const KEPT_SHARE = 4;
const KEPT_DEPTH = 16;
/** Blocks that a unit runs at a time then, of the threads of the largest. */
const KEPT_TOGETHER = 2;

/** One factor, and what of its tile the thread multiplies. */
interface Side {
  readonly staged: StagedFactor;
  /** Which thread along the factor's own axes, of how many; elements of each. */
  readonly inside: IndexExpr;
  readonly threads: number;
  readonly own: number;
}

/** Where element i of a thread's own lies in the tile: vectors of neighbours, or single elements, in turns with the other threads. */
function positionOf({ staged, inside, threads }: Pick<Side, 'staged' | 'inside' | 'threads'>, i: IndexExpr): IndexExpr {
  if (staged.alongSum) return addIndex(inside, scaleIndex(i, threads));
  return linearIndex([floorDiv(i, VECTOR), inside, modIndex(i, VECTOR)], [VECTOR * threads, VECTOR, 1]);
}

class StagedWriter {
  readonly emitter: Emitter;
  readonly blocks: number;
  readonly threads: number;
  readonly #c: Contraction;
  readonly #t: TileShape;
  readonly #batch: Bindings;
  readonly #starts: readonly [IndexExpr, IndexExpr];
  readonly #a: Side;
  readonly #b: Side;
  readonly #thread: IndexExpr;
  readonly #isKept: boolean;

  constructor(nest: Nest, c: Contraction, t: TileShape, fetchBytes: readonly number[], isKept = false) {
    const emitter = new Emitter(nest.dynamic);
    [this.emitter, this.#c, this.#t] = [emitter, c, t];
    this.threads = t.threadsA * t.threadsB;
    emitter.define('block', grid);
    emitter.define('thread', thread);
    this.#thread = indexSymbol('thread', 0, this.threads - 1);
    const place = placeOfBlock(c, sideA(t), sideB(t));
    this.blocks = place.blocks;
    this.#batch = place.batch;
    this.#starts = [place.startA, place.startB];
    const alongB = Math.min(ALONG_B, t.threadsB);
    const alongA = Math.min(32 / ALONG_B, t.threadsA);
    const [groupA, groupB, laneA, laneB] = delinearize(this.#thread, [t.threadsA / alongA, t.threadsB / alongB, alongA, alongB]);
    const staging = { emitter, contraction: c, batch: place.batch, thread: this.#thread, threads: this.threads, stages: t.stages, depth: t.depth, fetchBytes };
    const sideOf = (side: StagedSide, inside: IndexExpr, threads: number, own: number): Side => ({ staged: new StagedFactor(staging, side), inside, threads, own });
    const { dtype } = c.sum;
    const common = { dtype, padBytes: 0, needsOwn: isKept };
    this.#isKept = isKept;
    const padOf = (alongSum: boolean): number => (alongSum ? LINE_PAD_BYTES : 0);
    this.#a = sideOf(
      { ...common, factor: c.a, value: c.a.value, side: sideA(t), start: place.startA, padBytes: padOf(c.a.alongSum) },
      addIndex(scaleIndex(groupA!, alongA), laneA!),
      t.threadsA,
      t.rows,
    );
    this.#b = sideOf(
      { ...common, factor: c.b, value: c.b.value, side: sideB(t), start: place.startB, padBytes: padOf(c.b.alongSum) },
      addIndex(scaleIndex(groupB!, alongB), laneB!),
      t.threadsB,
      t.vectors,
    );
  }

  /** Whether its factors can be loaded in whole vectors, as many by every thread. */
  get canKeep(): boolean {
    const { depth } = this.#t;
    return [this.#a.staged, this.#b.staged].every((factor) => factor.isWhole) && [sideA(this.#t), sideB(this.#t)].every((side) => (side * depth) % (VECTOR * this.threads) === 0);
  }

  get #dtype(): NumericDType {
    return this.#c.sum.dtype;
  }

  write(): void {
    const { emitter } = this;
    const [c, t] = [this.#c, this.#t];
    const type = computeType(this.#dtype);
    const sums = Array.from({ length: t.rows }, () => Array.from({ length: t.vectors }, () => emitter.fresh('acc')));
    for (const name of sums.flat()) emitter.push(declare(name, constant(type, typed(type, 0))));
    const steps = Math.ceil(pointsOf(c.summed) / t.depth);
    if (this.#isKept) writeKeptSteps(emitter, steps, [this.#a.staged, this.#b.staged], (stage) => this.#multiply(sums, stage));
    else
      writeSteps(
        emitter,
        { count: steps, stages: t.stages, ahead: t.stages - 1 },
        (step, stage) => [this.#a, this.#b].forEach(({ staged }) => staged.bring(step, stage)),
        (stage) => this.#multiply(sums, stage),
      );
    this.#finish(sums);
  }

  /** Reads the elements of a thread's own at each of four points of the sum from `k` on, no earlier than it is asked for them. */
  #reader(side: Side, stage: IndexExpr, k: IndexExpr): (point: number) => readonly Expr[] {
    const { emitter } = this;
    const type = computeType(this.#dtype);
    const { staged, own } = side;
    const vector = (i: number, at: IndexExpr): Expr => {
      const position = positionOf(side, constantIndex(i));
      return emitter.bind(load(staged.buffer, emitter.index(staged.place(stage, position, at)), type, VECTOR));
    };
    if (staged.alongSum) {
      const vectors = range(own).map((i) => vector(i, k));
      return (point) => vectors.map((x) => extract(x, point));
    }
    return (point) =>
      range(own / VECTOR).flatMap((v) => {
        const x = vector(v * VECTOR, addIndex(k, point));
        return range(VECTOR).map((i) => extract(x, i));
      });
  }

  /** One stage's products, summed in registers. */
  #multiply(sums: readonly (readonly string[])[], stage: IndexExpr): void {
    const { emitter } = this;
    const type = computeType(this.#dtype);
    const isFloat = type === 'f32';
    const body = emitter.block(() => {
      emitter.define('k', variable('k'));
      const k = scaleIndex(indexSymbol('k', 0, this.#t.depth / VECTOR - 1), VECTOR);
      const readers = [this.#a, this.#b].map((side) => this.#reader(side, stage, k));
      for (let j = 0; j < VECTOR; j++) {
        const [a, b] = readers.map((read) => read(j));
        sums.forEach((row, i) =>
          row.forEach((name, n) => {
            const [x, y, sum] = [a![i]!, b![n]!, variable(name, type)];
            emitter.push(assign(name, isFloat ? fma(x, y, sum) : add(mul(x, y), sum)));
          }),
        );
      }
    });
    emitter.push({ kind: 'for', var: 'k', from: index(0), to: index(this.#t.depth / VECTOR), step: 1, unroll: true, body });
  }

  /** Row after row of every thread's sums passes through memory of the block. */
  #finish(sums: readonly (readonly string[])[]): void {
    const { emitter } = this;
    const [c, t] = [this.#c, this.#t];
    const type = computeType(this.#dtype);
    const columns = sideB(t);
    const strip = emitter.buffer(createSlot('scratch', { dtype: this.#dtype, shape: [t.threadsA * columns] }), 'write');
    emitter.loop('row', index(0), index(t.rows), 1, () => {
      const row = emitter.named('row').expr;
      sums.forEach((names, i) => {
        const put = names.map((name, n) => {
          const at = linearIndex([this.#a.inside, positionOf(this.#b, constantIndex(n))], [columns, 1]);
          return store(strip, emitter.index(at), variable(name, type));
        });
        emitter.push(...(t.rows === 1 ? put : [{ kind: 'if', condition: compare('eq', row, index(i)), then: put, else: [] } as const]));
      });
      emitter.push(barrier);
      emitter.loop('out', thread, index(t.threadsA * columns), this.threads, () => {
        const [inA, column] = delinearize(indexSymbol('out', 0, t.threadsA * columns - 1), [t.threadsA, columns]);
        const own = positionOf({ ...this.#a, inside: inA! }, indexSymbol('row', 0, t.rows - 1));
        writeResult(emitter, c, this.#batch, addIndex(this.#starts[0], own), addIndex(this.#starts[1], column!), load(strip, emitter.named('out').expr, type));
      });
      if (t.rows > 1) emitter.push(barrier);
    });
  }
}

/** `nest` has its axes refined, and is the contraction `c`; `raw` is the nest as it was. */
export function lowerStagedTiles(name: string, nest: Nest, raw: Nest, c: Contraction, tile: TileShape, { fetchBytes = [], units }: SimtFacts, flops: number): LoweredKernel {
  const kept = new StagedWriter(nest, c, { ...tile, stages: 2, depth: Math.min(tile.depth, KEPT_DEPTH) }, fetchBytes, true);
  const isKept = kept.canKeep && kept.blocks >= KEPT_SHARE * units;
  const writer = isKept ? kept : new StagedWriter(nest, c, tile, fetchBytes);
  writer.write();
  const traffic = trafficOf(raw);
  const { blocks, threads, emitter } = writer;
  return {
    ...finishKernel(emitter, name, { blocks, threads, ...(isKept ? { together: KEPT_TOGETHER } : {}) }, true, { flops, bytes: traffic.readBytes + traffic.writeBytes }),
    traffic,
    inPlace: pairsBehind(raw, c),
  };
}
