// How older forms of the math family become the latest one: Clip's bounds were attributes, opset 1–6 broadcast by hand.
import { intTensor, scalar } from '../../../core/tensor.ts';
import { dtypeCodesByName } from '../../../graph/onnxTypes.ts';
import { constantLike, floatAttr, intAttr, rawNode, stringAttr, withAttrs, withoutAttrs } from './rewrite.ts';
import type { RawNode, Upgrade, Upgrades } from './upgrade.ts';

const clip: Upgrade = (node, context) => {
  if (context.opset >= 11) return [node];
  const [min, max] = [floatAttr(node, 'min'), floatAttr(node, 'max')];
  const bare = withoutAttrs(node, 'min', 'max');
  const bound = (value: number | undefined): readonly [readonly RawNode[], string] => (value === undefined ? [[], ''] : constantLike(value, node.inputs[0]!, context));
  const [[lowNodes, low], [highNodes, high]] = [bound(min), bound(max)];
  return [...lowNodes, ...highNodes, { ...bare, inputs: [node.inputs[0]!, low, high] }];
};

/** Before opset 7, B was broadcast only when asked, and then from `axis` on: trailing ones are put behind its shape. */
const oldBroadcast: Upgrade = (node, context) => {
  if (context.opset >= 7) return [node];
  const axis = intAttr(node, 'axis');
  const plain = withoutAttrs(node, 'broadcast', 'axis');
  if (axis === undefined || axis < 0) return [plain];
  const [a, b] = [node.inputs[0]!, node.inputs[1]!];
  const names = {
    rankA: context.fresh('rank'),
    rankB: context.fresh('rank'),
    shapeA: context.fresh('shape'),
    shapeB: context.fresh('shape'),
    ones: context.fresh('ones'),
    count: context.fresh('count'),
    target: context.fresh('target'),
    reshaped: context.fresh('reshaped'),
  };
  return [
    rawNode('Shape', [a], [names.shapeA]),
    rawNode('Size', [names.shapeA], [names.rankA]),
    rawNode('Shape', [b], [names.shapeB]),
    rawNode('Size', [names.shapeB], [names.rankB]),
    // Ones behind: rank(A) − axis − rank(B) of them.
    rawNode('Sub', [names.rankA, context.constant(scalar('i64', axis))], [`${names.count}/rest`]),
    rawNode('Sub', [`${names.count}/rest`, names.rankB], [names.count]),
    rawNode('Unsqueeze', [names.count, context.constant(intTensor([0]))], [`${names.count}/list`]),
    rawNode('ConstantOfShape', [`${names.count}/list`], [names.ones], { value: { kind: 'tensor', value: intTensor([1]) } }),
    rawNode('Concat', [names.shapeB, names.ones], [names.target], { axis: { kind: 'int', value: 0 } }),
    rawNode('Reshape', [b, names.target], [names.reshaped], { allowzero: { kind: 'int', value: 1 } }),
    { ...plain, inputs: [a, names.reshaped] },
  ];
};

/** Opset 1 named the target dtype. */
const cast: Upgrade = (node) => {
  const name = stringAttr(node, 'to');
  const code = name === undefined ? undefined : dtypeCodesByName.get(name);
  return [code === undefined ? node : withAttrs(node, { to: { kind: 'int', value: code } })];
};

export const mathUpgrades: Upgrades = {
  Clip: clip,
  Cast: cast,
  ...Object.fromEntries(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'And', 'Or', 'Xor', 'Equal', 'Less', 'Greater'].map((op) => [op, oldBroadcast] as const)),
};
