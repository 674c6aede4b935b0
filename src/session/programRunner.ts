// One device program with its memory: weights are written and packed once at load, a run binds inputs and outputs and dispatches.
import { AnychipError } from '../core/error.ts';
import { elementCount } from '../core/shape.ts';
import { bytesOf, createTensor, numeric } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { isTraced, trace } from '../core/trace.ts';
import type { Constant } from '../graph/graph.ts';
import type { Buffer, Device, Program, Queue } from '../runtime/device.ts';
import { checkProgramMemory } from '../plan.ts';
import type { DeviceStep, Port } from '../plan.ts';

/** An input or output: over host memory where the device can use it in place, else a device buffer and a copy. */
interface Bound {
  readonly buffer: Buffer;
  readonly wrapped: boolean;
}

export class ProgramRunner {
  readonly #device: Device;
  readonly #queue: Queue;
  readonly #step: DeviceStep;
  readonly #program: Program;
  readonly #arena: Buffer;
  readonly #weights: Buffer;
  /** Device buffers of ports, made on first use by a device that cannot use host memory. */
  readonly #ports = new Map<Port, Buffer>();
  /** The arena is one: a run starts when the one before has ended. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(device: Device, queue: Queue, step: DeviceStep, program: Program, arena: Buffer, weights: Buffer) {
    this.#device = device;
    this.#queue = queue;
    this.#step = step;
    this.#program = program;
    this.#arena = arena;
    this.#weights = weights;
  }

  static async load(device: Device, step: DeviceStep, maxMemoryBytes: number): Promise<ProgramRunner> {
    const { memory } = step;
    checkProgramMemory(step, maxMemoryBytes);
    const held: { dispose(): void }[] = [];
    const hold = <T extends { dispose(): void }>(x: T): T => {
      held.push(x);
      return x;
    };
    try {
      const program = hold(await device.load(step.binary, { scratchBytes: memory.scratchBytes }));
      const [arena, weights] = [hold(device.allocate(memory.arenaBytes)), hold(device.allocate(memory.weightsBytes))];
      const runner = new ProgramRunner(device, device.createQueue(), step, program, arena, weights);
      await runner.#initialize();
      trace(4, () => ({ kind: 'memory', message: 'program loaded', facts: { ...memory } }));
      return runner;
    } catch (error) {
      for (const x of held) x.dispose();
      throw error;
    }
  }

  /** Weights go to their places; packing kernels run once. Each constant is read, used and let go, one at a time. */
  async #initialize(): Promise<void> {
    for (const { constant, offsetBytes } of this.#step.loads) {
      let at = offsetBytes;
      for (const piece of constant.pieces?.() ?? [bytesOf(numeric(constant.read()))]) {
        this.#queue.write(this.#weights, at, piece);
        at += piece.byteLength;
        if (constant.bytes > LARGE_CONSTANT_BYTES) await this.#queue.finish();
      }
    }
    for (const [call, constants] of this.#step.staged.entries()) {
      const staged = constants.map((constant) => this.#stage(constant));
      this.#queue.dispatch(this.#program, { init: call }, [this.#arena, this.#weights, ...staged]);
      await this.#queue.finish();
      for (const buffer of staged) buffer.dispose();
    }
    await this.#queue.finish();
  }

  #stage(constant: Constant): Buffer {
    const bytes = bytesOf(numeric(constant.read()));
    const wrapped = this.#device.wrap(bytes);
    if (wrapped !== undefined) return wrapped;
    const buffer = this.#device.allocate(bytes.byteLength);
    this.#queue.write(buffer, 0, bytes);
    return buffer;
  }

  run(inputs: readonly NumericTensor[]): Promise<NumericTensor[]> {
    const run = this.#last.then(() => this.#run(inputs));
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #run(inputs: readonly NumericTensor[]): Promise<NumericTensor[]> {
    const step = this.#step;
    const outputs = step.outputs.map((port) => createTensor(port.dtype, port.shape));
    const boundInputs = step.inputs.map((port, i) => this.#bind(port, bytesOf(inputs[i]!), true));
    const boundOutputs = step.outputs.map((port, i) => this.#bind(port, bytesOf(outputs[i]!), false));
    const bases = [this.#arena, this.#weights, ...boundInputs.map((b) => b.buffer), ...boundOutputs.map((b) => b.buffer)];
    await this.#dispatch(bases);
    boundOutputs.forEach((bound, i) => {
      if (!bound.wrapped) this.#queue.read(bound.buffer, 0, bytesOf(outputs[i]!));
    });
    await this.#queue.finish();
    for (const bound of [...boundInputs, ...boundOutputs]) if (bound.wrapped) bound.buffer.dispose();
    return outputs;
  }

  /** Runs the program; an error says which kernel and which nodes caused it. */
  async #dispatch(bases: readonly Buffer[]): Promise<void> {
    const { report } = this.#step;
    try {
      if (isTraced(4) && this.#queue.profile !== undefined) this.#report(await this.#queue.profile(this.#program, bases, report.length));
      else this.#queue.dispatch(this.#program, 'run', bases);
    } catch (error) {
      const call = error instanceof AnychipError ? report.find((_, i) => i === error.facts['call']) : undefined;
      throw error instanceof AnychipError && call !== undefined ? error.within(`kernel ${call.kernel} (${call.nodes.join(', ')})`) : error;
    }
  }

  #report(nanos: readonly number[]): void {
    this.#step.report.forEach(({ kernel, nodes, flops, readBytes, writeBytes }, i) => {
      const micros = nanos[i]! / 1000;
      trace(4, () => ({ kind: 'kernel', message: kernel, facts: { kernel, nodes, flops, bytes: readBytes + writeBytes, micros } }));
    });
  }

  #bind(port: Port, bytes: Uint8Array, write: boolean): Bound {
    const wrapped = this.#device.wrap(bytes);
    if (wrapped !== undefined) return { buffer: wrapped, wrapped: true };
    let buffer = this.#ports.get(port);
    if (buffer === undefined) this.#ports.set(port, (buffer = this.#device.allocate(bytes.byteLength)));
    if (write && elementCount(port.shape) > 0) this.#queue.write(buffer, 0, bytes);
    return { buffer, wrapped: false };
  }

  dispose(): void {
    for (const buffer of [this.#arena, this.#weights, ...this.#ports.values()]) buffer.dispose();
    this.#program.dispose();
  }
}

const LARGE_CONSTANT_BYTES = 1 << 20;
