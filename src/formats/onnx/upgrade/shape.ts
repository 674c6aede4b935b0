// How older forms of the shape family become the latest one: arguments that were attributes are inputs now.
import { intTensor } from '../../../core/tensor.ts';
import { codeOfDType } from '../../../graph/onnxTypes.ts';
import { constantLike, floatAttr, intAttr, intsAttr, intsBecameInput, intsToInput, rawNode, withAttrs, withInput, withoutAttrs } from './rewrite.ts';
import type { RawNode, Upgrade, Upgrades } from './upgrade.ts';

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
  if (value === undefined || value === 0) return [padded];
  const [nodes, fill] = constantLike(value, node.inputs[0]!, context);
  return [...nodes, withInput(padded, 2, fill)];
};

/** Without sizes or a count, the number of outputs is the count. */
const split: Upgrade = (node, context) => {
  const moved = context.opset < 13 ? intsToInput(node, context, 'split', 1) : node;
  if (moved.attrs.has('num_outputs') || (moved.inputs[1] ?? '') !== '') return [moved];
  return [withAttrs(moved, { num_outputs: { kind: 'int', value: moved.outputs.length } })];
};

/** Opset 1 repeated one axis: all others once. */
const tile: Upgrade = (node, context) => {
  if (context.opset >= 6) return [node];
  const [x, tiles, axis] = [node.inputs[0]!, node.inputs[1]!, node.inputs[2]!];
  const [shape, rank, ones, repeats] = ['shape', 'rank', 'ones', 'repeats'].map((hint) => context.fresh(hint));
  const vector = (scalar: string): readonly [RawNode[], string] => {
    const [whole, flat] = [context.fresh('whole'), context.fresh('flat')];
    return [[rawNode('Cast', [scalar], [whole], { to: { kind: 'int', value: codeOfDType('i64') } }), rawNode('Reshape', [whole, context.constant(intTensor([1]))], [flat])], flat];
  };
  const [[countNodes, count], [placeNodes, place]] = [vector(tiles), vector(axis)];
  return [
    rawNode('Shape', [x], [shape!]),
    rawNode('Shape', [shape!], [rank!]),
    rawNode('ConstantOfShape', [rank!], [ones!], { value: { kind: 'tensor', value: intTensor([1]) } }),
    ...countNodes,
    ...placeNodes,
    rawNode('ScatterElements', [ones!, place, count], [repeats!]),
    { ...node, inputs: [x, repeats!] },
  ];
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
  Tile: tile,
};
