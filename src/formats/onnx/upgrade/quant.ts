// How older forms of the quant family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const quantUpgrades: Upgrades = {};
