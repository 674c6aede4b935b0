// How older forms of the matmul family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const matmulUpgrades: Upgrades = {};
