// A device that a driver launches kernels on: memory, programs from machine code, a queue.
import { AnychipError } from '../core/error.ts';
import { HostMemory } from '../ffi/hostMemory.ts';
import type { Binary, Device, DeviceLimits, Program } from '../runtime/device.ts';
import { unpackProgram } from '../runtime/launchPlan.ts';
import { binaryFormat } from './compiler.ts';
import { enter, memoryInfo } from './machine.ts';
import type { DriverMachine } from './machine.ts';
import { DriverBuffer, DriverProgram } from './memory.ts';
import { DriverQueue } from './queue.ts';

/** The driver gives no empty memory. */
const LEAST_BYTES = 16;

export class DriverDevice implements Device {
  readonly limits: DeviceLimits;
  readonly #machine: DriverMachine;
  #disposed = false;
  #queue: DriverQueue | undefined;

  constructor(machine: DriverMachine) {
    this.#machine = machine;
    this.limits = { threads: 1, maxBufferBytes: machine.memoryBytes };
  }

  allocate(bytes: number): DriverBuffer {
    enter(this.#machine);
    try {
      return new DriverBuffer(this.#machine, this.#machine.driver.create('allocate', { bytes: Math.max(bytes, LEAST_BYTES) }), bytes);
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
    const { driver, architecture } = this.#machine;
    if (binary.format !== binaryFormat(architecture)) {
      throw new AnychipError('device', `the program is for ${binary.format}, this is ${binaryFormat(architecture)}`, { hint: 'Compile the model again on this machine.' });
    }
    const { plan, code } = unpackProgram(binary.bytes);
    const image = new HostMemory(driver.native, code.byteLength);
    image.bytes.set(code);
    enter(this.#machine);
    const module = driver.create('loadModule', { image, bytes: code.byteLength });
    try {
      return new DriverProgram(this.#machine, module, plan);
    } catch (error) {
      driver.call('unloadModule', { module });
      throw error;
    }
  }

  /** One serves all: the device does its work in order. */
  createQueue(): DriverQueue {
    return (this.#queue ??= new DriverQueue(this.#machine));
  }

  dispose(): void {
    this.#queue?.dispose();
    this.#queue = undefined;
    const { driver, device } = this.#machine;
    if (!this.#disposed && driver.has('releaseContext')) driver.call('releaseContext', { device });
    this.#disposed = true;
  }
}
