// How older forms of the vision family become the latest one: Upsample and the first Resize are today's Resize with asymmetric
// coordinates, RoiAlign once had no half pixels, GridSample's modes had the names of two dimensions.
import { tensorFrom } from '../../../core/tensor.ts';
import type { RawAttr, RawNode, Upgrade, Upgrades } from './upgrade.ts';

const text = (value: string): RawAttr => ({ kind: 'string', value });
const stringAttr = (node: RawNode, name: string): string | undefined => {
  const attr = node.attrs.get(name);
  return attr?.kind === 'string' ? attr.value : undefined;
};
const withAttrs = (node: RawNode, attrs: Readonly<Record<string, RawAttr>>): RawNode => ({
  ...node,
  attrs: new Map([...node.attrs, ...Object.entries(attrs)]),
});

/** Today's Resize that scales by `scales` as Upsample did. */
const asymmetric = (node: RawNode, scales: string): RawNode => ({
  ...node,
  op: 'Resize',
  inputs: [node.inputs[0]!, '', scales],
  attrs: new Map([
    ['mode', text(stringAttr(node, 'mode') === 'nearest' || !node.attrs.has('mode') ? 'nearest' : 'linear')],
    ['coordinate_transformation_mode', text('asymmetric')],
    ['nearest_mode', text('floor')],
  ]),
});

const upsample: Upgrade = (node, context) => {
  if (node.inputs.length > 1) return [asymmetric(node, node.inputs[1]!)];
  const scales = node.attrs.get('scales');
  const factor = (name: string): number => {
    const attr = node.attrs.get(name);
    return attr?.kind === 'float' ? attr.value : 1;
  };
  const list = scales?.kind === 'floats' ? scales.value : [1, 1, factor('height_scale'), factor('width_scale')];
  return [asymmetric(node, context.constant(tensorFrom('f32', [list.length], list)))];
};

const planeModes: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

export const visionUpgrades: Upgrades = {
  Upsample: upsample,
  Resize: (node, { opset }) => [opset < 11 ? asymmetric(node, node.inputs[1]!) : node],
  GridSample: (node) => {
    const mode = planeModes[stringAttr(node, 'mode') ?? ''];
    return [mode === undefined ? node : withAttrs(node, { mode: text(mode) })];
  },
  RoiAlign: (node, { opset }) => [opset < 16 ? withAttrs(node, { coordinate_transformation_mode: text('output_half_pixel') }) : node],
};
