// How older forms of the control family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const controlUpgrades: Upgrades = {};
