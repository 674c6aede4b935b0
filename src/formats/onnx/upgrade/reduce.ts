// How older forms of the reduce family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const reduceUpgrades: Upgrades = {};
