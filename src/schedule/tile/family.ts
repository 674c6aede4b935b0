// The tile family: cores with a scratchpad, copies in and out, and vector instructions on what lies there.
import type { TileCapabilities } from '../../runtime/device.ts';
import type { Family } from '../family.ts';
import { lowerNest } from './lowerNest.ts';
import { lowerTopK } from './topK.ts';

export const createTileFamily = ({ tile }: TileCapabilities): Family => ({
  keptBytes: tile.rules.scratchBytes / 4,
  lowerNest: (name, nest, flops) => [lowerNest(name, nest, tile, flops)],
  lowerContraction: ({ root, nest, flops }) => [lowerNest(root.contraction?.op ?? 'nest', nest, tile, flops)],
  lowerTopK: (node, x, outputs) => [lowerTopK(node, x, outputs, tile)],
});
