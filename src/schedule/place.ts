// Gives every slot its bytes: constants and what is made of them at load in the weights block, intermediates in the arena, ports where
// the caller binds them. Finds which constants are needed only to prepare others, so that they need not stay.
import { byteWidth } from '../core/dtype.ts';
import { invariant } from '../core/error.ts';
import type { Operand } from '../graph/builder.ts';
import { ARENA_BASE, BOUND_BASE, WEIGHTS_BASE } from '../kernel/ir.ts';
import type { BufferRef } from '../kernel/ir.ts';
import { alignUp, packRanges } from './memoryPlan.ts';
import type { LiveRange } from './memoryPlan.ts';
import type { LoweredKernel } from './emit/emitter.ts';
import type { MemorySlot } from './storage.ts';

export interface Placement {
  readonly arenaBytes: number;
  readonly weightsBytes: number;
  readonly intermediateBytes: number;
  readonly lowerBoundBytes: number;
  readonly loads: readonly { readonly constant: Operand; readonly offsetBytes: number }[];
  readonly staged: readonly (readonly Operand[])[];
  /** Arguments of each init and run call. */
  readonly initArgs: readonly (readonly BufferRef[])[];
  readonly runArgs: readonly (readonly BufferRef[])[];
}

export const slotBytes = (slot: MemorySlot): number => slot.elements * byteWidth(slot.dtype);
const slotsOf = (call: LoweredKernel): MemorySlot[] => call.args.map((a) => a.slot);

/** First and last call that touches each slot of `kinds`. */
function liveRanges(calls: readonly LoweredKernel[], isPlanned: (slot: MemorySlot) => boolean): Map<MemorySlot, LiveRange> {
  const ranges = new Map<MemorySlot, LiveRange>();
  for (const [time, call] of calls.entries()) {
    for (const slot of slotsOf(call)) {
      if (isPlanned(slot)) ranges.set(slot, { bytes: slotBytes(slot), start: ranges.get(slot)?.start ?? time, end: time });
    }
  }
  return ranges;
}

/** Packs the slots that live between `calls`; `reuse` names slots that take over the bytes of another. */
function packSlots(calls: readonly LoweredKernel[], isPlanned: (slot: MemorySlot) => boolean, reuse: ReadonlyMap<MemorySlot, MemorySlot>) {
  const ranges = liveRanges(calls, isPlanned);
  const owner = (slot: MemorySlot): MemorySlot => {
    let at = slot;
    for (let next = reuse.get(at); next !== undefined; next = reuse.get(at)) at = next;
    return at;
  };
  const merged = new Map<MemorySlot, LiveRange>();
  for (const [slot, range] of ranges) {
    const key = owner(slot);
    const before = merged.get(key);
    merged.set(
      key,
      before === undefined ? range : { bytes: Math.max(before.bytes, range.bytes), start: Math.min(before.start, range.start), end: Math.max(before.end, range.end) },
    );
  }
  const owners = [...merged.keys()];
  const packing = packRanges([...merged.values()]);
  const offsetOf = new Map(owners.map((slot, i) => [slot, packing.offsets[i]!]));
  return {
    bytes: packing.bytes,
    lowerBound: packing.lowerBound,
    total: [...ranges.values()].reduce((sum, r) => sum + r.bytes, 0),
    offsets: new Map([...ranges.keys()].map((slot) => [slot, offsetOf.get(owner(slot))!])),
  };
}

export function placeSlots(init: readonly LoweredKernel[], run: readonly LoweredKernel[], inputs: number, reuse: ReadonlyMap<MemorySlot, MemorySlot>): Placement {
  const inRun = new Set(run.flatMap(slotsOf));
  const inInit = new Set(init.flatMap(slotsOf));
  const isKept = (slot: MemorySlot): boolean => inRun.has(slot) && (slot.kind === 'constant' || (slot.kind === 'value' && inInit.has(slot)));
  const weights = new Map<MemorySlot, number>();
  let weightsBytes = 0;
  for (const slot of new Set([...inRun, ...inInit])) {
    if (!isKept(slot)) continue;
    weights.set(slot, weightsBytes);
    weightsBytes += alignUp(slotBytes(slot));
  }
  const loads = [...weights].flatMap(([slot, offsetBytes]) => (slot.constant === undefined ? [] : [{ constant: slot.constant, offsetBytes }]));
  const runPack = packSlots(run, (slot) => slot.kind === 'value' && !isKept(slot), reuse);
  const initPack = packSlots(init, (slot) => slot.kind === 'value' && !isKept(slot), new Map());
  const staged = init.map((call) => [...new Set(slotsOf(call).filter((slot) => slot.kind === 'constant' && !isKept(slot)))]);

  const refs = (call: LoweredKernel, offsets: ReadonlyMap<MemorySlot, number>, bound: (slot: MemorySlot) => number): BufferRef[] =>
    call.args.map(({ slot, offset }) => {
      const extra = offset * byteWidth(slot.dtype);
      const weight = weights.get(slot);
      if (weight !== undefined) return { base: WEIGHTS_BASE, offsetBytes: weight + extra };
      if (slot.kind === 'value') return { base: ARENA_BASE, offsetBytes: offsets.get(slot)! + extra };
      return { base: BOUND_BASE + bound(slot), offsetBytes: extra };
    });
  const port = (slot: MemorySlot): number => {
    invariant(slot.port !== undefined, `a ${slot.kind} slot in a run`);
    return slot.kind === 'input' ? slot.port : inputs + slot.port;
  };
  return {
    arenaBytes: Math.max(runPack.bytes, initPack.bytes),
    weightsBytes,
    intermediateBytes: runPack.total,
    lowerBoundBytes: runPack.lowerBound,
    loads,
    staged: staged.map((slots) => slots.map((slot) => slot.constant!)),
    initArgs: init.map((call, i) => refs(call, initPack.offsets, (slot) => staged[i]!.indexOf(slot))),
    runArgs: run.map((call) => refs(call, runPack.offsets, port)),
  };
}
