// Bytes that a nest moves to and from memory: every slot once, or less where the nest has not so many points as the slot has elements.
import { byteWidth } from '../core/dtype.ts';
import type { Axis, Nest } from './nest.ts';
import { visitPoints } from './point.ts';
import type { MemorySlot } from './storage.ts';

export interface Traffic {
  readonly readBytes: number;
  readonly writeBytes: number;
}

export const pointsOf = (axes: readonly Axis[]): number => axes.reduce((n, a) => n * a.extent, 1);

export function trafficOf(nest: Nest): Traffic {
  const reads = new Map<MemorySlot, number>();
  const writes = new Map<MemorySlot, number>();
  const note = (table: Map<MemorySlot, number>, slot: MemorySlot, points: number): void => {
    if (slot.kind !== 'scratch') table.set(slot, Math.min((table.get(slot) ?? 0) + points, slot.elements));
  };
  for (const stage of nest.stages) {
    const points = pointsOf(nest.outer) * pointsOf(stage.axes);
    visitPoints([stage.value], nest.dynamic, (e) => {
      if (e.kind === 'load') note(reads, e.slot, points);
    });
    if ('slot' in stage) note(writes, stage.slot, points);
  }
  const bytes = (table: ReadonlyMap<MemorySlot, number>): number => [...table].reduce((sum, [slot, elements]) => sum + elements * byteWidth(slot.dtype), 0);
  return { readBytes: bytes(reads), writeBytes: bytes(writes) };
}
