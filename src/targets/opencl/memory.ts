// Buffers and programs of an OpenCL device: what the device makes and its queues use.
import { HostMemory } from '../../ffi/hostMemory.ts';
import type { KernelCall } from '../../kernel/ir.ts';
import type { Buffer, Program } from '../../runtime/device.ts';
import type { LaunchPlan, LaunchedKernel } from '../../runtime/launchPlan.ts';
import type { OpenCl } from './api.ts';

export class ClBuffer implements Buffer {
  readonly handle: bigint;
  readonly bytes: number;
  readonly #cl: OpenCl;
  #alive = true;

  constructor(cl: OpenCl, handle: bigint, bytes: number) {
    this.#cl = cl;
    this.handle = handle;
    this.bytes = bytes;
  }

  get alive(): boolean {
    return this.#alive;
  }

  dispose(): void {
    if (this.#alive) this.#cl.call('clReleaseMemObject', this.handle);
    this.#alive = false;
  }
}

/** One call of the plan: a kernel object of its own, whose arguments stay set from run to run. */
export class ClCall {
  readonly #cl: OpenCl;
  readonly #kernel: bigint;
  readonly #launch: LaunchedKernel;
  readonly #args: KernelCall['args'];
  /** Global and local size. */
  readonly #size: HostMemory;
  readonly #cell: HostMemory;
  readonly #bound: (ClBuffer | undefined)[];

  constructor(cl: OpenCl, program: bigint, launch: LaunchedKernel, args: KernelCall['args']) {
    const { native } = cl;
    this.#cl = cl;
    this.#launch = launch;
    this.#args = args;
    this.#kernel = cl.create('clCreateKernel', program, HostMemory.string(native, launch.symbol));
    this.#size = HostMemory.words(native, [BigInt(launch.blocks * launch.threads), BigInt(launch.threads)]);
    this.#cell = new HostMemory(native, 8);
    this.#bound = args.map(() => undefined);
    args.forEach(({ offsetBytes }, i) => this.#set(2 * i + 1, BigInt(offsetBytes)));
    const { buffers = args.length, numbers = [] } = launch.entry ?? {};
    for (let i = 2 * args.length; i < 2 * buffers; i++) this.#set(i, 0n);
    numbers.forEach((x, i) => this.#set(2 * buffers + i, BigInt.asUintN(64, BigInt(x))));
  }

  #set(index: number, word: bigint): void {
    this.#cell.u64[0] = word;
    this.#cl.call('clSetKernelArg', this.#kernel, index, 8, this.#cell);
  }

  /** `event`: where the handle of the launch's event goes, 0 for none. */
  enqueue(queue: bigint, bases: readonly ClBuffer[], event: bigint): void {
    if (this.#launch.blocks === 0) return;
    this.#args.forEach(({ base }, i) => {
      const buffer = bases[base]!;
      if (this.#bound[i] === buffer) return;
      this.#set(2 * i, buffer.handle);
      this.#bound[i] = buffer;
    });
    const size = this.#size;
    this.#cl.call('clEnqueueNDRangeKernel', queue, this.#kernel, 1, 0n, size, size.address + 8n, 0, 0n, event);
  }

  dispose(): void {
    this.#cl.call('clReleaseKernel', this.#kernel);
  }
}

export class ClProgram implements Program {
  readonly init: readonly ClCall[];
  readonly run: readonly ClCall[];
  readonly #cl: OpenCl;
  #handle: bigint | undefined;

  constructor(cl: OpenCl, handle: bigint, plan: LaunchPlan) {
    this.#cl = cl;
    this.#handle = handle;
    const callsOf = (calls: readonly KernelCall[]): ClCall[] => calls.map((call) => new ClCall(cl, handle, plan.kernels[call.kernel]!, call.args));
    this.init = callsOf(plan.init);
    this.run = callsOf(plan.run);
  }

  dispose(): void {
    if (this.#handle === undefined) return;
    for (const call of [...this.init, ...this.run]) call.dispose();
    this.#cl.call('clReleaseProgram', this.#handle);
    this.#handle = undefined;
  }
}
