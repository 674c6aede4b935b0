// One kernel alone on a device and in the interpreter, with buffers of exactly its size: what a test of rules needs.
import { byteWidth } from '../../src/core/dtype.ts';
import { bytesOf } from '../../src/core/tensor.ts';
import { Interpreter } from '../../src/kernel/interpret.ts';
import type { Kernel, KernelModule } from '../../src/kernel/ir.ts';
import { watchedBlock } from '../../src/kernel/memory.ts';
import type { Program, Target } from '../../src/runtime/device.ts';
import { packProgram } from '../../src/runtime/launchPlan.ts';
import type { LaunchPlan } from '../../src/runtime/launchPlan.ts';
import { unpackProgram } from '../../src/runtime/launchPlan.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';

/** Something to run a kernel with: the same for the kernel and for its mutants. */
const contentOf = (kernel: Kernel, i: number): Uint8Array => {
  const { dtype, elements } = kernel.params[i]!;
  return bytesOf(randomTensor(createRandom(i + 1), dtype, [elements]));
};

/** Each kernel as a call of its own, over buffers of its own. */
export const moduleOf = (kernels: readonly Kernel[]): KernelModule => ({
  kernels,
  init: kernels.map((kernel, i) => ({ kernel: i, args: kernel.params.map((_, base) => ({ base, offsetBytes: 0 })) })),
  run: [],
});

/** What the interpreter has against the kernel; undefined where it is in order. Outputs that `isWhole` must be written everywhere. */
export function interpreterVerdict(kernel: Kernel, isWhole: boolean): string | undefined {
  const interpreter = new Interpreter(moduleOf([kernel]));
  const blocks = kernel.params.map((p, i) => {
    const block = watchedBlock(p.elements * byteWidth(p.dtype));
    if (p.access === 'write') return block;
    block.bytes.set(contentOf(kernel, i));
    interpreter.markWritten(block);
    return block;
  });
  try {
    interpreter.execute({ init: 0 }, blocks);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  const isMissing = isWhole && blocks.some((block) => block.watch!.written.includes(0));
  return isMissing ? 'an output is not written everywhere' : undefined;
}

export interface Run {
  readonly kernel: Kernel;
  readonly offsetBytes?: readonly number[];
  readonly isWhole: boolean;
}

/** What the device says of call `init` of the program; undefined where it runs through. */
export async function deviceVerdict(
  target: Target,
  binary: { readonly format: string; readonly bytes: Uint8Array },
  init: number,
  { kernel, offsetBytes, isWhole }: Run,
): Promise<string | undefined> {
  const device = await target.openDevice();
  let program: Program | undefined;
  try {
    program = await device.load(shifted(binary, init, offsetBytes), { scratchBytes: 0 });
    const queue = device.createQueue();
    const buffers = kernel.params.map((p, i) => {
      const late = offsetBytes?.[i] ?? 0;
      const bytes = p.elements * byteWidth(p.dtype);
      const buffer = device.allocate(bytes + late);
      if (p.access !== 'write') queue.write(buffer, 0, late === 0 ? contentOf(kernel, i) : new Uint8Array(bytes + late));
      return buffer;
    });
    queue.dispatch(program, { init }, buffers);
    await queue.finish();
    if (isWhole) {
      for (const buffer of buffers) queue.read(buffer, 0, new Uint8Array(buffer.bytes));
      await queue.finish();
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    try {
      program?.dispose();
    } catch {
      // After a fault the device takes no call, until all that use it have let it go.
    }
    device.dispose();
  }
}

/** The program with the buffers of one call beginning late. */
function shifted(
  binary: { readonly format: string; readonly bytes: Uint8Array },
  init: number,
  offsetBytes: readonly number[] | undefined,
): { readonly format: string; readonly bytes: Uint8Array } {
  if (offsetBytes === undefined) return binary;
  const { plan, pieces } = unpackProgram(binary.bytes);
  const late: LaunchPlan = {
    ...plan,
    init: plan.init.map((call, i) => (i === init ? { ...call, args: call.args.map((arg, j) => ({ ...arg, offsetBytes: offsetBytes[j] ?? 0 })) } : call)),
  };
  return { format: binary.format, bytes: packProgram(late, ...pieces) };
}
