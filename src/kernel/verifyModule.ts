// Verifies modules: every kernel, and that every argument of a call lies inside the block of memory it points into.
import { byteWidth, dtypes } from '../core/dtype.ts';
import { ARENA_BASE, BOUND_BASE, WEIGHTS_BASE, scratchBytes } from './ir.ts';
import type { KernelCall, KernelModule } from './ir.ts';
import { verifyKernel } from './verify.ts';

/** The memory that a module is called with, bytes. */
export interface ModuleMemory {
  readonly arenaBytes: number;
  readonly weightsBytes: number;
  readonly scratchBytes: number;
  /** What `run` is bound to, from BOUND_BASE on; inputs must not be written. */
  readonly bound: readonly { readonly bytes: number; readonly writable: boolean }[];
  /** What each `init` call is bound to: only read. */
  readonly staged: readonly (readonly number[])[];
}

interface Block {
  readonly title: string;
  readonly bytes: number;
  readonly writable: boolean;
}

function callProblems(module: KernelModule, call: KernelCall, blocks: readonly (Block | undefined)[]): string[] {
  const kernel = module.kernels[call.kernel];
  if (kernel === undefined) return [`a call of kernel ${call.kernel} of ${module.kernels.length}`];
  if (call.args.length !== kernel.params.length) return [`${kernel.name} is called with ${call.args.length} buffers and has ${kernel.params.length}`];
  return kernel.params.flatMap((param, i) => {
    const { base, offsetBytes } = call.args[i]!;
    const block = blocks[base];
    const what = `${kernel.name} ${param.name}`;
    if (block === undefined) return [`${what} lies in block ${base}, which is not bound`];
    const width = byteWidth(param.dtype);
    const end = offsetBytes + param.elements * width;
    const problems: string[] = [];
    if (offsetBytes < 0 || end > block.bytes) problems.push(`${what} is bytes ${offsetBytes} to ${end} of ${block.title}, which has ${block.bytes}`);
    if (offsetBytes % width !== 0) problems.push(`${what} is not aligned: byte ${offsetBytes} for ${param.dtype}`);
    if (param.access !== 'read' && !block.writable) problems.push(`${what} is written and lies in ${block.title}`);
    return problems;
  });
}

/** All that is wrong with a module, one sentence each. */
export function verifyModule(module: KernelModule, memory: ModuleMemory): string[] {
  const arena: Block = { title: 'the arena', bytes: memory.arenaBytes, writable: true };
  const weights = (writable: boolean): Block => ({ title: 'the weights', bytes: memory.weightsBytes, writable });
  const blocksOf = (bound: readonly Block[], atLoad: boolean): Block[] => {
    const blocks: Block[] = [];
    blocks[ARENA_BASE] = arena;
    blocks[WEIGHTS_BASE] = weights(atLoad);
    bound.forEach((block, i) => void (blocks[BOUND_BASE + i] = block));
    return blocks;
  };
  const inKernels = module.kernels.flatMap((kernel) => verifyKernel(kernel).problems.map((problem) => `${kernel.name}: ${problem}`));
  const inScratch = module.kernels.flatMap((kernel) => {
    const bytes = scratchBytes(kernel, (dtype) => dtypes[dtype].bytes);
    return bytes > memory.scratchBytes ? [`${kernel.name}: ${bytes} bytes of scratch, and the plan has ${memory.scratchBytes}`] : [];
  });
  const inInit = module.init.flatMap((call, i) => {
    const staged = (memory.staged[i] ?? []).map((bytes): Block => ({ title: 'a staged constant', bytes, writable: false }));
    return callProblems(module, call, blocksOf(staged, true));
  });
  const bound = memory.bound.map(({ bytes, writable }): Block => ({ title: writable ? 'an output' : 'an input', bytes, writable }));
  const inRun = module.run.flatMap((call) => callProblems(module, call, blocksOf(bound, false)));
  return [...new Set([...inKernels, ...inScratch, ...inInit, ...inRun])];
}
