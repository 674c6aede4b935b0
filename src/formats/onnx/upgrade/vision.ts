// How older forms of the vision family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const visionUpgrades: Upgrades = {};
