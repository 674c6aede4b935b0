// Where along an axis the guards of an expression change their answer, so that a loop can be cut there and its long middle part has no
// guard at all.
import { coefficientOf } from '../../core/indexExpr.ts';
import type { Axis } from '../nest.ts';
import { visitPoints } from '../point.ts';
import type { DynamicSymbols, PointExpr } from '../point.ts';

const MAX_PARTS = 5;

/** Positions along `axis` in (0, extent) from which on a guard certainly holds or certainly fails. */
export function findCuts(axis: Axis, values: readonly PointExpr[], dynamic: DynamicSymbols): number[] {
  const cuts = new Set<number>();
  visitPoints(values, dynamic, (e) => {
    if (e.kind !== 'guard') return;
    for (const { value, low, high } of e.conditions) {
      const step = coefficientOf(value, axis.name);
      if (step === undefined || step === 0) continue;
      const reach = Math.abs(step) * (axis.extent - 1);
      const [restMin, restMax] = step > 0 ? [value.min, value.max - reach] : [value.min + reach, value.max];
      // step·v + rest crosses `bound` for the rest's least and greatest value.
      for (const bound of [low, high]) {
        for (const rest of [restMin, restMax]) {
          const at = step > 0 ? Math.ceil((bound - rest) / step) : Math.floor((bound - rest) / step) + 1;
          if (at > 0 && at < axis.extent) cuts.add(at);
        }
      }
    }
  });
  const sorted = [...cuts].sort((a, b) => a - b);
  return sorted.length < MAX_PARTS ? sorted : widestPart([0, ...sorted, axis.extent]).filter((c) => c > 0 && c < axis.extent);
}

/** The longest part between two neighbouring ends. */
export function widestPart(ends: readonly number[]): readonly [number, number] {
  let best = 1;
  for (let i = 1; i < ends.length; i++) if (ends[i]! - ends[i - 1]! > ends[best]! - ends[best - 1]!) best = i;
  return [ends[best - 1]!, ends[best]!];
}
