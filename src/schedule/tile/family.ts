// The tile family: cores with a scratchpad, copies in and out, and vector instructions on what lies there; and matrix units.
import type { TileCapabilities } from '../../runtime/device.ts';
import { findContraction } from '../contraction.ts';
import type { Family } from '../family.ts';
import { refineAxes } from '../nest.ts';
import type { Nest } from '../nest.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { lowerNest } from './lowerNest.ts';
import { lowerMatrix } from './matrixTile.ts';
import { lowerTopK } from './topK.ts';

export function createTileFamily({ tile }: TileCapabilities): Family {
  const plain = (name: string, nest: Nest, flops?: number): LoweredKernel => lowerNest(name, nest, tile, flops);
  const lower = (name: string, nest: Nest, flops?: number): readonly LoweredKernel[] => {
    const kernel = plain(name, nest, flops);
    if (tile.rules.matrix === undefined) return [kernel];
    let count = 0;
    const refined = refineAxes(nest, () => `y${count++}`);
    const contraction = findContraction(refined);
    const matrix = contraction === undefined ? undefined : lowerMatrix(name, refined, contraction, kernel, tile, flops ?? 0, (part, made) => [plain(part, made)]);
    return matrix ?? [kernel];
  };
  return {
    channelLanes: 1,
    keptBytes: tile.rules.scratchBytes / 4,
    lowerNest: lower,
    lowerContraction: ({ root, nest, flops }) => lower(root.contraction?.op ?? 'nest', nest, flops),
    lowerTopK: (node, x, outputs) => [lowerTopK(node, x, outputs, tile)],
  };
}
