// How older forms of the shape family become the latest one: arguments that were attributes are inputs now.
import { intTensor, scalar } from '../../../core/tensor.ts';
import { floatAttr, intAttr, intsAttr, intsBecameInput, intsToInput, withAttrs, withInput, withoutAttrs } from './rewrite.ts';
import type { Upgrade, Upgrades } from './upgrade.ts';

const slice: Upgrade = (node, context) => {
  if (context.opset >= 10) return [node];
  const constant = (values: readonly number[]): string => context.constant(intTensor(values));
  const starts = intsAttr(node, 'starts') ?? [];
  const axes = intsAttr(node, 'axes') ?? starts.map((_, i) => i);
  return [{ ...withoutAttrs(node, 'starts', 'ends', 'axes'), inputs: [node.inputs[0]!, constant(starts), constant(intsAttr(node, 'ends') ?? []), constant(axes)] }];
};

/** Opset 1 called the pads `paddings`. */
const pad: Upgrade = (node, context) => {
  if (context.opset >= 11) return [node];
  const name = node.attrs.has('paddings') ? 'paddings' : 'pads';
  const value = floatAttr(node, 'value');
  const padded = withoutAttrs(intsToInput(node, context, name, 1), 'value');
  return [value === undefined || value === 0 ? padded : withInput(padded, 2, context.constant(scalar('f32', value)))];
};

/** Without sizes or a count, the number of outputs is the count. */
const split: Upgrade = (node, context) => {
  const moved = context.opset < 13 ? intsToInput(node, context, 'split', 1) : node;
  if (moved.attrs.has('num_outputs') || (moved.inputs[1] ?? '') !== '') return [moved];
  return [withAttrs(moved, { num_outputs: { kind: 'int', value: moved.outputs.length } })];
};

const concat: Upgrade = (node, { opset }) => [opset < 4 && intAttr(node, 'axis') === undefined ? withAttrs(node, { axis: { kind: 'int', value: 1 } }) : node];

export const shapeUpgrades: Upgrades = {
  Reshape: intsBecameInput(5, 'shape', 1),
  Squeeze: intsBecameInput(13, 'axes', 1),
  Unsqueeze: intsBecameInput(13, 'axes', 1),
  Slice: slice,
  Pad: pad,
  Split: split,
  Concat: concat,
};
