// How older forms of the training family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const trainingUpgrades: Upgrades = {};
