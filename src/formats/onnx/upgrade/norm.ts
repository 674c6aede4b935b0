// How older forms of the norm family become the latest one: softmax once ran over everything from an axis on, batch normalisation said
// by its outputs whether it trains, dropout was an attribute, group normalisation had its parameters per group.
import { intTensor, scalar } from '../../../core/tensor.ts';
import { floatAttr, intAttr, rawNode, withAttrs, withoutAttrs } from './rewrite.ts';
import type { RawAttr, RawNode, Upgrade, UpgradeContext, Upgrades } from './upgrade.ts';

const int = (value: number): RawAttr => ({ kind: 'int', value });

/** Before opset 13 the axes from `axis` on were one. */
const flatSoftmax: Upgrade = (node, { opset, fresh }) => {
  if (opset >= 13) return [node];
  const [x, y] = [node.inputs[0]!, node.outputs[0]!];
  const [shape, flat, result] = [fresh('shape'), fresh('flat'), fresh('softmax')];
  return [
    rawNode('Shape', [x], [shape]),
    rawNode('Flatten', [x], [flat], { axis: int(intAttr(node, 'axis') ?? 1) }),
    rawNode(node.op, [flat], [result], { axis: int(-1) }),
    rawNode('Reshape', [result, shape], [y]),
  ];
};

/** Before opset 9 `spatial` 0 meant statistics per element rather than per channel: they broadcast over the batch alone. */
function perElement(node: RawNode, { fresh, constant }: UpgradeContext): readonly RawNode[] {
  const [x, scale, bias, mean, variance] = node.inputs;
  const epsilon = constant(scalar('f32', floatAttr(node, 'epsilon') ?? 1e-5));
  const [typed, shifted, deviation, centred, normalized, scaled] = [
    fresh('epsilon'),
    fresh('variance'),
    fresh('deviation'),
    fresh('centred'),
    fresh('normalized'),
    fresh('scaled'),
  ];
  return [
    rawNode('CastLike', [epsilon, variance!], [typed]),
    rawNode('Add', [variance!, typed], [shifted]),
    rawNode('Sqrt', [shifted], [deviation]),
    rawNode('Sub', [x!, mean!], [centred]),
    rawNode('Div', [centred, deviation], [normalized]),
    rawNode('Mul', [normalized, scale!], [scaled]),
    rawNode('Add', [scaled, bias!], [node.outputs[0]!]),
  ];
}

/** Before opset 14 asking for the statistics meant training. Saved statistics (outputs 3 and 4) are gone: nothing but a gradient used them. */
const batchNormalization: Upgrade = (node, context) => {
  if (context.opset >= 14) return [node];
  const training = node.outputs.slice(1, 3).some((name) => name !== '');
  if (!training && context.opset < 9 && intAttr(node, 'spatial') === 0) return perElement(node, context);
  const told = withAttrs(withoutAttrs(node, 'is_test', 'spatial'), { training_mode: int(training ? 1 : 0) });
  return [{ ...told, outputs: node.outputs.slice(0, 3) }];
};

/** Before opset 12 there was no training mode, before opset 10 the mask had the dtype of the data. */
const dropout: Upgrade = (node, { opset, fresh }) => {
  if (opset >= 12) return [node];
  const bare = withoutAttrs(node, 'ratio', 'is_test');
  const mask = node.outputs[1] ?? '';
  if (opset >= 10 || mask === '') return [bare];
  const kept = fresh('mask');
  return [{ ...bare, outputs: [node.outputs[0]!, kept] }, rawNode('CastLike', [kept, node.inputs[0]!], [mask])];
};

/** Before opset 21 scale and bias were per group: each is repeated for the channels of its group. */
const groupNormalization: Upgrade = (node, { opset, fresh, constant }) => {
  if (opset >= 21) return [node];
  const x = node.inputs[0]!;
  const groups = constant(intTensor([intAttr(node, 'num_groups') ?? 1]));
  const [channels, perGroup, shape] = [fresh('channels'), fresh('per_group'), fresh('shape')];
  const [axis, flat] = [constant(intTensor([1])), constant(intTensor([-1]))];
  const repeated = node.inputs.slice(1, 3).map((parameter) => {
    const [column, wide, vector] = [fresh('column'), fresh('wide'), fresh('vector')];
    const nodes = [rawNode('Unsqueeze', [parameter, axis], [column]), rawNode('Expand', [column, shape], [wide]), rawNode('Reshape', [wide, flat], [vector])];
    return { nodes, vector };
  });
  return [
    rawNode('Shape', [x], [channels], { start: int(1), end: int(2) }),
    rawNode('Div', [channels, groups], [perGroup]),
    rawNode('Concat', [groups, perGroup], [shape], { axis: int(0) }),
    ...repeated.flatMap((r) => r.nodes),
    { ...node, inputs: [x, ...repeated.map((r) => r.vector)] },
  ];
};

export const normUpgrades: Upgrades = {
  Softmax: flatSoftmax,
  LogSoftmax: flatSoftmax,
  Hardmax: flatSoftmax,
  BatchNormalization: batchNormalization,
  Dropout: dropout,
  GroupNormalization: groupNormalization,
};
