// A contraction on a core's matrix unit: tiles of both factors are copied into its memory, filled in and multiplied, and the sums written.
// Factors that are no matrices in memory are made into ones before, by kernels of their own, and what is fused behind the sum comes after.
import { substitute } from '../emit/places.ts';
import { addIndex, constantIndex, delinearize, indexSymbol, linearIndex, scaleIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { stridesOf } from '../../core/shape.ts';
import { binary, index } from '../../kernel/build.ts';
import type { Expr, Fragment, ScratchBuffer, Stmt } from '../../kernel/ir.ts';
import { linesOf } from '../../kernel/matrix.ts';
import type { TileFacts } from '../../runtime/device.ts';
import type { Contraction } from '../contraction.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { axisIndex, unflatten } from '../nest.ts';
import type { Axis, Nest } from '../nest.ts';
import { applyPoint, guardPoint, loadPoint, visitPoints } from '../point.ts';
import type { PointExpr, Substitution } from '../point.ts';
import { createSlot } from '../storage.ts';
import type { MemorySlot } from '../storage.ts';
import { pointsOf } from '../traffic.ts';
import { GRID_VAR, coreBounds } from './cores.ts';
import { finishTiles, instructionsIn } from './loops.ts';
import { baseOf, flatStride, planMatrix } from './matrixPlan.ts';
import type { MatrixFactor, MatrixPlan, Strided } from './matrixPlan.ts';
import { synchronize } from './synchronize.ts';

/** Where sums go: [batch][a][b], b side by side. */
interface Target {
  readonly slot: MemorySlot;
  readonly base: IndexExpr;
  readonly stride: number;
}

/** One factor of a tile, and one of the places that it is brought to. */
interface Side {
  readonly role: 'a' | 'b';
  readonly fragment: Fragment;
  readonly from: Strided;
  readonly param: string;
  readonly staging: readonly string[];
  readonly names: readonly string[];
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
  readonly #out: string;
  readonly #target: Target;

  constructor(nest: Nest, c: Contraction, plan: MatrixPlan, factors: readonly [Strided, Strided], target: Target) {
    this.emitter = new Emitter(nest.dynamic);
    [this.#c, this.#plan, this.#target] = [c, plan, target];
    this.#sides = [this.#side('a', factors[0]), this.#side('b', factors[1])];
    this.#out = this.emitter.buffer(target.slot, 'write');
  }

  #side(role: 'a' | 'b', from: Strided): Side {
    const { unit, stages } = this.#plan;
    const fragment: Fragment = { unit, role, order: from.alongSum === (role === 'a') ? 'rows' : 'columns' };
    const [lines, elements] = linesOf(fragment);
    const staging = Array.from({ length: stages }, () => this.emitter.fresh('w'));
    for (const name of staging) this.#scratch.push({ name, dtype: from.slot.dtype, elements: lines * elements, fragment });
    return { role, fragment, from, param: this.emitter.buffer(from.slot, 'read'), staging, names: staging.map(() => this.emitter.fresh(role)) };
  }

  /** Every tile of the result, dealt out to the cores. */
  write(name: string, facts: TileFacts, flops: number): LoweredKernel {
    const { emitter } = this;
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
    const { kernel } = lowered;
    const body = synchronize(kernel.body, new Set(kernel.params.map((p) => p.name)));
    return { ...lowered, kernel: { ...kernel, body, scratch: this.#scratch, grid: { var: GRID_VAR, extent: cores } } };
  }

  #tile(batch: ReadonlyMap<string, IndexExpr>, startA: IndexExpr, startB: IndexExpr): void {
    const { emitter } = this;
    const { unit } = this.#plan;
    const ends: Ends = { a: this.#end(startA, unit.m, pointsOf(this.#c.a.axes)), b: this.#end(startB, unit.n, pointsOf(this.#c.b.axes)) };
    const at = substitute(emitter, batch);
    const sum = emitter.fresh('sum');
    const fragment: Fragment = { unit, role: 'sum', order: 'rows' };
    emitter.push({ kind: 'matrix', step: { do: 'declare', name: sum, fragment } });
    const step = (start: IndexExpr, depth: number, stage: number): void => {
      this.#sides.forEach((side) => this.#bring(side, at, { own: side.role === 'a' ? startA : startB, sum: start }, ends[side.role], index(depth), stage));
      const [a, b] = this.#sides;
      const fragments = { a: a!.fragment, b: b!.fragment };
      emitter.push({ kind: 'matrix', step: { do: 'multiply', sum, a: a!.names[stage]!, b: b!.names[stage]!, fragments } });
    };
    this.#steps(step);
    const { slot, base, stride } = this.#target;
    const place = addIndex(at.index(base), addIndex(scaleIndex(startA, stride), startB));
    const to = { buffer: emitter.buffer(slot, 'write'), index: emitter.index(place), stride, lines: ends.a, elements: ends.b };
    emitter.push({ kind: 'matrix', step: { do: 'store', name: sum, fragment, to: { ...to, buffer: this.#out } } });
  }

  /** The sum, step by step, in places that take turns. */
  #steps(step: (start: IndexExpr, depth: number, stage: number) => void): void {
    const { k } = this.#plan.unit;
    const { stages } = this.#plan;
    const all = pointsOf(this.#c.summed);
    const whole = Math.floor(all / k);
    const turns = whole - (whole % stages);
    if (turns > stages) {
      const name = this.emitter.fresh('k');
      const turn = indexSymbol(name, 0, turns - 1);
      this.emitter.loop(name, index(0), index(turns), stages, () => {
        for (let stage = 0; stage < stages; stage++) step(scaleIndex(addIndex(turn, stage), k), k, stage);
      });
    } else for (let i = 0; i < turns; i++) step(constantIndex(i * k), k, i % stages);
    for (let i = turns; i < whole; i++) step(constantIndex(i * k), k, i % stages);
    if (all > whole * k) step(constantIndex(whole * k), all - whole * k, whole % stages);
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
    const copy: Stmt = { kind: 'copy', to: staging, from: { buffer: side.param, index: this.emitter.index(place), stride: from.stride }, rows: lines, elements };
    this.emitter.push(copy, { kind: 'matrix', step: { do: 'load', name: side.names[stage]!, fragment, from: { ...staging, lines, elements } } });
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

/** The value with what a stage made read from memory instead. */
function withLoad(e: PointExpr, local: string, load: PointExpr): PointExpr {
  if (e.kind === 'local') return e.name === local ? load : e;
  if (e.kind === 'apply')
    return applyPoint(
      e.op,
      e.dtype,
      e.args.map((x) => withLoad(x, local, load)),
    );
  return e.kind === 'guard' ? guardPoint(e.conditions, withLoad(e.inside, local, load), withLoad(e.outside, local, load)) : e;
}

/** Where the unit can write the result itself: nothing is fused behind the sum, and columns lie side by side. */
function directTarget(c: Contraction): Target | undefined {
  const { value, slot, offset } = c.result;
  const [stride, column] = [flatStride(offset, c.a.axes), flatStride(offset, c.b.axes)];
  const isSum = value.kind === 'local' && value.name === c.sum.local && slot.dtype === c.sum.dtype;
  if (!isSum || column !== 1 || stride === undefined || stride < pointsOf(c.b.axes)) return undefined;
  return { slot, base: baseOf(offset, [...c.a.axes, ...c.b.axes]), stride };
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
  const direct = directTarget(c);
  const plan = planMatrix(c, facts, { isVector: instructionsIn(plain.kernel.body) > 0, isPlain: direct !== undefined });
  if (plan === undefined) return undefined;
  const [a, b] = [makeStrided(plan.a, nest, c, lower), makeStrided(plan.b, nest, c, lower)];
  const axes: readonly Axis[] = [...c.batch, ...c.a.axes, ...c.b.axes];
  const shape = axes.map((axis) => axis.extent);
  const slot = createSlot('value', { dtype: c.sum.dtype, shape });
  const offset = linearIndex(axes.map(axisIndex), stridesOf(shape), 0);
  const target = direct ?? { slot, base: baseOf(offset, [...c.a.axes, ...c.b.axes]), stride: pointsOf(c.b.axes) };
  const product = new MatrixWriter(nest, c, plan, [a.strided, b.strided], target).write(name, facts, flops);
  const value = withLoad(c.result.value, c.sum.local, loadPoint(slot, offset));
  const behind = direct === undefined ? lower('finish', { ...nest, stages: [{ ...c.result, value }] }) : [];
  return [...a.kernels, ...b.kernels, product, ...behind];
}
