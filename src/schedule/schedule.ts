// What a schedule is: kernels in order, and where every byte lives. Made from a primitive graph by `scheduleGraph`.
import type { Operand } from '../graph/builder.ts';
import type { KernelModule } from '../kernel/ir.ts';

export interface MemoryPlan {
  readonly arenaBytes: number;
  readonly weightsBytes: number;
  /** Per thread. */
  readonly scratchBytes: number;
  /** Sum of all intermediates that are materialised, without reuse. */
  readonly intermediateBytes: number;
  /** Bytes of the largest set of intermediates that live at once: no arena can be smaller for this order of kernels. */
  readonly lowerBoundBytes: number;
}

/** One kernel call as `explain` shows it. */
export interface CallReport {
  readonly kernel: string;
  /** Primitive nodes fused into it; in a plan, the model's nodes that it computes, wholly or in part: 'Conv conv1'. */
  readonly nodes: readonly string[];
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly flops: number;
  /** The choice (decide.ts) that made it what it is. */
  readonly question?: string;
}

export interface Schedule {
  /** Base pointers of `run`: arena, weights, the graph's inputs in order, its outputs in order. */
  readonly module: KernelModule;
  readonly memory: MemoryPlan;
  /** Constants written to the weights block as they are. */
  readonly loads: readonly { readonly constant: Operand; readonly offsetBytes: number }[];
  /** For each `init` call: the constants bound at BOUND_BASE and after, only for that call. */
  readonly staged: readonly (readonly Operand[])[];
  readonly report: readonly CallReport[];
  /** Bytes moved if every primitive were a kernel of its own. */
  readonly unfusedBytes: number;
}
