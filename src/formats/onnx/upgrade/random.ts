// How older forms of the random family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const randomUpgrades: Upgrades = {};
