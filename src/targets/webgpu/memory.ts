// Buffers and programs of a WebGPU device: what the device makes and its queues use.
import { byteWidth } from '../../core/dtype.ts';
import { AnychipError, invariant } from '../../core/error.ts';
import type { KernelCall } from '../../kernel/ir.ts';
import { checkedBuffer } from '../../runtime/checkedBuffer.ts';
import type { Buffer, Program } from '../../runtime/device.ts';
import type { LaunchPlan, LaunchedKernel } from '../../runtime/launchPlan.ts';
import { usage } from './api.ts';
import type { GpuBindGroup, GpuBuffer, GpuComputePass, GpuPipeline } from './api.ts';
import type { WebGpuDevice } from './device.ts';

export class DeviceBuffer implements Buffer {
  readonly handle: GpuBuffer;
  readonly bytes: number;
  readonly #released: () => void;
  #alive = true;

  constructor(handle: GpuBuffer, bytes: number, released: () => void) {
    this.handle = handle;
    this.bytes = bytes;
    this.#released = released;
  }

  get alive(): boolean {
    return this.#alive;
  }

  dispose(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.handle.destroy();
    this.#released();
  }
}

/** One call of the plan: its pipeline, and what it is bound to as long as that stays the same. */
class GpuCall {
  readonly #owner: WebGpuDevice;
  readonly #launch: LaunchedKernel;
  readonly #pipeline: GpuPipeline;
  /** The blocks of memory that the call touches, in the order of their bindings. */
  readonly #bases: readonly number[];
  readonly #starts: { readonly buffer: GpuBuffer; readonly offset: number; readonly size: number };
  #bound: readonly DeviceBuffer[] = [];
  #group: GpuBindGroup | undefined;

  constructor(owner: WebGpuDevice, launch: LaunchedKernel, pipeline: GpuPipeline, { args }: KernelCall, starts: { readonly buffer: GpuBuffer; readonly offset: number }) {
    this.#owner = owner;
    this.#launch = launch;
    this.#pipeline = pipeline;
    this.#bases = [...new Set(args.map(({ base }) => base))];
    this.#starts = { ...starts, size: startsBytes(args.length) };
    if (this.#bases.length <= owner.machine.maxBindings) return;
    throw new AnychipError('limit', `${launch.symbol} uses ${this.#bases.length} blocks of memory at once, and this GPU allows ${owner.machine.maxBindings}`, {
      hint: 'Run this model on another device.',
    });
  }

  encode(pass: GpuComputePass, bases: readonly DeviceBuffer[]): void {
    const { blocks } = this.#launch;
    if (blocks === 0) return;
    const bound = this.#bases.map((base) => bases[base]!);
    if (this.#group === undefined || bound.some((buffer, i) => buffer !== this.#bound[i])) {
      const resources = [this.#starts, ...bound.map(({ handle }) => ({ buffer: handle }))];
      this.#group = this.#owner.gpu.createBindGroup({ layout: this.#pipeline.getBindGroupLayout(0), entries: resources.map((resource, binding) => ({ binding, resource })) });
      this.#bound = bound;
    }
    pass.setPipeline(this.#pipeline);
    pass.setBindGroup(0, this.#group);
    const rows = Math.ceil(blocks / MOST_PER_DIMENSION);
    pass.dispatchWorkgroups(Math.ceil(blocks / rows), rows);
  }
}

/** Every implementation allows so many blocks along a dimension. */
const MOST_PER_DIMENSION = 65_535;

/** Bytes of the table that tells a kernel where its buffers begin: a word each, in rows of four. */
const startsBytes = (args: number): number => Math.max(Math.ceil(args / 4), 1) * 16;

export class GpuProgram implements Program {
  readonly init: readonly GpuCall[];
  readonly run: readonly GpuCall[];
  readonly #starts: GpuBuffer;

  constructor(owner: WebGpuDevice, plan: LaunchPlan, pipelines: readonly GpuPipeline[]) {
    const calls = [...plan.init, ...plan.run];
    const { uniformAlignment } = owner.machine;
    const stride = Math.ceil(Math.max(...calls.map((call) => startsBytes(call.args.length)), 1) / uniformAlignment) * uniformAlignment;
    const table = new Uint32Array((stride / 4) * Math.max(calls.length, 1));
    calls.forEach((call, row) => call.args.forEach(({ offsetBytes }, i) => void (table[(row * stride) / 4 + i] = offsetBytes)));
    const starts = owner.gpu.createBuffer({ size: table.byteLength, usage: usage.uniform | usage.copyTarget });
    owner.gpu.queue.writeBuffer(starts, 0, new Uint8Array(table.buffer));
    this.#starts = starts;
    const made = calls.map((call, row) => new GpuCall(owner, plan.kernels[call.kernel]!, pipelines[call.kernel]!, call, { buffer: starts, offset: row * stride }));
    this.init = made.slice(0, plan.init.length);
    this.run = made.slice(plan.init.length);
  }

  dispose(): void {
    this.#starts.destroy();
  }
}

/** A buffer of this device with `bytes` bytes at an offset, which is of whole words. */
export function wordsOf(buffer: Buffer, offset: number, bytes: number): DeviceBuffer {
  invariant(offset % WORD === 0, `byte ${offset} of a buffer is within a word`);
  return checkedBuffer(DeviceBuffer, buffer, offset, bytes);
}

const WORD = byteWidth('u32');
