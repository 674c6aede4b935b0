// Rows in scratch memory: at each outer point the stages run over their last axis in vector instructions, tile after tile, what is kept of
// a row stays there, and reductions fold each tile into a scalar.
import { substitute } from '../emit/places.ts';
import { addIndex, indexSymbol, scaleIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { byteWidth } from '../../core/dtype.ts';
import { assign, constant, index, splat } from '../../kernel/build.ts';
import type { Expr, TileRules } from '../../kernel/ir.ts';
import type { TileFacts } from '../../runtime/device.ts';
import { findPairs } from '../inPlace.ts';
import type { Axis, Nest, Stage } from '../nest.ts';
import type { Substitution } from '../point.ts';
import { narrowTo } from '../emit/compute.ts';
import { combineReduced } from '../emit/elementwise.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { acrossLanes, identity, letScope } from '../emit/stages.ts';
import { declareAccumulator } from '../emit/walk.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { planCores } from './cores.ts';
import type { CorePlan } from './cores.ts';
import { costOf } from './cost.ts';
import { instruct } from './instruct.ts';
import { finishTiles, instructionsIn, loopCore, turnsOf } from './loops.ts';

/** Shorter rows are not worth handing to the vector unit. */
const LEAST_LANES = 16;

type RowStage = Extract<Stage, { readonly kind: 'store' | 'keep' | 'reduce' }>;
const isRowStage = (s: Stage): s is RowStage => s.kind === 'store' || s.kind === 'keep' || s.kind === 'reduce';

interface Row {
  readonly emitter: Emitter;
  readonly outer: Substitution;
  readonly lanes: number;
}

/** Walks the last axis tile by tile; `write` is given the substitution of the lanes. */
function walkTiles({ emitter, lanes }: Row, axis: Axis, write: (inner: Substitution, width: number) => void): void {
  const tile = (start: IndexExpr, width: number): void => {
    const lane = emitter.fresh('lane');
    emitter.withLanes(lane, width, () => {
      const along = addIndex(start, indexSymbol(lane, 0, width - 1));
      write(substitute(emitter, new Map([[axis.name, along]])), width);
    });
  };
  const whole = Math.floor(axis.extent / lanes);
  const strip = emitter.fresh('strip');
  emitter.loop(strip, index(0), index(whole), 1, () => tile(scaleIndex(indexSymbol(strip, 0, Math.max(whole - 1, 0)), lanes), lanes));
  if (axis.extent > whole * lanes) tile(addIndex(scaleIndex(indexSymbol(strip, 0, 0), 0), whole * lanes), axis.extent - whole * lanes);
}

function loopAll(emitter: Emitter, axes: readonly Axis[], write: () => void): void {
  const [first, ...rest] = axes;
  if (first === undefined) return write();
  emitter.loop(first.name, index(0), index(first.extent), 1, () => loopAll(emitter, rest, write));
}

function writeStage(row: Row, stage: RowStage): void {
  const { emitter, outer } = row;
  const value = outer.point(stage.value);
  const last = stage.axes.at(-1);
  const acc = stage.kind === 'reduce' ? declareAccumulator(emitter, identity(stage.fn, stage.dtype, 1)) : undefined;
  const put = (inner: Substitution | undefined, width: number): void => {
    const e = inner === undefined ? value : inner.point(value);
    emitter.countUses(e);
    const x = splat(emitter.point(e), width);
    if (stage.kind === 'reduce') {
      const part: Expr = width === 1 ? x : acrossLanes(emitter, stage, emitter.bind(x));
      const next = combineReduced(stage.fn, stage.dtype, acc!, emitter.bind(part), letScope(emitter));
      return emitter.push(assign(acc!.kind === 'var' ? acc!.name : '', next));
    }
    const offset = outer.index(stage.offset);
    const place = inner === undefined ? offset : inner.index(offset);
    if (stage.kind === 'keep') emitter.keep(stage.slot, place, x);
    else emitter.store(stage.slot, place, x);
  };
  if (last === undefined) put(undefined, 1);
  else loopAll(emitter, stage.axes.slice(0, -1), () => walkTiles(row, last, put));
  if (stage.kind === 'reduce') emitter.define(stage.local, emitter.bind(narrowTo(stage.dtype, acc!)));
  if (stage.kind === 'keep') emitter.define(stage.local, constant('i32', 0));
}

const multipleOf = ({ countMultiple, alignBytes }: TileRules): number => Math.max(countMultiple, alignBytes);

function emit(name: string, nest: Nest, plan: CorePlan, lanes: number, turns: number, facts: TileFacts): LoweredKernel {
  const emitter = new Emitter(nest.dynamic);
  const write = (outer: Substitution): void => {
    for (const stage of nest.stages) if (isRowStage(stage)) writeStage({ emitter, outer, lanes }, stage);
  };
  loopCore(emitter, plan, nest.outer.slice(plan.axes.length), write, turns);
  const lowered = finishTiles(emitter, name, plan.cores, { flops: 0, bytes: 0 }, facts);
  const multiple = multipleOf(facts.rules);
  // Instructions on the end of a row write whole multiples.
  const scratch = lowered.kernel.scratch.map((s) => ({ ...s, elements: Math.ceil(s.elements / multiple) * multiple }));
  return { ...lowered, kernel: { ...lowered.kernel, scratch } };
}

/** The nest as rows in vector instructions; undefined where it has no rows, or the vector unit cannot do them. */
export function lowerRows(name: string, nest: Nest, raw: Nest, facts: TileFacts, flops?: number): LoweredKernel | undefined {
  const { stages, outer } = nest;
  if (stages.length < 2 || !stages.every(isRowStage) || pointsOf(outer) === 0) return undefined;
  const rows = stages.flatMap((s) => (s.axes.length > 0 ? [s.axes.at(-1)!.extent] : []));
  if (rows.length === 0 || rows.some((extent) => extent < LEAST_LANES)) return undefined;
  // Only what scalar code stores must be kept apart: copies write no more than they are told.
  const scalar = stages.flatMap((s) => (s.kind === 'store' && s.axes.length === 0 ? [{ offset: s.offset, dtype: s.slot.dtype }] : []));
  const plan = planCores(outer, scalar, facts);
  const multiple = multipleOf(facts.rules);
  const plain = instruct(emit(name, nest, plan, multiple, 1, facts), facts);
  if ('problem' in plain) return undefined;
  const turns = turnsOf(instructionsIn(plain.kernel.body), plan.axes.length === 0 ? 1 : plan.size);
  const trial = turns === 1 ? plain : instruct(emit(name, nest, plan, multiple, turns, facts), facts, true);
  if ('problem' in trial) return undefined;
  const kept = new Set(stages.flatMap((s) => (s.kind === 'keep' ? [s.slot.elements] : [])));
  const isKept = (elements: number): boolean => [...kept].some((n) => Math.ceil(n / multiple) * multiple === elements);
  const fixed = trial.kernel.scratch.reduce((sum, s) => (isKept(s.elements) ? sum + s.elements * byteWidth(s.dtype) : sum), 0);
  const bytes = trial.kernel.scratch.reduce((sum, s) => (isKept(s.elements) ? sum : sum + (s.elements / multiple) * byteWidth(s.dtype)), 0);
  const most = Math.floor((facts.rules.scratchBytes - fixed) / Math.max(bytes, 1) / multiple) * multiple;
  const lanes = Math.min(Math.ceil(Math.max(...rows) / multiple) * multiple, most);
  if (lanes < multiple) return undefined;
  const lowered = instruct(emit(name, nest, plan, lanes, turns, facts), facts, turns > 1);
  const made = 'problem' in lowered ? trial : lowered;
  const traffic = trafficOf(raw);
  return { ...made, kernel: { ...made.kernel, cost: costOf(nest, traffic, flops) }, traffic, inPlace: findPairs(raw) };
}
