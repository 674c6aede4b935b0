// How older forms of the conv family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const convUpgrades: Upgrades = {};
