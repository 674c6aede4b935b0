// How older forms of the matmul family become the latest one: before opset 7, Gemm was told to broadcast C.
import { withoutAttrs } from './rewrite.ts';
import type { Upgrades } from './upgrade.ts';

export const matmulUpgrades: Upgrades = { Gemm: (node, { opset }) => [opset < 7 ? withoutAttrs(node, 'broadcast') : node] };
