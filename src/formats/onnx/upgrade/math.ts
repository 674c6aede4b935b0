// How older forms of the math family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const mathUpgrades: Upgrades = {};
