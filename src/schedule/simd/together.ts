// Sums along an axis that is far apart in memory, of neighbours side by side: several vectors share the walk, so that what is read of each
// place is longer than one line of the cache.
import { addIndex, indexSymbol } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { index } from '../../kernel/build.ts';
import type { Expr } from '../../kernel/ir.ts';
import type { Axis, Nest, Stage } from '../nest.ts';
import { pointsOf } from '../traffic.ts';
import { narrowTo } from '../emit/compute.ts';
import { findCuts } from '../emit/cuts.ts';
import type { Emitter } from '../emit/emitter.ts';
import { accumulate, declareAccumulator, identity, loopAll, writeStage } from '../emit/stages.ts';
import type { StageContext } from '../emit/stages.ts';
import { wholeSteps } from '../emit/strips.ts';
import type { StripRange } from '../emit/strips.ts';

/** Vectors that share a walk. */
const TOGETHER = 4;
/** Shorter walks gain nothing. */
const LEAST_POINTS = 16;

export interface Shared {
  readonly reduce: Extract<Stage, { readonly kind: 'reduce' }>;
  readonly store: Stage;
}

/** The stages of a nest that is one reduction and what is stored of it, if vectors of `lanes` along `axis` can share its loops. */
export function sharedWalk({ stages, dynamic }: Nest, axis: Axis, lanes: number): Shared | undefined {
  const [reduce, store, ...more] = stages;
  if (reduce?.kind !== 'reduce' || store?.kind !== 'store' || store.axes.length > 0 || more.length > 0) return undefined;
  if (pointsOf(reduce.axes) < LEAST_POINTS || axis.extent < TOGETHER * lanes) return undefined;
  return findCuts(axis, [reduce.value, store.value], dynamic).length === 0 ? { reduce, store } : undefined;
}

/** Writes as much of the range as such groups of vectors fill; gives what is left. */
export function writeTogether(emitter: Emitter, { reduce, store }: Shared, axis: Axis, lanes: number, range: StripRange, contextAt: (at: IndexExpr) => StageContext): StripRange {
  const step = TOGETHER * lanes;
  const end = wholeSteps(emitter, range.from, range.to, step);
  const [at, lane] = [emitter.fresh(`${axis.name}_`), emitter.fresh('lane')];
  emitter.loop(at, range.from, end, step, () =>
    emitter.withLanes(lane, lanes, () => {
      const first = indexSymbol(at, 0, axis.extent - step);
      const contexts = Array.from({ length: TOGETHER }, (_, i) => contextAt(addIndex(addIndex(first, i * lanes), indexSymbol(lane, 0, lanes - 1))));
      const sums: Expr[] = contexts.map(() => declareAccumulator(emitter, identity(reduce.fn, reduce.dtype, lanes)));
      loopAll(emitter, reduce.axes, () => contexts.forEach(({ substitution }, i) => accumulate(emitter, reduce, sums[i]!, substitution.point(reduce.value))));
      contexts.forEach((context, i) =>
        emitter.scoped(() => {
          emitter.define(reduce.local, emitter.bind(narrowTo(reduce.dtype, sums[i]!)));
          writeStage(context, store);
        }),
      );
    }),
  );
  return { from: end, to: range.to };
}

/** All of an axis. */
export const wholeRange = (axis: Axis): StripRange => ({ from: index(0), to: index(axis.extent) });
