// Sums, and running sums, along an axis that is far apart in memory, of neighbours side by side: several vectors share the walk, so that what is read of each
// place is longer than one line of the cache.
import { addIndex, indexSymbol } from '../../core/indexExpr.ts';
import type { IndexExpr } from '../../core/indexExpr.ts';
import { index } from '../../kernel/build.ts';
import type { Axis, Nest, Stage } from '../nest.ts';
import { pointsOf } from '../traffic.ts';
import { narrowTo } from '../emit/compute.ts';
import { findCuts } from '../emit/cuts.ts';
import type { Emitter } from '../emit/emitter.ts';
import { accumulate, beginScan, identity, writeStage } from '../emit/stages.ts';
import { declareAccumulator, loopAll } from '../emit/walk.ts';
import type { StageContext } from '../emit/walk.ts';
import { wholeSteps } from '../emit/strips.ts';
import type { StripRange } from '../emit/strips.ts';

/** Vectors that share a walk. */
const TOGETHER = 4;
/** Shorter walks gain nothing. */
const LEAST_POINTS = 16;

/** A walk that several vectors share: each begins it, takes a step at every point, and ends it. */
export interface Shared {
  readonly axes: readonly Axis[];
  begin(context: StageContext): { step(): void; end(): void };
}

/** The walk of a nest that is one reduction and what is stored of it, or one running sum, if vectors of `lanes` along `axis` can share its loops. */
export function sharedWalk({ stages, dynamic }: Nest, axis: Axis, lanes: number): Shared | undefined {
  const walk = walkOf(stages);
  if (walk === undefined || pointsOf(walk.axes) < LEAST_POINTS || axis.extent < TOGETHER * lanes) return undefined;
  const values = stages.map(({ value }) => value);
  return findCuts(axis, values, dynamic).length === 0 ? walk : undefined;
}

function walkOf([first, store, ...more]: readonly Stage[]): Shared | undefined {
  if (first?.kind === 'scan' && store === undefined) return { axes: first.axes, begin: (context) => ({ step: beginScan(context, first), end: () => undefined }) };
  if (first?.kind !== 'reduce' || store?.kind !== 'store' || store.axes.length > 0 || more.length > 0) return undefined;
  return {
    axes: first.axes,
    begin(context) {
      const { emitter, substitution, outerLanes } = context;
      const sum = declareAccumulator(emitter, identity(first.fn, first.dtype, outerLanes));
      return {
        step: () => accumulate(emitter, first, sum, substitution.point(first.value)),
        end: () =>
          emitter.scoped(() => {
            emitter.define(first.local, emitter.bind(narrowTo(first.dtype, sum)));
            writeStage(context, store);
          }),
      };
    },
  };
}

/** Writes as much of the range as such groups of vectors fill; gives what is left. */
export function writeTogether(emitter: Emitter, { axes, begin }: Shared, axis: Axis, lanes: number, range: StripRange, contextAt: (at: IndexExpr) => StageContext): StripRange {
  const step = TOGETHER * lanes;
  const end = wholeSteps(emitter, range.from, range.to, step);
  const [at, lane] = [emitter.fresh(`${axis.name}_`), emitter.fresh('lane')];
  emitter.loop(at, range.from, end, step, () =>
    emitter.withLanes(lane, lanes, () => {
      const first = indexSymbol(at, 0, axis.extent - step);
      const walks = Array.from({ length: TOGETHER }, (_, i) => begin(contextAt(addIndex(addIndex(first, i * lanes), indexSymbol(lane, 0, lanes - 1)))));
      loopAll(emitter, axes, () => walks.forEach((walk) => walk.step()));
      walks.forEach((walk) => walk.end());
    }),
  );
  return { from: end, to: range.to };
}

/** All of an axis. */
export const wholeRange = (axis: Axis): StripRange => ({ from: index(0), to: index(axis.extent) });
