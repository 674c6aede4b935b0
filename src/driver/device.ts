// A device that a driver launches kernels on: memory, programs from machine code, a queue.
import { AnychipError } from '../core/error.ts';
import type { Binary, Device, DeviceLimits, Program } from '../runtime/device.ts';
import { unpackProgram } from '../runtime/launchPlan.ts';
import { binaryFormat } from './compiler.ts';
import { loaderOf } from './kernels.ts';
import { enter, memoryInfo } from './machine.ts';
import type { DriverMachine } from './machine.ts';
import { DriverBuffer, DriverProgram } from './memory.ts';
import { DriverQueue } from './queue.ts';

/** The driver gives no empty memory. */
const LEAST_BYTES = 16;

/** Makes a program of what a compiler made, on a device that was entered. Rejects with a 'device' error. */
export type LoadProgram = (machine: DriverMachine, binary: Binary) => Promise<Program>;

/** Kernels, and the list of their launches. */
const loadKernels: LoadProgram = async (machine, binary) => {
  const { driver, architecture, chip } = machine;
  if (binary.chip !== undefined && chip !== undefined && binary.chip !== chip) throw madeForAnother(binary.chip, chip);
  requireFormat(binary, binaryFormat(architecture));
  const { plan, pieces } = unpackProgram(binary.bytes);
  const kernels = loaderOf(driver.table)(driver, plan.kernels, pieces);
  try {
    return new DriverProgram(machine, kernels, plan);
  } catch (error) {
    kernels.dispose();
    throw error;
  }
};

export function requireFormat({ format }: Binary, own: string): void {
  if (format !== own) throw madeForAnother(format, own);
}

const madeForAnother = (other: string, own: string): AnychipError =>
  new AnychipError('device', `the program was compiled for ${other}, this is ${own}`, { hint: 'Compile the model again on this machine.', facts: { other, own } });

export class DriverDevice implements Device {
  readonly limits: DeviceLimits;
  readonly #machine: DriverMachine;
  readonly #load: LoadProgram;
  #disposed = false;
  #queue: DriverQueue | undefined;

  constructor(machine: DriverMachine, load: LoadProgram = loadKernels) {
    this.#machine = machine;
    this.#load = load;
    this.limits = { threads: 1, maxBufferBytes: machine.memoryBytes };
  }

  allocate(bytes: number): DriverBuffer {
    enter(this.#machine);
    try {
      return new DriverBuffer(this.#machine, this.#machine.driver.create('allocate', { bytes: Math.max(bytes, LEAST_BYTES) }), bytes);
    } catch (error) {
      if (!(error instanceof AnychipError) || error.code !== 'limit') throw error;
      const memory = memoryInfo(this.#machine);
      throw new AnychipError('limit', `${error.reason}, for ${bytes} bytes${memory === undefined ? '' : ` with ${memory.free} of ${memory.total} free`}`, {
        facts: { ...error.facts, bytes, ...memory },
        cause: error,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
  }

  /** Host memory is another memory. */
  wrap(): undefined {
    return undefined;
  }

  load(binary: Binary): Promise<Program> {
    enter(this.#machine);
    return this.#load(this.#machine, binary);
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
