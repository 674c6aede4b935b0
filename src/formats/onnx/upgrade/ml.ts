// How older forms of the ml family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const mlUpgrades: Upgrades = {};
