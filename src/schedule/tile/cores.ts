// How outer points are dealt out to cores: in runs whose scalar stores never meet in a line of global memory, because a store through one
// core's cache takes the whole line along.
import { ZERO, coefficientOf, substituteIndex } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { byteWidth } from '../../core/dtype.ts';
import { gcd, lcm } from '../../core/integers.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { add, binary, index, mul, variable } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { TileFacts } from '../../runtime/device.ts';
import type { Axis, Nest } from '../nest.ts';
import type { Emitter } from '../emit/emitter.ts';
import { pointsOf } from '../traffic.ts';

export const GRID_VAR = 'g';

/** Where scalar code stores: elements of a block of memory that begins at a line. */
export interface Write {
  readonly offset: IndexExpr;
  readonly dtype: NumericDType;
}

/** Axes whose points, as one, are dealt out: core c takes [c·size − shift, (c + 1)·size − shift), as far as there are points. */
export interface CorePlan {
  readonly axes: readonly Axis[];
  readonly size: number;
  readonly shift: number;
  readonly cores: number;
}

/** Points that a run has a multiple of, and the points the first run is short of one. */
interface Runs {
  readonly multiple: number;
  readonly shift: number;
}

/** Runs of the points of `axes` that begin and end at lines; undefined where no run does, or points share elements. */
function runsOf({ offset, dtype }: Write, axes: readonly Axis[], lineBytes: number): Runs | undefined {
  const steps = axes.map((axis) => coefficientOf(offset, axis.name));
  const step = steps.at(-1);
  if (step === undefined || step <= 0 || axes.some((_, i) => i > 0 && steps[i - 1] !== steps[i]! * axes[i]!.extent)) return undefined;
  const rest = substituteIndex(offset, new Map(axes.map((axis) => [axis.name, ZERO])));
  if (rest.max - rest.min >= step) return undefined;
  const line = Math.max(lineBytes / byteWidth(dtype), 1);
  const start = rest.min % line;
  const multiple = line / gcd(step % line === 0 ? line : step, line);
  for (let shift = 0; shift < multiple; shift++) if ((shift * step) % line === start) return { multiple, shift };
  return undefined;
}

/** Runs that suit all writes. */
function commonRuns(writes: readonly Write[], axes: readonly Axis[], lineBytes: number): Runs | undefined {
  let common: Runs = { multiple: 1, shift: 0 };
  for (const write of writes) {
    const runs = runsOf(write, axes, lineBytes);
    if (runs === undefined) return undefined;
    if (common.multiple > 1 && runs.multiple > 1 && (common.shift - runs.shift) % gcd(common.multiple, runs.multiple) !== 0) return undefined;
    const multiple = lcm(common.multiple, runs.multiple);
    let { shift } = runs;
    while (shift % common.multiple !== common.shift % common.multiple) shift += runs.multiple;
    common = { multiple, shift };
  }
  return common;
}

const ONE_CORE: CorePlan = { axes: [], size: 1, shift: 0, cores: 1 };

/** The leading axes of `outer` to deal out: as few as keep the cores busy. One core does it all where stores could not be kept apart. */
export function planCores(outer: readonly Axis[], writes: readonly Write[], { cores, rules }: TileFacts): CorePlan {
  let best = ONE_CORE;
  for (let length = 1; length <= outer.length; length++) {
    const axes = outer.slice(0, length);
    const runs = commonRuns(writes, axes, rules.lineBytes);
    if (runs === undefined) continue;
    const total = pointsOf(axes);
    const size = Math.ceil(Math.max(total, 1) / cores / runs.multiple) * runs.multiple;
    const plan: CorePlan = { axes, size, shift: runs.shift, cores: Math.ceil((total + runs.shift) / size) };
    if (plan.cores > best.cores) best = plan;
    if (best.cores >= cores) break;
  }
  return best;
}

/** What a nest stores by scalar code. */
export const writesOf = (nest: Nest): Write[] => nest.stages.flatMap((s) => ('slot' in s && s.slot.kind !== 'scratch' ? [{ offset: s.offset, dtype: s.slot.dtype }] : []));

/** Bounds of the points of the core at hand. */
export function coreBounds(emitter: Emitter, { axes, size, shift, cores }: CorePlan): { readonly from: Expr; readonly to: Expr } {
  const total = pointsOf(axes);
  if (cores <= 1) return { from: index(0), to: index(total) };
  const first = mul(variable(GRID_VAR), index(size));
  const end = add(first, index(size - shift));
  return {
    from: emitter.bind(shift === 0 ? first : binary('max', add(first, index(-shift)), index(0))),
    to: total % size === 0 && shift === 0 ? end : emitter.bind(binary('min', end, index(total))),
  };
}
