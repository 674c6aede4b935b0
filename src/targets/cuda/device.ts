// A device of CUDA's shape: memory, programs from machine code, a queue.
import { AnychipError } from '../../core/error.ts';
import { HostMemory } from '../../ffi/hostMemory.ts';
import type { Binary, Device, DeviceLimits, Program } from '../../runtime/device.ts';
import { unpackProgram } from '../../runtime/launchPlan.ts';
import { binaryFormat } from './compiler.ts';
import { memoryInfo } from './machine.ts';
import type { CudaMachine } from './machine.ts';
import { CudaBuffer, CudaProgram } from './memory.ts';
import { CudaQueue } from './queue.ts';

/** The driver gives no empty memory. */
const LEAST_BYTES = 16;

export class CudaDevice implements Device {
  readonly limits: DeviceLimits;
  readonly #machine: CudaMachine;
  #disposed = false;
  #queue: CudaQueue | undefined;

  constructor(machine: CudaMachine) {
    this.#machine = machine;
    this.limits = { threads: 1, maxBufferBytes: machine.memoryBytes };
  }

  allocate(bytes: number): CudaBuffer {
    const { driver, context } = this.#machine;
    driver.call('useContext', context);
    try {
      return new CudaBuffer(this.#machine, driver.create('allocate', Math.max(bytes, LEAST_BYTES)), bytes);
    } catch (error) {
      if (!(error instanceof AnychipError) || error.code !== 'limit') throw error;
      const { free, total } = memoryInfo(this.#machine);
      throw new AnychipError('limit', `${error.reason}, for ${bytes} bytes with ${free} of ${total} free`, {
        facts: { ...error.facts, bytes, free, total },
        cause: error,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
  }

  /** Host memory is another memory. */
  wrap(): undefined {
    return undefined;
  }

  async load(binary: Binary): Promise<Program> {
    const { driver, context, architecture } = this.#machine;
    if (binary.format !== binaryFormat(architecture)) {
      throw new AnychipError('device', `the program is for ${binary.format}, this is ${binaryFormat(architecture)}`, { hint: 'Compile the model again on this machine.' });
    }
    const { plan, code } = unpackProgram(binary.bytes);
    const bytes = new HostMemory(driver.native, code.byteLength);
    bytes.bytes.set(code);
    driver.call('useContext', context);
    const module = driver.create('loadModule', bytes);
    try {
      return new CudaProgram(this.#machine, module, plan);
    } catch (error) {
      driver.call('unloadModule', module);
      throw error;
    }
  }

  /** One serves all: the device does its work in order. */
  createQueue(): CudaQueue {
    return (this.#queue ??= new CudaQueue(this.#machine));
  }

  dispose(): void {
    this.#queue?.dispose();
    this.#queue = undefined;
    if (!this.#disposed) this.#machine.driver.call('releaseContext', this.#machine.device);
    this.#disposed = true;
  }
}
