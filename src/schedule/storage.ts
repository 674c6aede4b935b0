// Where values live while a program runs: slots of memory, and the strided view of a slot that a tensor is.
// The memory plan gives slots their place; nothing here knows offsets in the arena.
import type { NumericDType } from '../core/dtype.ts';
import { elementCount, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { wordLayouts } from '../core/words.ts';
import type { WordParts } from '../core/words.ts';
import type { Operand } from '../graph/builder.ts';

/**
 * A block of memory that kernels are given. value: made by kernels, its place is found by the memory plan; constant: filled at load;
 * input and output: bound by the caller; scratch: private to a thread.
 */
export interface MemorySlot {
  readonly kind: 'value' | 'constant' | 'input' | 'output' | 'scratch';
  readonly dtype: NumericDType;
  readonly elements: number;
  /** The constant that fills it. */
  readonly constant?: Operand;
  /** The slot whose bytes these are, seen as another dtype. */
  readonly bytesOf?: MemorySlot;
  /** The position among the graph's inputs or outputs. */
  readonly port?: number;
}

/** The slot that memory is found for. */
export const ownerOf = (slot: MemorySlot): MemorySlot => slot.bytesOf ?? slot;

/** The same bytes as words of so many parts. */
export const wordsOf = (slot: MemorySlot, parts: WordParts): MemorySlot => ({
  ...slot,
  dtype: 'i32',
  elements: Math.floor(slot.elements / wordLayouts[parts].count),
  bytesOf: slot,
});

/** Element (i…) of a tensor is element offset + Σ i·stride of the slot. */
export interface Storage {
  readonly slot: MemorySlot;
  readonly offset: number;
  readonly strides: readonly number[];
}

export const contiguous = (slot: MemorySlot, shape: Shape): Storage => ({ slot, offset: 0, strides: stridesOf(shape) });

export const createSlot = (kind: MemorySlot['kind'], x: { readonly dtype: NumericDType; readonly shape: Shape }, from: Pick<MemorySlot, 'constant' | 'port'> = {}): MemorySlot => ({
  kind,
  dtype: x.dtype,
  elements: elementCount(x.shape),
  ...from,
});
