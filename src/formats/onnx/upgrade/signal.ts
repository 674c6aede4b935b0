// How older forms of the signal family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const signalUpgrades: Upgrades = {};
