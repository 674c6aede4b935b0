// A nest as one kernel of the simd family: which axis the vectors run along, how the outer points are dealt out to grid steps, and the
// loops around the stages.
import { substitute } from '../emit/places.ts';
import { constantIndex, indexSymbol } from '../../core/indexExpr.ts';
import type { Bindings, IndexExpr } from '../../core/indexExpr.ts';
import { add, binary, index, mul, variable } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import { findPairs } from '../inPlace.ts';
import { refineAxes, unflatten } from '../nest.ts';
import type { Axis, Nest, Stage } from '../nest.ts';
import { Substitution } from '../point.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { writeArgRows } from '../emit/extremes.ts';
import { WORTHWHILE, scalarCost, vectorRatio } from '../emit/lanes.ts';
import { writeStage } from '../emit/stages.ts';
import type { StageContext } from '../emit/walk.ts';
import { tileTransposed } from './tile.ts';
import { halvings, widestLanes, writeStrips } from '../emit/strips.ts';
import type { StripRange } from '../emit/strips.ts';
import { sharedWalk, wholeRange, writeTogether } from './together.ts';

/** Additions that one grid step should hold: enough to pay for handing it to a thread. */
const STEP_WORK = 1 << 13;
const MAX_STEPS = 512;

export const GRID_VAR = 'g';

const stageWork = (stage: Stage): number => pointsOf(stage.axes) * (scalarCost([stage.value]) + 1);
/** Additions of one outer point. */
const pointWork = (stages: readonly Stage[]): number => stages.reduce((sum, stage) => sum + stageWork(stage), 0);

/** How `total` units of `work` additions each are dealt out: units of one grid step, a multiple of `multiple`. */
export function chunkOf(total: number, work: number, multiple = 1): { readonly size: number; readonly steps: number } {
  const steps = Math.min(Math.max(Math.floor((total * work) / STEP_WORK), 1), MAX_STEPS, Math.max(total, 1));
  const size = Math.ceil(Math.ceil(total / steps) / multiple) * multiple;
  return { size: Math.max(size, 1), steps: Math.max(Math.ceil(total / Math.max(size, 1)), total === 0 ? 0 : 1) };
}

/** Lanes along the last outer axis where vectors should run along it rather than within the stages; else 1. */
function outerLanesOf(nest: Nest, machineLanes: number): number {
  const axis = nest.outer.at(-1);
  const lanes = axis === undefined ? 1 : widestLanes(axis.extent, machineLanes);
  if (axis === undefined || lanes === 1) return 1;
  const rows = argRows(nest);
  if (rows !== undefined) return vectorsAcross(nest, rows, axis, lanes);
  if (nest.stages.some((s) => s.kind === 'argReduce')) return 1;
  return costAlong(nest, axis, lanes) < costWithin(nest, machineLanes) * 0.9 ? lanes : 1;
}

function ratioAlong(nest: Nest, stage: Stage, axis: Axis, locals: readonly string[], lanes: number): number {
  const offsets = 'offset' in stage && (stage.kind !== 'keep' || locals.length === 0) ? [stage.offset] : [];
  return vectorRatio({ values: [stage.value], offsets, dynamic: nest.dynamic, axis, lanes, locals });
}

/** Additions of an outer point, as parts of those in scalars, with vectors along an outer axis. */
function costAlong(nest: Nest, axis: Axis, lanes: number): number {
  const locals = nest.stages.flatMap((s) => ('local' in s ? [s.local] : []));
  return nest.stages.reduce((sum, stage) => sum + stageWork(stage) * ratioAlong(nest, stage, axis, locals, lanes), 0);
}

/** The same with vectors along the last axis of each stage. */
function costWithin(nest: Nest, machineLanes: number): number {
  return nest.stages.reduce((sum, stage) => {
    const last = stage.axes.at(-1);
    const lanes = last === undefined ? 1 : widestLanes(last.extent, machineLanes);
    const isScalar = last === undefined || lanes === 1 || stage.kind === 'scan' || stage.kind === 'update';
    return sum + stageWork(stage) * (isScalar ? 1 : Math.min(ratioAlong(nest, stage, last, [], lanes), 1));
  }, 0);
}

/** What another outer axis than the last must cost less than, to be walked last: results are stored far apart then. */
const ACROSS = 0.6;

/** Sums whose terms lie side by side along an outer axis that is not the last, as channels do that are read from places computed for all of them: it becomes the last. */
function alongTerms(nest: Nest, machineLanes: number): Nest {
  const { outer, stages } = nest;
  const last = outer.at(-1);
  if (last === undefined || stages.length < 2 || !stages.every((s, i) => (i < stages.length - 1 ? s.kind === 'reduce' : s.kind === 'store' && s.axes.length === 0))) return nest;
  const along = (axis: Axis): number => {
    const lanes = widestLanes(axis.extent, machineLanes);
    return lanes === 1 ? Infinity : costAlong(nest, axis, lanes);
  };
  const costs = outer.slice(0, -1).map(along);
  const best = Math.min(...costs);
  if (!(best < ACROSS * Math.min(along(last), costWithin(nest, machineLanes)))) return nest;
  const chosen = outer[costs.indexOf(best)]!;
  return { ...nest, outer: [...outer.filter((axis) => axis !== chosen), chosen] };
}

interface ArgRows {
  readonly extreme: Extract<Stage, { readonly kind: 'argReduce' }>;
  readonly store: Extract<Stage, { readonly kind: 'store' }>;
}

/** The stages of a nest that stores the position of one extreme for each outer point. */
function argRows({ stages: [extreme, store, ...more] }: Nest): ArgRows | undefined {
  return extreme?.kind === 'argReduce' && store?.kind === 'store' && store.axes.length === 0 && more.length === 0 ? { extreme, store } : undefined;
}

/** Lanes for rows that are walked together, where that costs less than vectors along each of them. */
function vectorsAcross({ dynamic }: Nest, { extreme: { value, axes } }: ArgRows, axis: Axis, lanes: number): number {
  const ratio = (along: Axis): number => vectorRatio({ values: [value], offsets: [], dynamic, axis: along, lanes: widestLanes(along.extent, lanes), locals: [] });
  const inner = axes.length === 1 ? ratio(axes[0]!) : Infinity;
  const outer = ratio(axis);
  return outer < WORTHWHILE && outer < inner ? lanes : 1;
}

/** Loops from `from` to `to` over the points of `axes` in row-major order, as one loop. */
export function loopFlat(emitter: Emitter, axes: readonly Axis[], from: Expr, to: Expr, write: (bindings: Bindings) => void): void {
  const flat = emitter.fresh('p');
  emitter.loop(flat, from, to, 1, () => write(unflatten(axes, indexSymbol(flat, 0, pointsOf(axes) - 1))));
}

/** Bounds of the grid step at hand. */
export function stepBounds(emitter: Emitter, total: number, size: number, steps: number): { readonly from: Expr; readonly to: Expr } {
  if (steps <= 1) return { from: index(0), to: index(total) };
  const from = emitter.bind(mul(variable(GRID_VAR), index(size)));
  const end = add(from, index(size));
  return { from, to: total % size === 0 ? end : emitter.bind(binary('min', end, index(total))) };
}

export interface SimdShape {
  readonly vectorLanes: number;
}

/** Writes what happens at one outer point, or at those of the lanes of a vector. */
function writeEach(nest: Nest, context: StageContext): void {
  const rows = context.outerLanes > 1 ? argRows(nest) : undefined;
  if (rows !== undefined) return writeArgRows(context, rows.extreme, rows.store);
  for (const stage of nest.stages) writeStage(context, stage);
}

/** Lowers `nest`; `flops` is what the graph says it computes, for reports. */
export function lowerNest(name: string, raw: Nest, machine: SimdShape, flops?: number): LoweredKernel {
  let count = 0;
  const fresh = (): string => `y${count++}`;
  const nest = tileTransposed(alongTerms(refineAxes(raw, fresh), machine.vectorLanes), fresh);
  const lanes = machine.vectorLanes;
  const outerLanes = outerLanesOf(nest, lanes);
  const emitter = new Emitter(nest.dynamic, outerLanes);
  const work = pointWork(nest.stages);
  const last = nest.outer.at(-1);
  const vectorAxis = outerLanes > 1 ? last : undefined;
  const others = vectorAxis === undefined ? nest.outer : nest.outer.slice(0, -1);
  const values = nest.stages.map((s) => s.value);
  const inPlace = findPairs(raw);
  const overlap = inPlace.length === 0 && nest.stages.every((s) => s.kind !== 'update');
  // Rows kept side by side for the lanes of the outer axis cannot be walked in vectors themselves.
  const innerLanes = outerLanes > 1 && nest.stages.some((s) => s.kind === 'keep') ? 1 : lanes;
  const contextOf = (substitution: Substitution, laneCount: number): StageContext => ({ emitter, lanes: innerLanes, outerLanes: laneCount, substitution, overlap });
  const writeStages = (substitution: Substitution, laneCount: number): void => writeEach(nest, contextOf(substitution, laneCount));
  const shared = vectorAxis === undefined ? undefined : sharedWalk(nest, vectorAxis, outerLanes);
  const along = (axis: Axis, bindings: Bindings, range?: StripRange): void => {
    const place = (inner: Substitution): Substitution => chain(emitter, bindings, axis, inner);
    const contextAt = (at: IndexExpr): StageContext => contextOf(place(substitute(emitter, new Map([[axis.name, at]]))), outerLanes);
    const left = shared === undefined ? range : writeTogether(emitter, shared, axis, outerLanes, range ?? wholeRange(axis), contextAt);
    writeStrips(emitter, {
      axis,
      widths: halvings(outerLanes),
      values,
      ...(left === undefined ? { overlap } : { range: left }),
      write: (inner, width) => writeStages(place(inner), width),
    });
  };
  const identity = new Substitution(new Map(), nest.dynamic, (d) => emitter.dynamicSymbol(d));

  let steps = 1;
  if (others.length === 0 && vectorAxis !== undefined) {
    const chunk = chunkOf(vectorAxis.extent, work / outerLanes, outerLanes);
    steps = chunk.steps;
    if (steps <= 1) along(vectorAxis, new Map());
    else along(vectorAxis, new Map(), stepBounds(emitter, vectorAxis.extent, chunk.size, steps));
  } else if (others.length === 0) {
    writeStages(identity, 1);
  } else {
    const inner = (vectorAxis?.extent ?? 1) * (vectorAxis === undefined ? 1 : 1 / outerLanes) * work;
    const parallel = parallelPrefix(others, inner);
    const rest = others.slice(parallel.length);
    const total = pointsOf(parallel);
    const chunk = chunkOf(total, inner * pointsOf(rest));
    steps = chunk.steps;
    const { from, to } = stepBounds(emitter, total, chunk.size, steps);
    loopFlat(emitter, parallel, from, to, (bindings) =>
      loopAxes(emitter, rest, () => {
        if (vectorAxis !== undefined) along(vectorAxis, bindings);
        else writeStages(new Substitution(bindings, nest.dynamic, (d) => emitter.dynamicSymbol(d)), 1);
      }),
    );
  }
  const points = pointsOf(nest.outer);
  return closeNest(emitter, { name, raw, extent: points === 0 ? 0 : steps, flops: flops ?? Math.round(points * work), inPlace });
}

interface Closing {
  readonly name: string;
  readonly raw: Nest;
  /** Grid steps. */
  readonly extent: number;
  readonly flops: number;
  readonly inPlace: NonNullable<LoweredKernel['inPlace']>;
}

function closeNest(emitter: Emitter, { name, raw, extent, flops, inPlace }: Closing): LoweredKernel {
  const traffic = trafficOf(raw);
  return { ...emitter.finish(name, { var: GRID_VAR, extent }, { flops, bytes: traffic.readBytes + traffic.writeBytes }), traffic, inPlace };
}

/** As few leading axes as give enough points for all grid steps. */
function parallelPrefix(axes: readonly Axis[], innerWork: number): readonly Axis[] {
  const wanted = Math.min(Math.floor((pointsOf(axes) * innerWork) / STEP_WORK), MAX_STEPS);
  let length = 1;
  while (length < axes.length && pointsOf(axes.slice(0, length)) < wanted) length++;
  return axes.slice(0, length);
}

function loopAxes(emitter: Emitter, axes: readonly Axis[], write: () => void): void {
  const [first, ...rest] = axes;
  if (first === undefined) return write();
  emitter.loop(first.name, index(0), index(first.extent), 1, () => loopAxes(emitter, rest, write));
}

/** The outer bindings together with that of the vector axis. */
function chain(emitter: Emitter, bindings: Bindings, axis: Axis, inner: Substitution): Substitution {
  const own = inner.index(indexSymbol(axis.name, 0, Math.max(axis.extent - 1, 0)));
  return new Substitution(new Map([...bindings, [axis.name, axis.extent === 1 ? constantIndex(0) : own]]), emitter.dynamic, (d) => emitter.dynamicSymbol(d));
}
