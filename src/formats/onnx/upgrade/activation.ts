// How older forms of the activation family become the latest one: PRelu's slope once had one entry a channel.
import { intTensor } from '../../../core/tensor.ts';
import { rawNode } from './rewrite.ts';
import type { Upgrade, Upgrades } from './upgrade.ts';

/** Before opset 7 a vector of slopes belonged to the channels; from 7 on it broadcasts like any operand. */
const pRelu: Upgrade = (node, context) => {
  if (context.opset >= 7) return [node];
  const [slope, column, x] = [node.inputs[1]!, context.fresh('slope'), node.inputs[0]!];
  const [rank, spatial, ones, target] = ['rank', 'spatial', 'ones', 'target'].map((hint) => context.fresh(hint));
  return [
    rawNode('Shape', [x], [rank!]),
    rawNode('Slice', [rank!, context.constant(intTensor([2])), context.constant(intTensor([2 ** 31]))], [spatial!]),
    rawNode('Shape', [spatial!], [ones!]),
    rawNode('ConstantOfShape', [ones!], [`${ones}/list`], { value: { kind: 'tensor', value: intTensor([1]) } }),
    rawNode('Concat', [context.constant(intTensor([-1])), `${ones}/list`], [target!], { axis: { kind: 'int', value: 0 } }),
    rawNode('Reshape', [slope, target!], [column]),
    { ...node, inputs: [x, column] },
  ];
};

export const activationUpgrades: Upgrades = { PRelu: pRelu };
