// How older forms of the string family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const stringUpgrades: Upgrades = {};
