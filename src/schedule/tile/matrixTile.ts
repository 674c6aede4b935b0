// A contraction on a core's matrix unit: tiles of both factors are copied into its memory, filled in and multiplied, and the sums written.
// Factors that are no matrices in memory are made into ones before, by kernels of their own; what is fused behind the sum: matrixEnding.ts.
import { substitute } from '../emit/places.ts';
import { ZERO, addIndex, constantIndex, delinearize, indexSymbol, linearIndex, scaleIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { stridesOf } from '../../core/shape.ts';
import { binary, index } from '../../kernel/build.ts';
import type { Expr, Fragment, FragmentPlace, Rows, ScratchBuffer } from '../../kernel/ir.ts';
import { linesOf } from '../../kernel/matrix.ts';
import type { TileFacts } from '../../runtime/device.ts';
import type { Contraction } from '../contraction.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { axisIndex, unflatten } from '../nest.ts';
import type { Axis, Nest } from '../nest.ts';
import { castPoint, loadPoint, visitPoints } from '../point.ts';
import type { Substitution } from '../point.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
import { pointsOf } from '../traffic.ts';
import { GRID_VAR, coreBounds } from './cores.ts';
import { instruct } from './instruct.ts';
import { finishTiles, instructionsIn } from './loops.ts';
import { EndingWriter, endingTiles, endingsOf, withLoad } from './matrixEnding.ts';
import type { Target } from './matrixEnding.ts';
import { baseOf, planMatrix } from './matrixPlan.ts';
import type { MatrixFactor, MatrixPlan, Strided } from './matrixPlan.ts';
import { synchronize } from './synchronize.ts';

/** One factor of a tile, and one of the places that it is brought to. */
interface Side {
  readonly role: 'a' | 'b';
  readonly fragment: Fragment;
  readonly from: Strided;
  readonly param: string;
  readonly staging: readonly string[];
  readonly names: readonly string[];
}

/** What a step of the sum takes: `start` and `depth` along the sum, `stage` the place. */
interface Steps {
  bring(start: IndexExpr, depth: number, stage: number): void;
  fill(depth: number, stage: number): void;
  multiply(stage: number): void;
}

/** How much of a tile is there along both sides. */
interface Ends {
  readonly a: Expr;
  readonly b: Expr;
}

class MatrixWriter {
  readonly emitter: Emitter;
  readonly #c: Contraction;
  readonly #plan: MatrixPlan;
  readonly #sides: readonly Side[];
  readonly #scratch: ScratchBuffer[] = [];
  /** Sums of a tile in scratch memory. */
  readonly #kept: MemorySlot;
  readonly #facts: TileFacts;
  readonly #target: Target;
  /** What is fused behind the sum; undefined where nothing is, here. */
  readonly #ending: EndingWriter | undefined;

  constructor(nest: Nest, c: Contraction, plan: MatrixPlan, factors: readonly [Strided, Strided], target: Target, facts: TileFacts, isEnded: boolean) {
    this.emitter = new Emitter(nest.dynamic);
    [this.#c, this.#plan, this.#target, this.#facts] = [c, plan, target, facts];
    this.#sides = [this.#side('a', factors[0]), this.#side('b', factors[1])];
    this.#kept = createSlot('scratch', { dtype: plan.unit.acc, shape: [plan.unit.m, plan.unit.n] });
    this.emitter.buffer(target.slot, 'write');
    this.#ending = isEnded ? new EndingWriter(this.emitter, c, plan.unit) : undefined;
  }

  #side(role: 'a' | 'b', from: Strided): Side {
    const { unit, stages } = this.#plan;
    const fragment: Fragment = { unit, role, order: from.alongSum === (role === 'a') ? 'rows' : 'columns' };
    const [lines, elements] = linesOf(fragment);
    const staging = Array.from({ length: stages }, () => this.emitter.fresh('w'));
    for (const name of staging) this.#scratch.push({ name, dtype: from.slot.dtype, elements: lines * elements, fragment });
    return { role, fragment, from, param: this.emitter.buffer(from.slot, 'read'), staging, names: staging.map(() => this.emitter.fresh(role)) };
  }

  /** Every tile of the result, dealt out to the cores; undefined where there are no instructions for what follows the sum. */
  write(name: string, flops: number): LoweredKernel | undefined {
    const { emitter } = this;
    const facts = this.#facts;
    const { batch, a, b } = this.#c;
    const { unit } = this.#plan;
    const counts = [pointsOf(batch), Math.ceil(pointsOf(a.axes) / unit.m), Math.ceil(pointsOf(b.axes) / unit.n)];
    const total = counts.reduce((product, x) => product * x, 1);
    const size = Math.ceil(total / (facts.matrixCores ?? facts.cores));
    const cores = Math.ceil(total / size);
    for (const { fragment, names } of this.#sides) for (const each of names) emitter.push({ kind: 'matrix', step: { do: 'declare', name: each, fragment } });
    const { from, to } = coreBounds(emitter, { axes: [{ name: 'tile', extent: total }], size, shift: 0, cores });
    const flat = emitter.fresh('p');
    emitter.loop(flat, from, to, 1, () => {
      const [inBatch, inA, inB] = delinearize(indexSymbol(flat, 0, total - 1), counts);
      this.#tile(new Map(unflatten(batch, inBatch!)), scaleIndex(inA!, unit.m), scaleIndex(inB!, unit.n));
    });
    const lowered = finishTiles(emitter, name, cores, { flops, bytes: 0 }, facts);
    const kernel = { ...lowered.kernel, scratch: [...lowered.kernel.scratch, ...this.#scratch], grid: { var: GRID_VAR, extent: cores } };
    if (this.#sumsTo === 'global') return { ...lowered, kernel: { ...kernel, body: synchronize(kernel.body, new Set(kernel.params.map((p) => p.name))) } };
    const instructed = instruct({ ...lowered, kernel }, facts);
    return 'problem' in instructed ? undefined : instructed;
  }

  get #sumsTo(): 'global' | 'scratch' | undefined {
    return this.#facts.rules.matrix?.sumsTo;
  }

  #tile(batch: ReadonlyMap<string, IndexExpr>, startA: IndexExpr, startB: IndexExpr): void {
    const { emitter } = this;
    const { unit } = this.#plan;
    const ends: Ends = { a: this.#end(startA, unit.m, pointsOf(this.#c.a.axes)), b: this.#end(startB, unit.n, pointsOf(this.#c.b.axes)) };
    const at = substitute(emitter, batch);
    const sum = emitter.fresh('sum');
    const fragment: Fragment = { unit, role: 'sum', order: 'rows' };
    emitter.push({ kind: 'matrix', step: { do: 'declare', name: sum, fragment } });
    const [a, b] = this.#sides;
    const fragments = { a: a!.fragment, b: b!.fragment };
    this.#steps({
      bring: (start, depth, stage) =>
        this.#sides.forEach((side) => this.#bring(side, at, { own: side.role === 'a' ? startA : startB, sum: start }, ends[side.role], index(depth), stage)),
      fill: (depth, stage) => this.#sides.forEach((side) => this.#fill(side, ends[side.role], index(depth), stage)),
      multiply: (stage) => emitter.push({ kind: 'matrix', step: { do: 'multiply', sum, a: a!.names[stage]!, b: b!.names[stage]!, fragments } }),
    });
    const out = this.#place(at, startA, startB);
    const store = (to: FragmentPlace): void => emitter.push({ kind: 'matrix', step: { do: 'store', name: sum, fragment, to } });
    if (this.#sumsTo === 'global') return store({ ...out, lines: ends.a, elements: ends.b });
    const kept: Rows = { buffer: emitter.buffer(this.#kept, 'write'), index: index(0), stride: unit.n };
    store({ ...kept, lines: ends.a, elements: index(unit.n) });
    if (this.#ending === undefined) emitter.push({ kind: 'copy', to: out, from: kept, rows: ends.a, elements: ends.b });
    else this.#ending.write(batch, { buffer: kept.buffer, startA, startB, rows: ends.a, unit, to: out });
  }

  /** Where the sums of a tile go. */
  #place(at: Substitution, startA: IndexExpr, startB: IndexExpr): Rows {
    const { slot, base, stride } = this.#target;
    const place = addIndex(at.index(base), addIndex(scaleIndex(startA, stride), startB));
    return { buffer: this.emitter.buffer(slot, 'write'), index: this.emitter.index(place), stride };
  }

  /** The sum, step by step, in places that take turns: the factors of the next step are brought while those of one are multiplied. */
  #steps({ bring, fill, multiply }: Steps): void {
    const { k } = this.#plan.unit;
    const { stages } = this.#plan;
    const all = pointsOf(this.#c.summed);
    const count = Math.ceil(all / k);
    const depthOf = (i: number): number => Math.min(k, all - i * k);
    const stageOf = (i: number): number => i % stages;
    bring(ZERO, depthOf(0), 0);
    // Steps after which a whole one comes, as many as fill all places.
    const whole = Math.floor(all / k) - 1;
    const turns = whole - (whole % stages);
    const looped = turns > stages ? turns : 0;
    const name = this.emitter.fresh('k');
    const turn = indexSymbol(name, 0, Math.max(looped - 1, 0));
    this.emitter.loop(name, index(0), index(looped), stages, () => {
      for (let stage = 0; stage < stages; stage++) {
        fill(k, stage);
        bring(scaleIndex(addIndex(turn, stage + 1), k), k, stageOf(stage + 1));
        multiply(stage);
      }
    });
    for (let i = looped; i < count; i++) {
      fill(depthOf(i), stageOf(i));
      if (i + 1 < count) bring(constantIndex((i + 1) * k), depthOf(i + 1), stageOf(i + 1));
      multiply(stageOf(i));
    }
  }

  /** How many of `side` points from `start` on there are. */
  #end(start: IndexExpr, side: number, extent: number): Expr {
    if (extent <= side || extent % side === 0) return index(Math.min(extent, side));
    const { emitter } = this;
    return emitter.bind(binary('min', binary('sub', index(extent), emitter.index(start)), index(side)));
  }

  #bring(side: Side, at: Substitution, start: { readonly own: IndexExpr; readonly sum: IndexExpr }, own: Expr, depth: Expr, stage: number): void {
    const { from, fragment } = side;
    const [line, along] = from.alongSum ? [start.own, start.sum] : [start.sum, start.own];
    const [lines, elements] = from.alongSum ? [own, depth] : [depth, own];
    const place = addIndex(at.index(from.base), addIndex(scaleIndex(line, from.stride), along));
    const staging = { buffer: side.staging[stage]!, index: index(0), stride: linesOf(fragment)[1] };
    this.emitter.push({ kind: 'copy', to: staging, from: { buffer: side.param, index: this.emitter.index(place), stride: from.stride }, rows: lines, elements });
  }

  #fill({ staging, names, fragment, from }: Side, own: Expr, depth: Expr, stage: number): void {
    const [lines, elements] = from.alongSum ? [own, depth] : [depth, own];
    const place = { buffer: staging[stage]!, index: index(0), stride: linesOf(fragment)[1], lines, elements };
    this.emitter.push({ kind: 'matrix', step: { do: 'load', name: names[stage]!, fragment, from: place } });
  }
}

/** Lowers nests that stand before and after the product. */
type LowerNest = (name: string, nest: Nest) => readonly LoweredKernel[];

/** The factor as a matrix of its own in memory, and the kernels that make it one. */
function makeStrided(
  { factor, value, dtype, strided }: MatrixFactor,
  nest: Nest,
  c: Contraction,
  lower: LowerNest,
): { readonly strided: Strided; readonly kernels: readonly LoweredKernel[] } {
  if (strided !== undefined) return { strided, kernels: [] };
  const symbols = new Set<string>();
  visitPoints([value], nest.dynamic, (e) => e.symbols.forEach((s) => symbols.add(s)));
  const batch = c.batch.filter((axis) => symbols.has(axis.name));
  const matrix = factor.alongSum ? [...factor.axes, ...c.summed] : [...c.summed, ...factor.axes];
  const axes = [...batch, ...matrix];
  const shape = axes.map((axis) => axis.extent);
  const slot = createSlot('value', { dtype, shape });
  const offset = linearIndex(axes.map(axisIndex), stridesOf(shape), 0);
  const made: Nest = { outer: axes, stages: [{ kind: 'store', axes: [], slot, offset, value }], dynamic: nest.dynamic };
  const stride = pointsOf(factor.alongSum ? c.summed : factor.axes);
  return { strided: { slot, base: baseOf(offset, matrix), stride, alongSum: factor.alongSum }, kernels: lower('arrange', made) };
}

/** The contraction on the core's matrix unit; undefined where it has none for it, or `plain`, the kernel without one, is faster. */
export function lowerMatrix(
  name: string,
  nest: Nest,
  c: Contraction,
  plain: LoweredKernel,
  facts: TileFacts,
  flops: number,
  lower: LowerNest,
): readonly LoweredKernel[] | undefined {
  const { matrix } = facts.rules;
  if (matrix === undefined) return undefined;
  const isVector = instructionsIn(plain.kernel.body) > 0;
  for (const ending of endingsOf(c, nest, matrix)) {
    const plan = planMatrix(c, facts, { isVector, isEndedLater: ending.how === 'later', tiles: endingTiles(c, nest, ending) });
    if (plan === undefined) continue;
    const [a, b] = [makeStrided(plan.a, nest, c, lower), makeStrided(plan.b, nest, c, lower)];
    const later = ending.how === 'later' ? endLater(nest, c, plan) : undefined;
    const target = ending.how === 'later' ? later!.target : ending.target;
    const product = new MatrixWriter(nest, c, plan, [a.strided, b.strided], target, facts, ending.how === 'tile').write(name, flops);
    if (product !== undefined) return [...a.kernels, ...b.kernels, product, ...(later === undefined ? [] : lower('finish', later.nest))];
  }
  return undefined;
}

/** Sums in memory of their own, and what follows them from there. */
function endLater(nest: Nest, c: Contraction, { unit: { acc } }: MatrixPlan): { readonly target: Target; readonly nest: Nest } {
  const axes: readonly Axis[] = [...c.batch, ...c.a.axes, ...c.b.axes];
  const shape = axes.map((axis) => axis.extent);
  const slot = createSlot('value', { dtype: acc, shape });
  const offset = linearIndex(axes.map(axisIndex), stridesOf(shape), 0);
  const sums = loadPoint(slot, offset);
  const value = withLoad(c.result.value, c.sum.local, castPoint(sums, c.sum.dtype));
  return { target: { slot, base: baseOf(offset, [...c.a.axes, ...c.b.axes]), stride: pointsOf(c.b.axes) }, nest: { ...nest, stages: [{ ...c.result, value }] } };
}
