// One device program with its memory: weights are written and packed once at load, a run binds inputs and outputs and dispatches.
import { blameKernel } from '../core/blame.ts';
import { within } from '../core/error.ts';
import { elementCount, formatShape, sameShape } from '../core/shape.ts';
import { storedIn } from '../core/stored.ts';
import { bytesOf, numeric, uninitializedTensor } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { isTraced, trace } from '../core/trace.ts';
import type { Constant } from '../graph/graph.ts';
import type { Buffer, Device, Program, Queue } from '../runtime/device.ts';
import { checkProgramMemory } from '../plan.ts';
import type { DeviceStep, Port } from '../plan.ts';
import type { Destinations } from './planRunner.ts';

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

  /** Weights go to their places; packing kernels run once. What they read is let go call by call. */
  async #initialize(): Promise<void> {
    const writer = new WeightWriter(this.#queue);
    await this.#withBuffers(async () => {
      for (const { constant, offsetBytes } of this.#step.loads) await writer.write(constant, this.#weights, offsetBytes);
      await this.#queue.finish();
    });
    const staging = new Staging(this.#device);
    try {
      for (const [call, constants] of this.#step.staged.entries()) {
        await this.#withBuffers(async () => {
          const buffers = constants.map((constant, i) => staging.take(i, constant.bytes));
          for (const [i, constant] of constants.entries()) await writer.write(constant, buffers[i]!, 0);
          this.#queue.dispatch(this.#program, { init: call }, [this.#arena, this.#weights, ...buffers]);
          await this.#queue.finish();
        });
      }
    } finally {
      staging.dispose();
    }
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

  /** `into`: memory for outputs, in the order of their ports. */
  run(inputs: readonly NumericTensor[], into: Destinations = []): Promise<NumericTensor[]> {
    const run = this.#last.then(() => this.#run(inputs, into));
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #run(inputs: readonly NumericTensor[], into: Destinations): Promise<NumericTensor[]> {
    const { inputs: inPorts, outputs: outPorts, report } = this.#step;
    try {
      return await this.#withBuffers(async (lend) => {
        const outputs = outPorts.map((port, i) => (fits(into[i], port) ? into[i] : uninitializedTensor(port.dtype, port.shape)));
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

const fits = (tensor: NumericTensor | undefined, { dtype, shape }: Port): tensor is NumericTensor =>
  tensor !== undefined && tensor.dtype === dtype && sameShape(tensor.shape, shape);

/** Writes constants by way of a piece of memory that all of them share, so that none of what is still in files is whole beside what is written. */
class WeightWriter {
  readonly #queue: Queue;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  /** Bytes of the piece that the queue may not have read yet. */
  #used = 0;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  async write(constant: Constant, target: Buffer, offsetBytes: number): Promise<void> {
    const stored = constant.stored ?? storedIn(bytesOf(numeric(constant.read())));
    for (let at = 0; at < stored.byteLength; at += PIECE_BYTES) {
      const bytes = Math.min(PIECE_BYTES, stored.byteLength - at);
      if (this.#used + bytes > PIECE_BYTES) {
        await this.#queue.finish();
        this.#used = 0;
      }
      this.#queue.write(target, offsetBytes + at, stored.read(at, bytes, this.#piece.subarray(this.#used, this.#used + bytes)));
      this.#used += bytes;
    }
  }
}
/** It stays in the caches of a core between being read and being written. */
const PIECE_BYTES = 1 << 20;

/** Memory of a device for what kernels read once: one buffer for each place in a call, as large as the largest that was there. */
class Staging {
  readonly #device: Device;
  readonly #buffers: Buffer[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  take(place: number, bytes: number): Buffer {
    const before = this.#buffers[place];
    if (before !== undefined && before.bytes >= bytes) return before;
    before?.dispose();
    return (this.#buffers[place] = within('memory to prepare weights', () => this.#device.allocate(bytes)));
  }

  dispose(): void {
    for (const buffer of this.#buffers) buffer.dispose();
  }
}
