// How older forms of the indexing family become the latest one.
import { intToInput } from './rewrite.ts';
import type { Upgrades } from './upgrade.ts';

export const indexingUpgrades: Upgrades = {
  // Scatter (9–10) was renamed.
  Scatter: (node) => [{ ...node, op: 'ScatterElements' }],
  TopK: (node, context) => [context.opset < 10 ? intToInput(node, context, 'k', 1) : node],
};
