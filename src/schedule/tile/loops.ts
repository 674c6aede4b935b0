// The loops around the stages of a tile kernel: the points of the core at hand, then what is not dealt out.
import { indexSymbol } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { index } from '../../kernel/build.ts';
import type { Kernel } from '../../kernel/ir.ts';
import type { TileFacts } from '../../runtime/device.ts';
import { unflatten } from '../nest.ts';
import type { Axis } from '../nest.ts';
import { Substitution } from '../point.ts';
import type { Emitter, LoweredKernel } from '../emit/emitter.ts';
import { pointsOf } from '../traffic.ts';
import { GRID_VAR, coreBounds } from './cores.ts';
import type { CorePlan } from './cores.ts';

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
    inner(unflatten(plan.axes, indexSymbol(flat, 0, pointsOf(plan.axes) - 1)), rest);
  });
}
