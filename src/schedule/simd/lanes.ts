// Whether computing a stage in vectors pays: counts its operations as scalars and as vectors along one axis.
import type { ComputeDType } from '../../kernel/ir.ts';
import { variable } from '../../kernel/build.ts';
import { childrenOf } from '../point.ts';
import type { DynamicSymbols, PointExpr } from '../point.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { coefficientOf } from '../../core/indexExpr.ts';
import { hasLanes } from './compute.ts';
import { costOf } from './elementwise.ts';
import { Emitter } from './emitter.ts';

/** Packing a scalar into a lane, or taking it out, in additions. */
const LANE_COST = 1;
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
  readonly axis: string;
  readonly lanes: number;
  /** Locals that are vectors themselves. */
  readonly locals: readonly string[];
}

/** Cost of one vector of lanes as a part of what the same lanes cost as scalars; Infinity where there is no vector form. */
export function vectorRatio({ values, offsets, dynamic, axis, lanes, locals }: LaneQuestion): number {
  const probe = new Emitter(dynamic);
  const type: ComputeDType = 'f32';
  for (const local of locals) probe.define(local, variable('_', type, lanes));
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
      if (form === 'vector') return operationCost(e) + childrenOf(e).reduce((sum, child) => sum + walk(child), 0);
      if (!hasLanes(e.dtype)) return Infinity;
      const cost = scalarCost([e], (x) => probe.varies(x.symbols));
      spread += cost;
      return lanes * (cost + LANE_COST);
    };
    const vector = values.reduce((sum, e) => sum + walk(e), 0) + offsets.reduce((sum, x) => sum + (coefficientOf(x, axis) === 1 ? 1 : lanes * (1 + LANE_COST)), 0);
    const scalar = scalarCost(values, (e) => probe.varies(e.symbols)) + offsets.length;
    if (spread <= MAX_LANE_OPERATIONS) ratio = vector / (lanes * scalar);
  });
  return ratio;
}

/** Vectors must save at least a quarter of the work. */
export const WORTHWHILE = 0.75;
