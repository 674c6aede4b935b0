// How older forms of the sequence family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const sequenceUpgrades: Upgrades = {};
