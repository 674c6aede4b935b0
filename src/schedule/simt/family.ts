// The simt family: grids of blocks of threads with shared memory.
import type { SimtCapabilities, SimtFacts } from '../../runtime/device.ts';
import type { Decide } from '../decide.ts';
import type { Family } from '../family.ts';
import { freshNames, refineAxes } from '../nest.ts';
import type { Nest } from '../nest.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { pointsOf } from '../traffic.ts';
import { findContraction } from '../contraction.ts';
import type { Contraction } from '../contraction.ts';
import { lowerNest } from './lowerNest.ts';
import { chooseMatrixTile } from './matrixShape.ts';
import { lowerMatrixTiles } from './matrixTile.ts';
import { lowerOnline } from './onlineTile.ts';
import { splitLong, splitReduce } from './split.ts';
import { lowerSwizzledTiles } from './swizzledTile.ts';
import { lowerStagedTiles } from './stagedTile.ts';
import { lowerTiles } from './tile.ts';
import { rankTiles } from './tileShape.ts';
import type { TileShape } from './tileShape.ts';
import { lowerTopK } from './topK.ts';

/** Bytes of a row that a thread keeps for itself: languages bound what is private to one. */
const KEPT_BY_THREAD = 2 << 10;
/** Tiles that are worth a measurement. */
const TILES = 8;

interface Refined {
  readonly nest: Nest;
  /** As it was. */
  readonly raw: Nest;
}

/** A contraction on matrix units, where there are any that are faster; else in the tiles that should be fastest, or were measured to be. */
function lowerContraction(name: string, nests: Refined, contraction: Contraction, facts: SimtFacts, decide: Decide, flops: number): readonly LoweredKernel[] {
  const matrix = chooseMatrixTile(contraction, facts);
  if (matrix !== undefined) {
    const lower = matrix.unit.layout === 'swizzled' ? lowerSwizzledTiles : lowerMatrixTiles;
    return [lower(name, nests.nest, nests.raw, contraction, matrix, facts, flops)];
  }
  const { a, b, batch, summed, sum } = contraction;
  const size = { a: pointsOf(a.axes), b: pointsOf(b.axes), sum: pointsOf(summed), batch: pointsOf(batch), dtype: sum.dtype };
  const tiles = rankTiles(size, facts, TILES);
  const question = { key: JSON.stringify(['tiles', size, a.alongSum, b.alongSum]), ways: tiles.map((tile) => JSON.stringify(tile)) };
  const tile = tiles[decide(question)] ?? tiles[0];
  if (tile === undefined) return [lowerNest(name, nests.raw, facts, flops)];
  return lowerInTiles(name, nests, contraction, tile, facts, flops).map((kernel) => ({ ...kernel, question: question.key }));
}

/** The sum in parts, and the parts joined, where the tile says so. */
function lowerInTiles(name: string, { nest: refined, raw }: Refined, contraction: Contraction, tile: TileShape, facts: SimtFacts, flops: number): readonly LoweredKernel[] {
  const lower = (nest: Nest, before: Nest, c: Contraction): LoweredKernel =>
    tile.stages > 1 ? lowerStagedTiles(name, nest, before, c, tile, facts, flops) : lowerTiles(name, nest, before, c, tile, flops);
  const split = tile.parts === 1 ? undefined : splitReduce(refined, tile.parts, true);
  const inParts = split === undefined ? undefined : findContraction(split.parts);
  if (split === undefined || inParts === undefined) return [lower(refined, raw, contraction)];
  const rest: Nest = { ...refined, stages: [split.join, ...refined.stages.slice(1)] };
  return [lower(split.parts, split.parts, inParts), lowerNest('join', rest, facts, 0)];
}

export function createSimtFamily({ simt }: SimtCapabilities, decide: Decide): Family {
  const lower = (name: string, raw: Nest, flops?: number): readonly LoweredKernel[] => {
    const nest = refineAxes(raw, freshNames(raw));
    // Tiles are brought by all threads of a block at the same time, or not at all.
    const contraction = simt.turns === undefined ? findContraction(nest) : undefined;
    if (contraction !== undefined) return lowerContraction(name, { nest, raw }, contraction, simt, decide, flops ?? 0);
    const nests = splitLong(nest, simt);
    return nests.length === 1 ? [lowerNest(name, raw, simt, flops)] : nests.map((part, i) => lowerNest(name, part, simt, i === 0 ? flops : 0));
  };
  return {
    // The other half of shared memory is for partial results.
    channelLanes: 1,
    keptBytes: simt.turns === undefined ? simt.sharedBytes / 4 : KEPT_BY_THREAD,
    lowerNest: lower,
    lowerContraction: ({ root, nest, flops }) => lower(root.contraction?.op ?? 'nest', nest, flops),
    lowerChain: (chain) => lowerOnline(chain, simt),
    lowerTopK: (node, x, outputs) => lowerTopK(node, x, outputs, simt),
  };
}
