// The simt family: grids of blocks of threads with shared memory.
import type { SimtCapabilities } from '../../runtime/device.ts';
import type { Family } from '../family.ts';
import { refineAxes } from '../nest.ts';
import type { Nest } from '../nest.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { findContraction } from './contraction.ts';
import { lowerNest } from './lowerNest.ts';
import { lowerTiles } from './tile.ts';
import { lowerTopK } from './topK.ts';

export function createSimtFamily({ simt }: SimtCapabilities): Family {
  const lower = (name: string, raw: Nest, flops?: number): readonly LoweredKernel[] => {
    let count = 0;
    const refined = refineAxes(raw, () => `y${count++}`);
    const contraction = findContraction(refined);
    return [contraction === undefined ? lowerNest(name, raw, simt, flops) : lowerTiles(name, refined, raw, contraction, simt, flops ?? 0)];
  };
  return {
    // The other half of shared memory is for partial results.
    keptBytes: simt.sharedBytes / 4,
    lowerNest: lower,
    lowerContraction: ({ root, nest, flops }) => lower(root.contraction?.op ?? 'nest', nest, flops),
    lowerTopK: (node, x, outputs) => lowerTopK(node, x, outputs, simt),
  };
}
