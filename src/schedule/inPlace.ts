// Kernels that may write over what they read: every element is read only where the same element is written, and what is read is not
// needed later. Such a pair of slots becomes one, so the arena holds it once.
import { substituteIndex } from '../core/indexExpr.ts';
import { renameBuffers } from '../kernel/rewriteKernel.ts';
import type { BufferParam } from '../kernel/ir.ts';
import { axisIndex } from './nest.ts';
import type { Nest, Stage } from './nest.ts';
import { visitPoints } from './point.ts';
import type { LoweredKernel } from './emit/emitter.ts';
import { ownerOf } from './storage.ts';
import type { MemorySlot } from './storage.ts';

/** Element i of `read` is read only before element i of `write` is written, by the same grid step. */
export interface InPlacePair {
  readonly read: MemorySlot;
  readonly write: MemorySlot;
  /** Whether the kernel does nothing but copy the one to the other. */
  readonly isCopy: boolean;
}

const fits = (read: MemorySlot, write: MemorySlot): boolean => read !== write && read.dtype === write.dtype && read.elements === write.elements;

/** The pairs of a nest: its only store to memory is the last stage, and earlier stages of a row read the same rows. */
export function findPairs(nest: Nest): InPlacePair[] {
  const last = nest.stages.at(-1);
  if (last?.kind !== 'store' || last.slot.kind !== 'value' || nest.dynamic.size > 0) return [];
  const reads = new Map<MemorySlot, boolean>();
  for (const stage of nest.stages) {
    const rename = renameAxes(stage, last);
    visitPoints([stage.value], nest.dynamic, (e) => {
      if (e.kind !== 'load' || e.slot.kind !== 'value') return;
      const owner = ownerOf(e.slot);
      const same = owner === e.slot && rename !== undefined && substituteIndex(e.offset, rename).key === last.offset.key;
      reads.set(owner, (reads.get(owner) ?? true) && same);
    });
  }
  return [...reads].flatMap(([read, same]) => (same && fits(read, last.slot) ? [{ read, write: last.slot, isCopy: last.value.kind === 'load' }] : []));
}

/** The axes of `stage` as those of `last`, if they are alike. */
function renameAxes(stage: Stage, last: Stage) {
  if (stage.axes.length !== last.axes.length || !stage.axes.every((a, i) => a.extent === last.axes[i]!.extent)) return undefined;
  return new Map(stage.axes.map((a, i) => [a.name, axisIndex(last.axes[i]!)]));
}

interface Call {
  readonly kernel: LoweredKernel;
}

/** First and last call that touches each slot. */
function livesOf(calls: readonly Call[]): Map<MemorySlot, { readonly first: number; readonly last: number }> {
  const lives = new Map<MemorySlot, { readonly first: number; readonly last: number }>();
  for (const [time, { kernel }] of calls.entries()) for (const { slot } of kernel.args) lives.set(slot, { first: lives.get(slot)?.first ?? time, last: time });
  return lives;
}

export interface InPlace<C extends Call> {
  /** Without the copies that have become needless. */
  readonly calls: readonly C[];
  /** Slots that are another slot now. */
  readonly reuse: ReadonlyMap<MemorySlot, MemorySlot>;
}

/** Merges the pairs of each call whose read slot dies there; `isFixed`: slots whose bytes must stay as they are. */
export function workInPlace<C extends Call>(calls: readonly C[], isFixed: (slot: MemorySlot) => boolean): InPlace<C> {
  const lives = livesOf(calls);
  const reuse = new Map<MemorySlot, MemorySlot>();
  const merged = calls.flatMap((call, time): C[] => {
    const pair = call.kernel.inPlace?.find(({ read, write }) => lives.get(read)?.last === time && lives.get(write)?.first === time && !isFixed(read) && !isFixed(write));
    if (pair === undefined) return [call];
    reuse.set(pair.write, pair.read);
    return pair.isCopy ? [] : [{ ...call, kernel: mergeParams(call.kernel, pair) }];
  });
  return { calls: merged, reuse };
}

/** The kernel with one parameter for both slots. */
function mergeParams(call: LoweredKernel, { read, write }: InPlacePair): LoweredKernel {
  const at = (slot: MemorySlot): number => call.args.findIndex((a) => a.slot === slot);
  const [from, to] = [at(write), at(read)];
  const { params } = call.kernel;
  const body = renameBuffers(call.kernel.body, (name) => (name === params[from]!.name ? params[to]!.name : name));
  const kept = params.map((p, i): BufferParam => (i === to ? { ...p, access: 'readwrite' } : p)).filter((_, i) => i !== from);
  return { ...call, kernel: { ...call.kernel, body, params: kept }, args: call.args.filter((_, i) => i !== from) };
}
