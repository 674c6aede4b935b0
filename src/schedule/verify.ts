// Verifies a schedule: its kernels, and that they are called with memory that is there and may be written.
import { tensorBytes } from '../core/tensor.ts';
import type { Operand, PrimGraph } from '../graph/builder.ts';
import { verifyModule } from '../kernel/verifyModule.ts';
import type { Schedule } from './schedule.ts';

/** All that is wrong with the kernels made for `graph`, one sentence each. */
export function verifySchedule({ inputs, outputs }: PrimGraph, { module, memory, staged }: Schedule): string[] {
  const bytes = (x: Operand): number => tensorBytes(x.dtype, x.shape);
  const bound = [...inputs.map((x) => ({ bytes: bytes(x), writable: false })), ...outputs.map((x) => ({ bytes: bytes(x), writable: true }))];
  return verifyModule(module, { ...memory, bound, staged: staged.map((list) => list.map(bytes)) });
}
