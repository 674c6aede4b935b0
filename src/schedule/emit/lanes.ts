// Whether computing a stage in vectors pays: counts its operations as scalars and as vectors along one axis.
import { addIndex, indexSymbol } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { variable } from '../../kernel/build.ts';
import type { Axis } from '../nest.ts';
import { Substitution, childrenOf } from '../point.ts';
import type { DynamicSymbols, PointExpr } from '../point.ts';
import { findCuts, widestPart } from './cuts.ts';
import { hasLanes } from './compute.ts';
import { costOf } from './elementwise.ts';
import { Emitter } from './emitter.ts';
import { widestLanes } from './strips.ts';

/** Packing a scalar into a lane, or taking it out, in additions. */
const LANE_COST = 1;
/** Taking every second element of two vectors. */
const SHUFFLE_COST = 2;
/** Values computed lane by lane are written out once for each lane: more than this many operations are not. */
const MAX_LANE_OPERATIONS = 48;

const operationCost = (e: PointExpr): number => (e.kind === 'apply' ? costOf(e.op) : e.kind === 'guard' ? 2 : e.kind === 'literal' ? 0 : 1);

/** Additions that one evaluation of `e` costs, everything counted once. */
export function scalarCost(roots: readonly PointExpr[], counts: (e: PointExpr) => boolean = () => true): number {
  const seen = new Set<PointExpr>();
  const walk = (e: PointExpr): number => {
    if (seen.has(e) || !counts(e)) return 0;
    seen.add(e);
    return operationCost(e) + childrenOf(e).reduce((sum, child) => sum + walk(child), 0);
  };
  return roots.reduce((sum, e) => sum + walk(e), 0);
}

export interface LaneQuestion {
  readonly values: readonly PointExpr[];
  /** Where results are stored. */
  readonly offsets: readonly IndexExpr[];
  readonly dynamic: DynamicSymbols;
  readonly axis: Axis;
  readonly lanes: number;
  /** Locals that are vectors themselves. */
  readonly locals: readonly string[];
}

/**
 * Cost of the axis in vectors as a part of what it costs in scalars; Infinity where there is no vector form. Where guards cut the axis,
 * only its longest part is in vectors.
 */
export function vectorRatio(question: LaneQuestion): number {
  const { axis, values, offsets, dynamic } = question;
  const ends = [0, ...findCuts(axis, values, dynamic), axis.extent];
  const [from, to] = widestPart(ends);
  const lanes = widestLanes(to - from, question.lanes);
  if (lanes === 1) return Infinity;
  if (ends.length === 2) return ratioWithin(question);
  const narrowed = new Map([[axis.name, addIndex(indexSymbol(axis.name, 0, to - from - 1), from)]]);
  const substitution = new Substitution(narrowed, dynamic, (_definition, old) => indexSymbol(old, 0, Number.MAX_SAFE_INTEGER));
  const inside = ratioWithin({ ...question, lanes, values: values.map((e) => substitution.point(e)), offsets: offsets.map((x) => substitution.index(x)) });
  const part = (to - from) / axis.extent;
  return part * inside + (1 - part);
}

function ratioWithin({ values, offsets, dynamic, axis: { name: axis }, lanes, locals }: LaneQuestion): number {
  const probe = new Emitter(dynamic);
  for (const local of locals) probe.define(local, variable('_', 'f32', lanes));
  let ratio = Infinity;
  probe.withLanes(axis, lanes, () => {
    if (!values.every((e) => hasLanes(e.dtype))) return;
    const seen = new Set<PointExpr>();
    let spread = 0;
    const walk = (e: PointExpr): number => {
      if (seen.has(e)) return 0;
      seen.add(e);
      const form = probe.laneForm(e);
      if (form === 'uniform') return 0;
      if (form === 'vector')
        return operationCost(e) + (e.kind === 'load' && probe.stepOf(e.offset) === 2 ? SHUFFLE_COST : 0) + childrenOf(e).reduce((sum, child) => sum + walk(child), 0);
      if (!hasLanes(e.dtype)) return Infinity;
      const cost = scalarCost([e], (x) => probe.varies(x.symbols));
      spread += cost;
      return lanes * (cost + LANE_COST);
    };
    const vector = values.reduce((sum, e) => sum + walk(e), 0) + offsets.reduce((sum, x) => sum + (probe.stepOf(x) === 1 ? 1 : lanes * (1 + LANE_COST)), 0);
    const scalar = scalarCost(values, (e) => probe.varies(e.symbols)) + offsets.length;
    if (spread <= MAX_LANE_OPERATIONS) ratio = vector / (lanes * scalar);
  });
  return ratio;
}

/** Vectors must save at least a quarter of the work. */
export const WORTHWHILE = 0.75;
