// A nest as one kernel of the tile family: by vector instructions where it has them, else by scalar code, which is right for every nest,
// and slow. Rows that are kept lie in scratch memory.
import type { TileFacts } from '../../runtime/device.ts';
import { findPairs } from '../inPlace.ts';
import { refineAxes } from '../nest.ts';
import type { Nest } from '../nest.ts';
import { Emitter } from '../emit/emitter.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { writeStage } from '../emit/stages.ts';
import { pointsOf, trafficOf } from '../traffic.ts';
import { planCores, writesOf } from './cores.ts';
import { costOf } from './cost.ts';
import { finishTiles, loopCore } from './loops.ts';
import { lowerMoves } from './lowerMoves.ts';
import { lowerRows } from './lowerRows.ts';
import { lowerVectors } from './lowerVectors.ts';

/** Lowers `nest`; `flops` is what the graph says it computes, for reports. */
export function lowerNest(name: string, raw: Nest, facts: TileFacts, flops?: number): LoweredKernel {
  let count = 0;
  const nest = refineAxes(raw, () => `y${count++}`);
  const vectors = lowerMoves(name, nest, raw, facts, flops) ?? lowerRows(name, nest, raw, facts, flops) ?? lowerVectors(name, nest, raw, facts, flops);
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
