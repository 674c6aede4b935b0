// How older forms of the norm family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const normUpgrades: Upgrades = {};
