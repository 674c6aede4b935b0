// How older forms of the shape family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const shapeUpgrades: Upgrades = {};
