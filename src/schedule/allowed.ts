// What a schedule may give up for speed, and only where the user allows it: answers change by more than the order of sums.
import { allowances } from '../core/allowance.ts';
import type { Allowance } from '../core/allowance.ts';
import type { MatrixUnit } from '../kernel/ir.ts';
import type { Capabilities } from '../runtime/device.ts';

const isAllowance = (name: string): name is Allowance => allowances.some((known) => known === name);

/** The machine without what gives up more than is allowed. */
export function allowedCapabilities(capabilities: Capabilities, allow: readonly Allowance[]): Capabilities {
  const allowed = (units: readonly MatrixUnit[]): MatrixUnit[] => units.filter(({ in: input }) => !isAllowance(input) || allow.includes(input));
  if (capabilities.family === 'simt') return { ...capabilities, simt: { ...capabilities.simt, matrixUnits: allowed(capabilities.simt.matrixUnits) } };
  if (capabilities.family !== 'tile' || capabilities.tile.rules.matrix === undefined) return capabilities;
  const { tile } = capabilities;
  const matrix = { ...tile.rules.matrix!, units: allowed(tile.rules.matrix!.units) };
  return { ...capabilities, tile: { ...tile, rules: { ...tile.rules, matrix } } };
}
