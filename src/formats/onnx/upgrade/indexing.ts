// How older forms of the indexing family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const indexingUpgrades: Upgrades = {};
