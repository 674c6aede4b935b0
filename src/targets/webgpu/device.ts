// A WebGPU device: buffers, pipelines and queues. What the driver finds wrong it tells later, so every check that is under way is kept
// until a queue waits for it.
import { AnychipError } from '../../core/error.ts';
import type { Binary, Device, DeviceLimits, Program, Queue } from '../../runtime/device.ts';
import { usage } from './api.ts';
import type { GpuDevice, GpuErrorFilter, GpuPipeline } from './api.ts';
import { BINARY_FORMAT, readProgram } from './compiler.ts';
import type { GpuMachine } from './machine.ts';
import { DeviceBuffer, GpuProgram } from './memory.ts';
import { GpuQueue } from './queue.ts';
import { TimedGpuQueue } from './timedQueue.ts';
import { StagingPool } from './staging.ts';

const STORAGE = usage.storage | usage.copySource | usage.copyTarget;
/** A binding has at least a word, and copies come in words. */
const roundUp = (bytes: number): number => Math.max(Math.ceil(bytes / 4) * 4, 16);

const outOfMemory = (bytes: number, cause: string): AnychipError =>
  new AnychipError('limit', `the GPU is out of memory: a buffer of ${bytes} bytes cannot be made`, {
    hint: 'Bind smaller dimensions, close other sessions, or use a device with more memory.',
    facts: { bytes, cause },
  });

export class WebGpuDevice implements Device {
  readonly limits: DeviceLimits;
  readonly machine: GpuMachine;
  readonly staging: StagingPool;
  /** Pipelines by their text: plans for other shapes share what they can. */
  readonly #pipelines = new Map<string, Promise<GpuPipeline>>();
  readonly #buffers = new Set<DeviceBuffer>();
  #checks: Promise<void>[] = [];
  #lost: string | undefined;
  #disposed = false;

  constructor(machine: GpuMachine) {
    this.machine = machine;
    this.limits = { threads: 1, maxBufferBytes: machine.maxBufferBytes };
    this.staging = new StagingPool(machine.device);
    void machine.device.lost.then(({ message }) => void (this.#lost = message));
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  get gpu(): GpuDevice {
    return this.machine.device;
  }

  allocate(bytes: number): DeviceBuffer {
    this.checkAlive();
    if (bytes > this.machine.maxBufferBytes) throw outOfMemory(bytes, `the largest is ${this.machine.maxBufferBytes}`);
    const failure = (cause: string): AnychipError => outOfMemory(bytes, cause);
    const handle = this.watch('out-of-memory', failure, () => this.watch('validation', failure, () => this.gpu.createBuffer({ size: roundUp(bytes), usage: STORAGE })));
    const buffer = new DeviceBuffer(handle, bytes, () => this.#buffers.delete(buffer));
    this.#buffers.add(buffer);
    return buffer;
  }

  /** The driver decides where memory lies. */
  wrap(): undefined {
    return undefined;
  }

  async load(binary: Binary): Promise<Program> {
    this.checkAlive();
    if (binary.format !== BINARY_FORMAT)
      throw new AnychipError('device', `the program is ${binary.format}, this device runs ${BINARY_FORMAT}`, { hint: 'Compile the model for this device.' });
    const { plan, texts } = readProgram(binary.bytes);
    const pipelines = await this.machine.wait(Promise.all(texts.map((text, i) => this.#pipeline(plan.kernels[i]!.symbol, text))));
    return new GpuProgram(this, plan, pipelines);
  }

  #pipeline(symbol: string, text: string): Promise<GpuPipeline> {
    let pipeline = this.#pipelines.get(text);
    if (pipeline === undefined) {
      this.#pipelines.set(text, (pipeline = this.#compile(symbol, text)));
      pipeline.catch(() => this.#pipelines.delete(text));
    }
    return pipeline;
  }

  async #compile(symbol: string, text: string): Promise<GpuPipeline> {
    const { gpu } = this;
    const failure = (cause: string): AnychipError =>
      new AnychipError('device', `the GPU's compiler failed: ${cause.split('\n').slice(0, 3).join(' ').slice(0, 400)}`, {
        hint: 'Update the driver, or use another device.',
        facts: { cause, symbol },
      });
    for (const filter of ['internal', 'validation'] as const) gpu.pushErrorScope(filter);
    const module = gpu.createShaderModule({ code: text });
    const made = gpu.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } }).catch((error: unknown) => String(error));
    const problems = await Promise.all([gpu.popErrorScope(), gpu.popErrorScope()]);
    const [pipeline, problem] = [await made, problems.find((found) => found !== null)];
    if (problem !== undefined && problem !== null) throw failure(problem.message);
    if (typeof pipeline === 'string') throw failure(pipeline);
    return pipeline;
  }

  createQueue(): Queue {
    return this.machine.hasTimestamps ? new TimedGpuQueue(this) : new GpuQueue(this);
  }

  /** Runs `body`; what goes wrong in it rejects the next `settle`. */
  watch<T>(filter: GpuErrorFilter, failure: (cause: string) => AnychipError, body: () => T): T {
    this.gpu.pushErrorScope(filter);
    try {
      return body();
    } finally {
      const check = this.gpu.popErrorScope().then((error) => {
        if (error !== null) throw failure(error.message);
      });
      // Whoever waits is told; until then nobody has to.
      check.catch(() => undefined);
      this.#checks.push(check);
    }
  }

  /** When everything so far has been checked; rejects with the first failure, once. */
  async settle(): Promise<void> {
    const checks = this.#checks.splice(0);
    const results = await Promise.allSettled(checks);
    this.checkAlive();
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  checkAlive(): void {
    if (this.#disposed) throw new AnychipError('bad-argument', 'the device was disposed', { hint: 'Create the session again.' });
    if (this.#lost !== undefined)
      throw new AnychipError('device', `the GPU was lost: ${this.#lost || 'its driver gave no reason'}`, {
        hint: 'Create the session again, with smaller dimensions if it happens again.',
      });
  }

  dispose(): void {
    if (this.#disposed) return;
    for (const buffer of this.#buffers) buffer.dispose();
    this.staging.dispose();
    this.#disposed = true;
    this.gpu.destroy();
  }
}
