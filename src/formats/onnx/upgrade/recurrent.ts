// How older forms of the recurrent family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const recurrentUpgrades: Upgrades = {};
