// The shape of a launch: how many threads form a block, and how a kernel's body learns which of them it is.
import type { IndexExpr } from '../../core/indexExpr.ts';
import { index, mul, add, variable } from '../../kernel/build.ts';
import type { Expr, Kernel } from '../../kernel/ir.ts';
import type { Emitter, LoweredKernel } from '../emit/emitter.ts';

export const GRID_VAR = 'g';
export const THREAD_VAR = 't';

/** Threads of a block where nothing asks for more: enough to hide latency, few enough to leave registers. */
export const BLOCK_THREADS = 128;

export const grid: Expr = variable(GRID_VAR);
export const thread: Expr = variable(THREAD_VAR);
/** The number of the thread among all of the launch. */
export const globalThread = (threads: number): Expr => (threads === 1 ? grid : add(mul(grid, index(threads)), thread));

export const powerAtLeast = (x: number): number => 2 ** Math.ceil(Math.log2(Math.max(x, 1)));
export const powerAtMost = (x: number): number => 2 ** Math.floor(Math.log2(Math.max(x, 1)));

export interface Launch {
  readonly blocks: number;
  readonly threads: number;
  /** Threads that take each other's values; absent where none do. */
  readonly subgroup?: number;
  /** Blocks that a unit should have room for at a time. */
  readonly together?: number;
}

/** Closes a kernel; `shared`: its scratch memory is the block's rather than each thread's. */
export function finishKernel(emitter: Emitter, name: string, { blocks, ...block }: Launch, shared: boolean, cost: Kernel['cost']): LoweredKernel {
  const lowered = emitter.finish(name, { var: GRID_VAR, extent: blocks }, cost);
  const scratch = shared ? lowered.kernel.scratch.map((s) => ({ ...s, shared: true })) : lowered.kernel.scratch;
  return { ...lowered, kernel: { ...lowered.kernel, scratch, block: { var: THREAD_VAR, ...block } } };
}

/** Whether every value of `x` is known to be a multiple of `by`. */
export const isMultiple = (x: IndexExpr, by: number): boolean => x.constant % by === 0 && x.terms.every(({ coefficient }) => coefficient % by === 0);

/** Writes what happens only where `condition` holds; always, where there is none. */
export function when(emitter: Emitter, condition: Expr | undefined, write: () => void): void {
  if (condition === undefined) return write();
  const then = emitter.block(write, true);
  emitter.push({ kind: 'if', condition, then, else: [] });
}
