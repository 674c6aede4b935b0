// How older forms of the activation family become the latest one: PRelu's slope once had one entry a channel, Selu's constants fewer digits.
import { intTensor } from '../../../core/tensor.ts';
import { floatAttr, rawNode, withAttrs } from './rewrite.ts';
import type { RawAttr, Upgrade, Upgrades } from './upgrade.ts';

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

/** Before opset 6 the default constants had fewer digits. */
const selu: Upgrade = (node, { opset }) => {
  if (opset >= 6) return [node];
  const float = (name: string, fallback: number): RawAttr => ({ kind: 'float', value: floatAttr(node, name) ?? fallback });
  return [withAttrs(node, { alpha: float('alpha', 1.6732), gamma: float('gamma', 1.0507) })];
};

export const activationUpgrades: Upgrades = { PRelu: pRelu, Selu: selu };
