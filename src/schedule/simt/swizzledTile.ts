// The contraction on matrix units that read memory of the block themselves: stages of both factors' tiles in swizzled memory, fetched while
// the units multiply others. At the end sums pass through memory of the block, some columns at a time, so that what is fused behind them is
// written once and stores run along memory.
import { addIndex, constantIndex, delinearize, floorDiv, indexSymbol, linearIndex, modIndex, scaleIndex } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import { compare, extract, index, load } from '../../kernel/build.ts';
import type { FragmentPlace, Product, Stmt } from '../../kernel/ir.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import type { Nest } from '../nest.ts';
import { computeType } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { createSlot } from '../storage.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { TOGETHER, pairsBehind, placeOfBlock, writeResults } from './blockTile.ts';
import type { Contraction } from '../contraction.ts';
import { finishKernel, grid, thread } from './machine.ts';
import { STRIP, SWIZZLED_STAGES, readsAlongSum, sideA, sideB, threadsOf } from './matrixShape.ts';
import type { MatrixTile } from './matrixShape.ts';
import { StagedFactor, writeSteps } from './stages.ts';

const barrier: Stmt = { kind: 'barrier' };

class SwizzledWriter {
  readonly emitter: Emitter;
  readonly blocks: number;
  readonly threads: number;
  readonly #c: Contraction;
  readonly #t: MatrixTile;
  readonly #batch: Bindings;
  readonly #startA: IndexExpr;
  readonly #startB: IndexExpr;
  readonly #a: StagedFactor;
  readonly #b: StagedFactor;
  /** The group of threads that holds sums together. */
  readonly #group: IndexExpr;
  readonly #sums: readonly string[];

  constructor(nest: Nest, c: Contraction, t: MatrixTile, facts: SimtFacts) {
    const emitter = new Emitter(nest.dynamic);
    [this.emitter, this.#c, this.#t, this.threads] = [emitter, c, t, threadsOf(t, facts)];
    emitter.define('block', grid);
    emitter.define('thread', thread);
    const number = indexSymbol('thread', 0, this.threads - 1);
    const place = placeOfBlock(c, sideA(t), sideB(t));
    [this.blocks, this.#batch, this.#startA, this.#startB] = [place.blocks, place.batch, place.startA, place.startB];
    this.#group = floorDiv(number, this.threads / t.subgroupsA);
    const staging = {
      emitter,
      contraction: c,
      batch: place.batch,
      thread: number,
      threads: this.threads,
      stages: SWIZZLED_STAGES,
      depth: t.depth,
      fetchBytes: facts.fetchBytes ?? [],
    };
    const needsSum = readsAlongSum(t.a.dtype);
    this.#a = new StagedFactor(staging, { factor: c.a, value: t.a.value, dtype: t.a.dtype, side: sideA(t), start: place.startA, padBytes: 'swizzled', needsSum });
    this.#b = new StagedFactor(staging, { factor: c.b, value: t.b.value, dtype: t.b.dtype, side: sideB(t), start: place.startB, padBytes: 'swizzled', needsSum });
    this.#sums = Array.from({ length: t.fragmentsA }, () => emitter.fresh('sum'));
  }

  isSwizzled(buffer: string): boolean {
    return buffer === this.#a.buffer || buffer === this.#b.buffer;
  }

  write(): void {
    const { emitter } = this;
    const [c, t] = [this.#c, this.#t];
    for (const name of this.#sums) emitter.push({ kind: 'matrix', step: { do: 'declare', name, fragment: { unit: t.unit, role: 'sum', order: 'rows' } } });
    const count = Math.ceil(pointsOf(c.summed) / t.depth);
    writeSteps(
      emitter,
      { count, stages: SWIZZLED_STAGES, ahead: SWIZZLED_STAGES - 2, units: true },
      (step, stage) => [this.#a, this.#b].forEach((factor) => factor.bring(step, stage)),
      (stage) => this.#multiply(stage),
    );
    this.#finish();
  }

  #multiply(stage: IndexExpr): void {
    const { emitter } = this;
    const { unit, depth, fragmentsA } = this.#t;
    const place = (factor: StagedFactor, own: IndexExpr, k: number): FragmentPlace => ({
      buffer: factor.buffer,
      index: emitter.index(factor.place(stage, own, constantIndex(k))),
      stride: factor.pitch,
      ...(factor.alongSum ? {} : { panel: factor.panel }),
    });
    const products: Product[] = [];
    for (let k = 0; k < depth; k += unit.k) {
      this.#sums.forEach((sum, i) => {
        const own = scaleIndex(addIndex(scaleIndex(this.#group, fragmentsA), i), unit.m);
        products.push({ sum, a: place(this.#a, own, k), b: place(this.#b, constantIndex(0), k) });
      });
    }
    const fragments = { a: { unit, role: 'a', order: this.#a.alongSum ? 'rows' : 'columns' }, b: { unit, role: 'b', order: this.#b.alongSum ? 'columns' : 'rows' } } as const;
    emitter.push({ kind: 'matrix', step: { do: 'begin', products, fragments } });
  }

  #finish(): void {
    const { emitter } = this;
    const [c, t] = [this.#c, this.#t];
    const { m, n, acc } = t.unit;
    const columns = Math.min(STRIP.columns, n);
    const stride = columns + STRIP.pad;
    const rows = t.subgroupsA * m;
    const strip = emitter.buffer(createSlot('scratch', { dtype: acc, shape: [rows * stride] }), 'write');
    const base = emitter.index(scaleIndex(this.#group, m * stride));
    const parts = this.#sums.flatMap((name, i) => Array.from({ length: n / columns }, (_, j) => ({ name, fragment: i, from: j * columns })));
    emitter.loop('part', index(0), index(parts.length), 1, () => {
      const part = emitter.named('part').expr;
      parts.forEach(({ name, from }, i) => {
        const to = { buffer: strip, index: base, stride };
        const put: Stmt = { kind: 'matrix', step: { do: 'store', name, fragment: { unit: t.unit, role: 'sum', order: 'rows' }, to, columns: { from, count: columns } } };
        emitter.push(parts.length === 1 ? put : { kind: 'if', condition: compare('eq', part, index(i)), then: [put], else: [] });
      });
      emitter.push(barrier);
      const [fragment, from] = delinearize(indexSymbol('part', 0, parts.length - 1), [this.#sums.length, n / columns]);
      const items = (rows * columns) / TOGETHER;
      emitter.loop('out', thread, index(items), this.threads, () => {
        const [row, run] = delinearize(indexSymbol('out', 0, items - 1), [rows, columns / TOGETHER]);
        const at = scaleIndex(run!, TOGETHER);
        const [group, inGroup] = [floorDiv(row!, m), modIndex(row!, m)];
        const flatA = addIndex(this.#startA, addIndex(scaleIndex(addIndex(scaleIndex(group, t.fragmentsA), fragment!), m), inGroup));
        const flatB = addIndex(this.#startB, addIndex(scaleIndex(from!, columns), at));
        const type = computeType(acc);
        const sums = emitter.bind(load(strip, emitter.index(linearIndex([row!, at], [stride, 1])), type, TOGETHER));
        const lanes = Array.from({ length: TOGETHER }, (_, lane) => extract(sums, lane));
        writeResults(emitter, c, this.#batch, flatA, flatB, lanes);
      });
      if (parts.length > 1) emitter.push(barrier);
    });
  }
}

/** `nest` has its axes refined, and is the contraction `c`; `raw` is the nest as it was. */
export function lowerSwizzledTiles(name: string, nest: Nest, raw: Nest, c: Contraction, tile: MatrixTile, facts: SimtFacts, flops: number): LoweredKernel {
  const writer = new SwizzledWriter(nest, c, tile, facts);
  writer.write();
  const traffic = trafficOf(raw);
  const { blocks, threads, emitter } = writer;
  const lowered = finishKernel(emitter, name, { blocks, threads, subgroup: tile.unit.threads ?? facts.subgroupThreads }, true, {
    flops,
    bytes: traffic.readBytes + traffic.writeBytes,
  });
  const scratch = lowered.kernel.scratch.map((s) => (writer.isSwizzled(s.name) ? { ...s, swizzled: true } : s));
  return { ...lowered, kernel: { ...lowered.kernel, scratch }, traffic, inPlace: pairsBehind(raw, c) };
}
