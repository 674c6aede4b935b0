// How older forms of the ml family become the latest one. The first LabelEncoder numbered its classes, which CategoryMapper can say;
// everything else was only added to.
import type { Upgrade, Upgrades } from './upgrade.ts';

const labelEncoder: Upgrade = (node, { opset }) => {
  const classes = node.attrs.get('classes_strings');
  if (opset >= 2 || classes?.kind !== 'strings') return [node];
  const attrs = new Map([...node.attrs].filter(([name]) => name !== 'classes_strings'));
  attrs.set('cats_strings', classes).set('cats_int64s', { kind: 'ints', value: classes.value.map((_, i) => i) });
  return [{ ...node, op: 'CategoryMapper', attrs }];
};

export const mlUpgrades: Upgrades = { LabelEncoder: labelEncoder };
