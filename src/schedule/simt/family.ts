// The simt family: grids of blocks of threads with shared memory.
import type { SimtCapabilities, SimtFacts } from '../../runtime/device.ts';
import type { Family } from '../family.ts';
import { refineAxes } from '../nest.ts';
import type { Nest } from '../nest.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { pointsOf } from '../traffic.ts';
import { findContraction } from './contraction.ts';
import type { Contraction } from './contraction.ts';
import { lowerNest } from './lowerNest.ts';
import { freshNames } from './machine.ts';
import { chooseMatrixTile } from './matrixShape.ts';
import { lowerMatrixTiles } from './matrixTile.ts';
import { splitLong, splitReduce } from './split.ts';
import { lowerTiles } from './tile.ts';
import { rankTiles } from './tileShape.ts';
import { lowerTopK } from './topK.ts';

/** A contraction on matrix units, where there are any that are faster; else as tiles, its sum in parts, and the parts joined, where that is faster. */
function lowerContraction(name: string, refined: Nest, raw: Nest, contraction: Contraction, facts: SimtFacts, flops: number): readonly LoweredKernel[] {
  const matrix = chooseMatrixTile(contraction, facts);
  if (matrix !== undefined) return [lowerMatrixTiles(name, refined, raw, contraction, matrix, facts, flops)];
  const { a, b, batch, summed, sum } = contraction;
  const [tile] = rankTiles({ a: pointsOf(a.axes), b: pointsOf(b.axes), sum: pointsOf(summed), batch: pointsOf(batch), dtype: sum.dtype }, facts, 1);
  if (tile === undefined) return [lowerNest(name, raw, facts, flops)];
  const split = tile.parts === 1 ? undefined : splitReduce(refined, tile.parts, true);
  const inParts = split === undefined ? undefined : findContraction(split.parts);
  if (split === undefined || inParts === undefined) return [lowerTiles(name, refined, raw, contraction, tile, flops)];
  const rest: Nest = { ...refined, stages: [split.join, ...refined.stages.slice(1)] };
  return [lowerTiles(name, split.parts, split.parts, inParts, tile, flops), lowerNest('join', rest, facts, 0)];
}

export function createSimtFamily({ simt }: SimtCapabilities): Family {
  const lower = (name: string, raw: Nest, flops?: number): readonly LoweredKernel[] => {
    const refined = refineAxes(raw, freshNames(raw));
    const contraction = findContraction(refined);
    if (contraction !== undefined) return lowerContraction(name, refined, raw, contraction, simt, flops ?? 0);
    const nests = splitLong(refined, simt);
    return nests.length === 1 ? [lowerNest(name, raw, simt, flops)] : nests.map((nest, i) => lowerNest(name, nest, simt, i === 0 ? flops : 0));
  };
  return {
    // The other half of shared memory is for partial results.
    keptBytes: simt.sharedBytes / 4,
    lowerNest: lower,
    lowerContraction: ({ root, nest, flops }) => lower(root.contraction?.op ?? 'nest', nest, flops),
    lowerTopK: (node, x, outputs) => lowerTopK(node, x, outputs, simt),
  };
}
