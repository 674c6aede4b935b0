// A nest as one kernel of the tile family: by vector instructions where it has them, else by scalar code, which is right for every nest,
// and slow. Rows that are kept lie in scratch memory.
import { delinearize, indexSymbol } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { index } from '../../kernel/build.ts';
import type { Kernel } from '../../kernel/ir.ts';
import type { TileFacts } from '../../runtime/device.ts';
import { findPairs } from '../inPlace.ts';
import { refineAxes } from '../nest.ts';
import type { Axis, Nest } from '../nest.ts';
import { Substitution } from '../point.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { writeStage } from '../emit/stages.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { GRID_VAR, coreBounds, planCores, writesOf } from './cores.ts';
import { costOf } from './cost.ts';
import type { CorePlan } from './cores.ts';
import { lowerVectors } from './lowerVectors.ts';

/** Closes a kernel that `cores` cores run. */
export function finishTiles(emitter: Emitter, name: string, cores: number, cost: Kernel['cost'], { rules }: TileFacts): LoweredKernel {
  const lowered = emitter.finish(name, { var: GRID_VAR, extent: cores }, cost);
  return { ...lowered, kernel: { ...lowered.kernel, tiles: rules } };
}

/** Loops over the points of the core at hand, then over the axes that are not dealt out. */
export function loopCore(emitter: Emitter, plan: CorePlan, rest: readonly Axis[], write: (substitution: Substitution) => void): void {
  const inner = (bindings: ReadonlyMap<string, IndexExpr>, axes: readonly Axis[]): void => {
    const [first, ...others] = axes;
    if (first !== undefined) emitter.loop(first.name, index(0), index(first.extent), 1, () => inner(bindings, others));
    else write(new Substitution(bindings, emitter.dynamic, (d) => emitter.dynamicSymbol(d)));
  };
  if (plan.axes.length === 0) return inner(new Map(), rest);
  const { from, to } = coreBounds(emitter, plan);
  const flat = emitter.fresh('p');
  emitter.loop(flat, from, to, 1, () => {
    const position = delinearize(
      indexSymbol(flat, 0, pointsOf(plan.axes) - 1),
      plan.axes.map((a) => a.extent),
    );
    inner(new Map(plan.axes.map((a, i) => [a.name, position[i]!])), rest);
  });
}

/** Lowers `nest`; `flops` is what the graph says it computes, for reports. */
export function lowerNest(name: string, raw: Nest, facts: TileFacts, flops?: number): LoweredKernel {
  let count = 0;
  const nest = refineAxes(raw, () => `y${count++}`);
  const vectors = lowerVectors(name, nest, raw, facts, flops);
  if (vectors !== undefined) return vectors;
  const plan = planCores(nest.outer, writesOf(nest), facts);
  const emitter = new Emitter(nest.dynamic);
  loopCore(emitter, plan, nest.outer.slice(plan.axes.length), (substitution) => {
    for (const stage of nest.stages) writeStage({ emitter, lanes: 1, outerLanes: 1, substitution, overlap: false }, stage);
  });
  const traffic = trafficOf(raw);
  const cores = pointsOf(nest.outer) === 0 ? 0 : plan.cores;
  return { ...finishTiles(emitter, name, cores, costOf(nest, traffic, flops), facts), traffic, inPlace: findPairs(raw) };
}
