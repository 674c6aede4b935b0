// The loops around the stages of a tile kernel: the points of the core at hand, then what is not dealt out.
import { substitute } from '../emit/places.ts';
import { indexSymbol } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { add, compare, index } from '../../kernel/build.ts';
import type { Expr, Kernel, Stmt } from '../../kernel/ir.ts';
import { allStatements } from '../../kernel/statements.ts';
import { storePipe } from '../../kernel/pipes.ts';
import type { TileFacts } from '../../runtime/device.ts';
import { unflatten } from '../nest.ts';
import type { Axis } from '../nest.ts';
import type { Substitution } from '../point.ts';
import type { Emitter, LoweredKernel } from '../emit/emitter.ts';
import { pointsOf } from '../traffic.ts';
import { GRID_VAR, coreBounds } from './cores.ts';
import type { CorePlan } from './cores.ts';

/** Closes a kernel that `cores` cores run. */
export function finishTiles(emitter: Emitter, name: string, cores: number, cost: Kernel['cost'], { rules }: TileFacts): LoweredKernel {
  const lowered = emitter.finish(name, { var: GRID_VAR, extent: cores }, cost);
  return { ...lowered, kernel: { ...lowered.kernel, tiles: rules } };
}

/** Instructions of a point up to which a core is kept waiting by copies, rather than by its vector unit. */
const FEW_INSTRUCTIONS = 24;

/** How many points in a row have memory of their own, so that one is copied while another is computed: of few `instructions`, and of `points` of a core. */
export const turnsOf = (instructions: number, points: number): 1 | 2 => (instructions <= FEW_INSTRUCTIONS && points > 1 ? 2 : 1);

export const instructionsIn = (body: readonly Stmt[]): number => allStatements(body).filter((s) => s.kind === 'store' && storePipe(s) === 'vector').length;

/** Loops over points from `from` to `to`, of `total`, `turns` at a time. */
export function loopTurns(emitter: Emitter, { from, to }: { readonly from: Expr; readonly to: Expr }, total: number, turns: number, write: (point: IndexExpr) => void): void {
  const point = (name: string): IndexExpr => indexSymbol(name, 0, Math.max(total - 1, 0));
  const flat = emitter.fresh('p');
  emitter.loop(flat, from, to, turns, () => {
    if (turns === 1) return write(point(flat));
    emitter.scoped(() => write(point(flat)));
    for (let turn = 1; turn < turns; turn++) {
      const name = emitter.fresh('p');
      const next = emitter.bind(add(emitter.named(flat).expr, index(turn)));
      const then = emitter.block(() => {
        emitter.define(name, next);
        write(point(name));
      }, true);
      emitter.push({ kind: 'if', condition: compare('lt', next, to), then, else: [] });
    }
  });
}

/** Loops over the points of the core at hand, `turns` at a time, then over the axes that are not dealt out. */
export function loopCore(emitter: Emitter, plan: CorePlan, rest: readonly Axis[], write: (substitution: Substitution) => void, turns = 1): void {
  const inner = (bindings: ReadonlyMap<string, IndexExpr>, axes: readonly Axis[]): void => {
    const [first, ...others] = axes;
    if (first !== undefined) emitter.loop(first.name, index(0), index(first.extent), 1, () => inner(bindings, others));
    else write(substitute(emitter, bindings));
  };
  if (plan.axes.length === 0) return inner(new Map(), rest);
  const total = pointsOf(plan.axes);
  loopTurns(emitter, coreBounds(emitter, plan), total, turns, (point) => inner(unflatten(plan.axes, point), rest));
}
