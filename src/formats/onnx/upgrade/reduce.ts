// How older forms of the reduce family become the latest one: axes were an attribute, for ReduceSum until opset 13, else until 18.
import { intsBecameInput } from './rewrite.ts';
import type { Upgrades } from './upgrade.ts';

const others = ['ReduceMean', 'ReduceProd', 'ReduceMax', 'ReduceMin', 'ReduceL1', 'ReduceL2', 'ReduceLogSum', 'ReduceLogSumExp', 'ReduceSumSquare'];

export const reduceUpgrades: Upgrades = {
  ReduceSum: intsBecameInput(13, 'axes', 1),
  ...Object.fromEntries(others.map((op) => [op, intsBecameInput(18, 'axes', 1)] as const)),
};
