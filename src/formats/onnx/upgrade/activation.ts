// How older forms of the activation family become the latest one.
import type { Upgrades } from './upgrade.ts';

export const activationUpgrades: Upgrades = {};
