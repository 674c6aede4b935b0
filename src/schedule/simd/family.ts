// The simd family: cores with vector registers and caches.
import type { SimdCapabilities } from '../../runtime/device.ts';
import type { ContractionRoot, Family } from '../family.ts';
import { lowerAttention } from './attention.ts';
import { contractionTemplates } from './contractions.ts';
import { costOf } from '../emit/elementwise.ts';
import type { LoweredKernel } from '../emit/emitter.ts';
import { lowerNest } from './lowerNest.ts';
import { createSite } from './templates.ts';
import { lowerTopK } from './topK.ts';

/** Scratch memory is the thread's own: what matters is that a row stays in its cache. */
const KEPT_BYTES = 1 << 18;

function lowerContraction(capabilities: SimdCapabilities, at: ContractionRoot): readonly LoweredKernel[] {
  const cost = at.nodes.reduce((sum, n) => sum + (n.op === 'unary' || n.op === 'binary' ? costOf(n) : 0), 0);
  const site = createSite(capabilities, at, cost);
  for (const template of contractionTemplates) {
    const lower = template.plan(site);
    if (lower !== undefined) return lower();
  }
  return [lowerNest(at.root.contraction?.op ?? 'nest', at.nest, capabilities.simd, at.flops)];
}

export const createSimdFamily = (capabilities: SimdCapabilities): Family => ({
  keptBytes: KEPT_BYTES,
  channelLanes: capabilities.simd.vectorLanes,
  lowerNest: (name, nest, flops) => [lowerNest(name, nest, capabilities.simd, flops)],
  lowerContraction: (site) => lowerContraction(capabilities, site),
  lowerChain: (chain) => lowerAttention(chain, capabilities.simd),
  lowerTopK: (node, x, outputs) => [lowerTopK('topk', node, x, outputs, capabilities.simd)],
});
