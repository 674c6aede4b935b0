// How older forms of the conv family become the latest one. Only the norm's order changed its type; everything else was added.
import type { Upgrade, Upgrades } from './upgrade.ts';

/** Opset 1 has p as a float. */
const integralP: Upgrade = (node) => {
  const p = node.attrs.get('p');
  return p?.kind === 'float' ? [{ ...node, attrs: new Map(node.attrs).set('p', { kind: 'int', value: p.value }) }] : [node];
};

export const convUpgrades: Upgrades = { LpPool: integralP, GlobalLpPool: integralP };
