// One device program with its memory: weights are written and packed once at load, a run binds inputs and outputs and dispatches.
import { blameKernel } from '../core/blame.ts';
import { within } from '../core/error.ts';
import { elementCount, formatShape } from '../core/shape.ts';
import { bytesOf, createTensor, numeric } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { isTraced, trace } from '../core/trace.ts';
import type { Constant } from '../graph/graph.ts';
import type { Buffer, Device, Program, Queue } from '../runtime/device.ts';
import { checkProgramMemory } from '../plan.ts';
import type { DeviceStep, Port } from '../plan.ts';

/** Registers a buffer that is let go when the work it is for has ended. */
type Lend = (buffer: Buffer) => Buffer;

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

  private constructor(device: Device, step: DeviceStep, parts: { readonly program: Program; readonly arena: Buffer; readonly weights: Buffer }) {
    this.#device = device;
    this.#queue = device.createQueue();
    this.#step = step;
    this.#program = parts.program;
    this.#arena = parts.arena;
    this.#weights = parts.weights;
  }

  /** Whatever fails here, nothing stays allocated. */
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
      const arena = hold(within('memory for intermediates', () => device.allocate(memory.arenaBytes)));
      const weights = hold(within('memory for weights', () => device.allocate(memory.weightsBytes)));
      const runner = new ProgramRunner(device, step, { program, arena, weights });
      await runner.#initialize();
      trace(4, () => ({ kind: 'memory', message: 'program loaded', facts: { ...memory } }));
      return runner;
    } catch (error) {
      for (const x of held) x.dispose();
      throw blameKernel(error, step.report);
    }
  }

  /** Weights go to their places; packing kernels run once. Each constant is read, used and let go, one at a time. */
  async #initialize(): Promise<void> {
    await this.#withBuffers(async () => {
      for (const { constant, offsetBytes } of this.#step.loads) {
        let at = offsetBytes;
        for (const piece of constant.pieces?.() ?? [bytesOf(numeric(constant.read()))]) {
          this.#queue.write(this.#weights, at, piece);
          at += piece.byteLength;
          if (constant.bytes > LARGE_CONSTANT_BYTES) await this.#queue.finish();
        }
      }
      await this.#queue.finish();
    });
    for (const [call, constants] of this.#step.staged.entries()) {
      await this.#withBuffers(async (lend) => {
        const staged = constants.map((constant) => this.#stage(constant, lend));
        this.#queue.dispatch(this.#program, { init: call }, [this.#arena, this.#weights, ...staged]);
        await this.#queue.finish();
      });
    }
  }

  #stage(constant: Constant, lend: Lend): Buffer {
    const bytes = bytesOf(numeric(constant.read()));
    const wrapped = this.#device.wrap(bytes);
    if (wrapped !== undefined) return lend(wrapped);
    const buffer = lend(within('memory to prepare weights', () => this.#device.allocate(bytes.byteLength)));
    this.#queue.write(buffer, 0, bytes);
    return buffer;
  }

  /** Lets go of lent buffers once the queue has no more to do with them, whatever happened. */
  async #withBuffers<T>(work: (lend: Lend) => Promise<T>): Promise<T> {
    const lent: Buffer[] = [];
    const lend: Lend = (buffer) => {
      lent.push(buffer);
      return buffer;
    };
    try {
      return await work(lend);
    } catch (error) {
      // What was handed in before still uses the buffers; that it fails too is said by the first error.
      await this.#queue.finish().catch(() => undefined);
      throw error;
    } finally {
      for (const buffer of lent) buffer.dispose();
    }
  }

  /** The block of weights as it was prepared. */
  async readWeights(): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.#step.memory.weightsBytes);
    if (bytes.byteLength > 0) this.#queue.read(this.#weights, 0, bytes);
    await this.#queue.finish();
    return bytes;
  }

  run(inputs: readonly NumericTensor[]): Promise<NumericTensor[]> {
    const run = this.#last.then(() => this.#run(inputs));
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #run(inputs: readonly NumericTensor[]): Promise<NumericTensor[]> {
    const { inputs: inPorts, outputs: outPorts, report } = this.#step;
    try {
      return await this.#withBuffers(async (lend) => {
        const outputs = outPorts.map((port) => createTensor(port.dtype, port.shape));
        const from = inPorts.map((port, i) => this.#bind(port, bytesOf(inputs[i]!), lend));
        const to = outPorts.map((port, i) => this.#bind(port, bytesOf(outputs[i]!), lend));
        inPorts.forEach((port, i) => void (this.#ports.has(port) && elementCount(port.shape) > 0 && this.#queue.write(from[i]!, 0, bytesOf(inputs[i]!))));
        await this.#dispatch([this.#arena, this.#weights, ...from, ...to]);
        outPorts.forEach((port, i) => void (this.#ports.has(port) && this.#queue.read(to[i]!, 0, bytesOf(outputs[i]!))));
        await this.#queue.finish();
        return outputs;
      });
    } catch (error) {
      throw blameKernel(error, report);
    }
  }

  async #dispatch(bases: readonly Buffer[]): Promise<void> {
    const { report } = this.#step;
    if (isTraced(4) && this.#queue.profile !== undefined) this.#report(await this.#queue.profile(this.#program, bases, report.length));
    else this.#queue.dispatch(this.#program, 'run', bases);
  }

  #report(nanos: readonly number[]): void {
    this.#step.report.forEach(({ kernel, nodes, flops, readBytes, writeBytes, question }, i) => {
      const micros = nanos[i]! / 1000;
      const facts = { kernel, nodes, flops, bytes: readBytes + writeBytes, micros, ...(question === undefined ? {} : { question }) };
      trace(4, () => ({ kind: 'kernel', message: kernel, facts }));
    });
  }

  /** The buffer of an input or output: over host memory where the device can use it in place, else one of the device's own, which stays. */
  #bind(port: Port, bytes: Uint8Array, lend: Lend): Buffer {
    const earlier = this.#ports.get(port);
    if (earlier !== undefined) return earlier;
    const wrapped = this.#device.wrap(bytes);
    if (wrapped !== undefined) return lend(wrapped);
    const buffer = within(`memory for ${port.dtype}${formatShape(port.shape)}`, () => this.#device.allocate(bytes.byteLength));
    this.#ports.set(port, buffer);
    return buffer;
  }

  dispose(): void {
    for (const buffer of [this.#arena, this.#weights, ...this.#ports.values()]) buffer.dispose();
    this.#program.dispose();
  }
}

const LARGE_CONSTANT_BYTES = 1 << 20;
