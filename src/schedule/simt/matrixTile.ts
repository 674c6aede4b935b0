// The contraction on matrix units: a block brings tiles of both factors into shared memory, in blocks of the unit's own shape, while it
// multiplies the tiles before; each subgroup holds sums of its own in fragments. At the end the sums pass through shared memory, so that
// what is fused behind them is written once.
import { substitute } from '../emit/places.ts';
import { writeResult } from './blockTile.ts';
import { addIndex, delinearize, floorDiv, indexSymbol, linearIndex, modIndex, scaleIndex } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import { add, assign, binary, compare, constant, declare, index, load, store, variable } from '../../kernel/build.ts';
import type { Expr, Fragment, Stmt } from '../../kernel/ir.ts';
import type { SimtFacts } from '../../runtime/device.ts';
import { unflatten } from '../nest.ts';
import type { Nest } from '../nest.ts';
import { guardPoint, zeroOf } from '../point.ts';
import type { Condition, PointExpr } from '../point.ts';
import { computeType, typed } from '../emit/compute.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { createSlot } from '../storage.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import type { Contraction, Factor } from '../contraction.ts';
import { finishKernel, grid, thread } from './machine.ts';
import { STAGES, sideA, sideB, subgroupsOf } from './matrixShape.ts';
import type { MatrixInput, MatrixTile } from './matrixShape.ts';

const barrier: Stmt = { kind: 'barrier' };

/** One factor: how it is brought, where its tiles lie, and the fragments that are filled from them. */
interface Side {
  readonly factor: Factor;
  readonly input: MatrixInput;
  /** Length of the block's tile and of a fragment, and fragments of a subgroup, along the factor's own axes. */
  readonly side: number;
  readonly unitSide: number;
  readonly fragments: number;
  readonly fragment: Fragment;
  readonly shared: string;
  /** Where the block's tile begins along the factor's own axes; which subgroup this one is along them. */
  readonly start: IndexExpr;
  readonly subgroup: IndexExpr;
}

class MatrixWriter {
  readonly emitter: Emitter;
  readonly c: Contraction;
  readonly t: MatrixTile;
  readonly threads: number;
  readonly together: number;
  readonly blocks: number;
  readonly #batch: Bindings;
  readonly #a: Side;
  readonly #b: Side;
  /** Of the thread: its number, its subgroup's and its own there. */
  readonly #thread: IndexExpr;
  readonly #subgroup: IndexExpr;

  constructor(nest: Nest, c: Contraction, t: MatrixTile, { subgroupThreads }: SimtFacts) {
    const emitter = new Emitter(nest.dynamic);
    [this.emitter, this.c, this.t, this.together] = [emitter, c, t, subgroupThreads];
    this.threads = subgroupsOf(t) * subgroupThreads;
    const [blocksA, blocksB] = [Math.ceil(pointsOf(c.a.axes) / sideA(t)), Math.ceil(pointsOf(c.b.axes) / sideB(t))];
    this.blocks = pointsOf(c.batch) * blocksA * blocksB;
    emitter.define('block', grid);
    emitter.define('thread', thread);
    this.#thread = indexSymbol('thread', 0, this.threads - 1);
    this.#subgroup = floorDiv(this.#thread, subgroupThreads);
    const [batch, a, b] = delinearize(indexSymbol('block', 0, this.blocks - 1), [pointsOf(c.batch), blocksA, blocksB]);
    this.#batch = unflatten(c.batch, batch!);
    const [alongA, alongB] = delinearize(this.#subgroup, [t.subgroupsA, t.subgroupsB]);
    this.#a = this.#sideOf('a', c.a, t.a, { side: sideA(t), unitSide: t.unit.m, fragments: t.fragmentsA, start: scaleIndex(a!, sideA(t)), subgroup: alongA! });
    this.#b = this.#sideOf('b', c.b, t.b, { side: sideB(t), unitSide: t.unit.n, fragments: t.fragmentsB, start: scaleIndex(b!, sideB(t)), subgroup: alongB! });
  }

  #sideOf(role: 'a' | 'b', factor: Factor, input: MatrixInput, place: Pick<Side, 'side' | 'unitSide' | 'fragments' | 'start' | 'subgroup'>): Side {
    const slot = createSlot('scratch', { dtype: input.dtype, shape: [STAGES * this.t.depth * place.side] });
    // Rows of a, and columns of b, run along the sum.
    const order = factor.alongSum === (role === 'a') ? 'rows' : 'columns';
    return { ...place, factor, input, shared: this.emitter.buffer(slot, 'write'), fragment: { unit: this.t.unit, role, order } };
  }

  write(): void {
    const { emitter, c, t } = this;
    const steps = Math.ceil(pointsOf(c.summed) / t.depth);
    const sums = Array.from({ length: t.fragmentsA * t.fragmentsB }, () => emitter.fresh('sum'));
    for (const name of sums) emitter.push({ kind: 'matrix', step: { do: 'declare', name, fragment: this.#sum } });
    const factors = [this.#a, this.#b].map((side) => Array.from({ length: side.fragments }, () => this.#declareFactor(side)));
    const sides = [this.#a, this.#b];
    const first = sides.flatMap((side) => this.#bring(side, indexSymbol('none', 0, 0), 0));
    this.#put(first, index(0));
    emitter.push(barrier);
    const kept = steps > 1 ? first.map(({ value }) => this.#local(value.type)) : [];
    emitter.loop('step', index(0), index(steps), 1, () => {
      const step = indexSymbol('step', 0, steps - 1);
      const half = steps > 1 ? emitter.bind(binary('rem', emitter.named('step').expr, index(STAGES))) : index(0);
      if (steps > 1) {
        const next = sides.flatMap((side) => this.#bring(side, step, 1));
        next.forEach(({ value }, i) => emitter.push(assign(kept[i]!, value)));
        emitter.push(...this.#multiply(sums, factors[0]!, factors[1]!, half));
        const other = emitter.bind(binary('sub', index(1), half));
        this.#put(
          next.map((item, i) => ({ ...item, value: variable(kept[i]!, item.value.type.dtype) })),
          other,
        );
        emitter.push(barrier);
      } else emitter.push(...this.#multiply(sums, factors[0]!, factors[1]!, half));
    });
    this.#finish(sums);
  }

  get #sum(): Fragment {
    return { unit: this.t.unit, role: 'sum', order: 'rows' };
  }

  #declareFactor({ fragment }: Side): string {
    const name = this.emitter.fresh(fragment.role);
    this.emitter.push({ kind: 'matrix', step: { do: 'declare', name, fragment } });
    return name;
  }

  #local(type: Expr['type']): string {
    const name = this.emitter.fresh('next');
    this.emitter.push(declare(name, constant(type.dtype, typed(type.dtype, 0))));
    return name;
  }

  /** What this thread brings of a factor's tile for the step `ahead` of `step`: values, and where they go in a half of shared memory. Zeros beyond its ends. */
  #bring(side: Side, step: IndexExpr, ahead: number): { readonly side: Side; readonly at: IndexExpr; readonly value: Expr }[] {
    const { emitter, c, t } = this;
    const { factor, input, start } = side;
    const startK = scaleIndex(addIndex(step, ahead), t.depth);
    return Array.from({ length: (t.depth * side.side) / this.threads }, (_, i) => {
      const e = addIndex(this.#thread, i * this.threads);
      const [k, own] = factor.alongSum ? delinearize(e, [side.side, t.depth]).reverse() : delinearize(e, [t.depth, side.side]);
      const [flatK, flatOwn] = [addIndex(startK, k!), addIndex(start, own!)];
      const inside: Condition[] = [
        { value: flatOwn, low: 0, high: pointsOf(factor.axes) },
        { value: flatK, low: 0, high: pointsOf(c.summed) },
      ];
      const moved = substitute(emitter, this.#batch, unflatten(factor.axes, flatOwn), unflatten(c.summed, flatK)).point(input.value);
      const value: PointExpr = guardPoint(inside, moved, zeroOf(input.dtype));
      emitter.countUses(value);
      return { side, at: this.#place(side, k!, own!), value: emitter.point(value) };
    });
  }

  /** Where an element of a factor's tile lies in its half: blocks of the unit's shape, one after the other. */
  #place({ factor, side, unitSide }: Side, k: IndexExpr, own: IndexExpr): IndexExpr {
    const depth = this.t.unit.k;
    const blockOf = linearIndex([floorDiv(k, depth), floorDiv(own, unitSide)], [side * depth, unitSide * depth]);
    const [inK, inOwn] = [modIndex(k, depth), modIndex(own, unitSide)];
    return addIndex(blockOf, factor.alongSum ? linearIndex([inOwn, inK], [depth, 1]) : linearIndex([inK, inOwn], [unitSide, 1]));
  }

  #put(items: readonly { readonly side: Side; readonly at: IndexExpr; readonly value: Expr }[], half: Expr): void {
    for (const { side, at, value } of items) {
      const base = binary('mul', half, index(this.t.depth * side.side));
      this.emitter.push(store(side.shared, add(base, this.emitter.index(at)), value));
    }
  }

  /** One tile's products. */
  #multiply(sums: readonly string[], a: readonly string[], b: readonly string[], half: Expr): Stmt[] {
    const { emitter, t } = this;
    const statements: Stmt[] = [];
    const fill = (side: Side, names: readonly string[], step: number): void =>
      names.forEach((name, i) => {
        const block = side.unitSide * t.unit.k;
        const at = addIndex(scaleIndex(side.subgroup, side.fragments * block), step * side.side * t.unit.k + i * block);
        const from = {
          buffer: side.shared,
          index: add(binary('mul', half, index(t.depth * side.side)), emitter.index(at)),
          stride: side.factor.alongSum ? t.unit.k : side.unitSide,
        };
        statements.push({ kind: 'matrix', step: { do: 'load', name, fragment: side.fragment, from } });
      });
    for (let step = 0; step < t.depth / t.unit.k; step++) {
      fill(this.#a, a, step);
      fill(this.#b, b, step);
      const fragments = { a: this.#a.fragment, b: this.#b.fragment };
      a.forEach((x, i) => b.forEach((y, j) => statements.push({ kind: 'matrix', step: { do: 'multiply', sum: sums[i * b.length + j]!, a: x, b: y, fragments } })));
    }
    return statements;
  }

  /** Every fragment of sums in turn passes through memory of its subgroup's own; what is fused behind is computed there. */
  #finish(sums: readonly string[]): void {
    const { emitter, c, t, together } = this;
    const { m, n, acc } = t.unit;
    const strip = emitter.buffer(createSlot('scratch', { dtype: acc, shape: [subgroupsOf(t) * m * n] }), 'write');
    const base = emitter.index(scaleIndex(this.#subgroup, m * n));
    emitter.loop('fragment', index(0), index(sums.length), 1, () => {
      const chosen = emitter.named('fragment').expr;
      sums.forEach((name, i) => {
        const put: Stmt = { kind: 'matrix', step: { do: 'store', name, fragment: this.#sum, to: { buffer: strip, index: base, stride: n } } };
        emitter.push(sums.length === 1 ? put : { kind: 'if', condition: compare('eq', chosen, index(i)), then: [put], else: [] });
      });
      emitter.push(barrier);
      const [alongA, alongB] = delinearize(indexSymbol('fragment', 0, sums.length - 1), [t.fragmentsA, t.fragmentsB]);
      emitter.loop('part', index(0), index((m * n) / together), 1, () => {
        const part = indexSymbol('part', 0, (m * n) / together - 1);
        const element = addIndex(scaleIndex(part, together), modIndex(this.#thread, together));
        const [row, column] = delinearize(element, [m, n]);
        const place = ({ start, subgroup, fragments, unitSide }: Side, along: IndexExpr, inside: IndexExpr): IndexExpr =>
          addIndex(addIndex(start, scaleIndex(addIndex(scaleIndex(subgroup, fragments), along), unitSide)), inside);
        const sum = load(strip, add(base, emitter.index(element)), computeType(c.sum.dtype));
        writeResult(emitter, c, this.#batch, place(this.#a, alongA!, row!), place(this.#b, alongB!, column!), sum);
      });
      if (sums.length > 1) emitter.push(barrier);
    });
  }
}

/** `nest` has its axes refined, and is the contraction `c`; `raw` is the nest as it was. */
export function lowerMatrixTiles(name: string, nest: Nest, raw: Nest, c: Contraction, tile: MatrixTile, facts: SimtFacts, flops: number): LoweredKernel {
  const writer = new MatrixWriter(nest, c, tile, facts);
  writer.write();
  const traffic = trafficOf(raw);
  const { blocks, threads, emitter } = writer;
  const lowered = finishKernel(emitter, name, { blocks, threads }, true, { flops, bytes: traffic.readBytes + traffic.writeBytes });
  const block = { ...lowered.kernel.block!, subgroup: facts.subgroupThreads };
  return { ...lowered, kernel: { ...lowered.kernel, block }, traffic };
}
