// How older forms of the signal family become the latest one: DFT's axis was an attribute before opset 20.
import { scalar } from '../../../core/tensor.ts';
import type { Upgrade, Upgrades } from './upgrade.ts';

const dft: Upgrade = (node, { opset, constant }) => {
  if (opset >= 20) return [node];
  const axis = node.attrs.get('axis');
  const attrs = new Map([...node.attrs].filter(([name]) => name !== 'axis'));
  return [{ ...node, attrs, inputs: [node.inputs[0]!, node.inputs[1] ?? '', constant(scalar('i64', axis?.kind === 'int' ? axis.value : 1))] }];
};

export const signalUpgrades: Upgrades = { DFT: dft };
