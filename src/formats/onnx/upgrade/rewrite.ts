// What upgrade rules share: reading raw attributes, dropping them, and turning them into inputs.
import { intTensor, scalar } from '../../../core/tensor.ts';
import type { RawAttr, RawNode, Upgrade, UpgradeContext } from './upgrade.ts';

export const intAttr = (node: RawNode, name: string): number | undefined => {
  const attr = node.attrs.get(name);
  return attr?.kind === 'int' ? attr.value : undefined;
};
export const floatAttr = (node: RawNode, name: string): number | undefined => {
  const attr = node.attrs.get(name);
  return attr?.kind === 'float' ? attr.value : undefined;
};
export const intsAttr = (node: RawNode, name: string): readonly number[] | undefined => {
  const attr = node.attrs.get(name);
  return attr?.kind === 'ints' ? attr.value : undefined;
};
export const stringAttr = (node: RawNode, name: string): string | undefined => {
  const attr = node.attrs.get(name);
  return attr?.kind === 'string' ? attr.value : undefined;
};

export const withoutAttrs = (node: RawNode, ...names: readonly string[]): RawNode => ({ ...node, attrs: new Map([...node.attrs].filter(([name]) => !names.includes(name))) });
export const withAttrs = (node: RawNode, attrs: Readonly<Record<string, RawAttr>>): RawNode => ({ ...node, attrs: new Map([...node.attrs, ...Object.entries(attrs)]) });

/** The node with `name` as its input `at`; inputs between are left out. */
export const withInput = (node: RawNode, at: number, name: string): RawNode => ({
  ...node,
  inputs: Array.from({ length: Math.max(node.inputs.length, at + 1) }, (_, i) => (i === at ? name : (node.inputs[i] ?? ''))),
});

/** An attribute of integers that became input `at`. */
export function intsToInput(node: RawNode, context: UpgradeContext, attr: string, at: number): RawNode {
  const values = intsAttr(node, attr);
  const rest = withoutAttrs(node, attr);
  return values === undefined ? rest : withInput(rest, at, context.constant(intTensor(values)));
}

/** Before opset `from`, the attribute `attr` was what is input `at` now. */
export const intsBecameInput =
  (from: number, attr: string, at: number): Upgrade =>
  (node, context) => [context.opset < from ? intsToInput(node, context, attr, at) : node];

/** An integer attribute that became the scalar input `at`. */
export function intToInput(node: RawNode, context: UpgradeContext, attr: string, at: number): RawNode {
  const value = intAttr(node, attr);
  const rest = withoutAttrs(node, attr);
  return value === undefined ? rest : withInput(rest, at, context.constant(scalar('i64', value)));
}

/** A number as a scalar of the dtype of the value `like`: the nodes that make it, and its name. */
export function constantLike(value: number, like: string, context: UpgradeContext): readonly [nodes: readonly RawNode[], name: string] {
  const name = context.fresh('typed');
  return [[rawNode('CastLike', [context.constant(scalar('f32', value)), like], [name])], name];
}

/** A node of a rule's own making. */
export const rawNode = (op: string, inputs: readonly string[], outputs: readonly string[], attrs: Readonly<Record<string, RawAttr>> = {}): RawNode => ({
  domain: '',
  op,
  name: '',
  inputs,
  outputs,
  attrs: new Map(Object.entries(attrs)),
});
