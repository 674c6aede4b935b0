// How older forms of the recurrent family become the latest one.
import { withoutAttrs } from './rewrite.ts';
import type { Upgrade, Upgrades } from './upgrade.ts';

/** Before opset 7 an attribute said whether Y is wanted; its name in the outputs says so too. */
const cell: Upgrade = (node, { opset }) => [opset < 7 ? withoutAttrs(node, 'output_sequence') : node];

export const recurrentUpgrades: Upgrades = { RNN: cell, GRU: cell, LSTM: cell };
