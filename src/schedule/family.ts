// What the schedule asks of a kernel family: its way of turning nests, contractions and orderings into kernels for a kind of machine.
// The schedule decides what is fused and where it lies; a family decides how it is computed.
import type { Operand, PrimNode } from '../graph/builder.ts';
import type { Chain } from './chains.ts';
import type { Evaluator } from './evaluate.ts';
import type { Root } from './fuse.ts';
import type { Nest } from './nest.ts';
import type { PointExpr } from './point.ts';
import type { Position, PrimNodes } from './positions.ts';
import type { LoweredKernel } from './emit/emitter.ts';
import type { MemorySlot, Storage } from './storage.ts';

/** What a family may ask of the schedule around a kernel. */
export interface ScheduleContext {
  createEvaluator(): Evaluator;
  storageOf(x: Operand): Storage;
  isLoadTime(slot: MemorySlot): boolean;
  /** The value of what is known at load, over loads of constants alone; undefined where it is not computed from them point by point. */
  originOf(x: Operand, at: Position): PointExpr | undefined;
  /** Adds a kernel that runs once at load. */
  addPacking(key: string, source: MemorySlot, make: () => { readonly kernel: LoweredKernel; readonly slot: MemorySlot }): MemorySlot;
}

/** A matmul or conv with all that is fused to it. */
export interface ContractionRoot {
  readonly context: ScheduleContext;
  readonly root: Root;
  readonly target: Storage;
  /** The plain way to compute it: a sum at every point of the result. */
  readonly nest: Nest;
  readonly nodes: readonly PrimNode[];
  readonly flops: number;
}

export interface Family {
  /** Bytes of a row that a kernel may keep while its stages run. */
  readonly keptBytes: number;
  /** Lanes of vectors that should run along the channels of images, which then lie with channels last; 1 where images stay in row-major order. */
  readonly channelLanes: number;
  lowerNest(name: string, nest: Nest, flops?: number): readonly LoweredKernel[];
  lowerContraction(site: ContractionRoot): readonly LoweredKernel[];
  /** Three nests as one; undefined where that cannot be, or is no faster. */
  lowerChain?(chain: Chain): readonly LoweredKernel[] | undefined;
  /** `x`: the operand, `outputs`: values and positions. */
  lowerTopK(node: PrimNodes['topK'], x: Storage, outputs: readonly Storage[]): readonly LoweredKernel[];
}
