// An OpenCL device: memory objects, programs from their binaries, queues.
import { AnychipError } from '../../core/error.ts';
import { HostMemory } from '../../ffi/hostMemory.ts';
import type { Binary, Device, DeviceLimits, Program } from '../../runtime/device.ts';
import { unpackProgram } from '../../runtime/launchPlan.ts';
import { binaryFormat, buildProgram } from './compiler.ts';
import { leaveMachine, useMachine } from './machine.ts';
import type { ClFound, ClMachine } from './machine.ts';
import { ClBuffer, ClProgram } from './memory.ts';
import { ClQueue } from './queue.ts';

const MEM_READ_WRITE = 1;
/** OpenCL has no empty buffers. */
const LEAST_BYTES = 16;

export class ClDevice implements Device {
  readonly limits: DeviceLimits;
  readonly #machine: ClMachine;
  #queue: ClQueue | undefined;
  #isDisposed = false;

  constructor(found: ClFound) {
    this.#machine = useMachine(found);
    this.limits = { threads: 1, maxBufferBytes: found.maxBufferBytes };
  }

  allocate(bytes: number): ClBuffer {
    const { cl, context } = this.#machine;
    return new ClBuffer(cl, cl.create('clCreateBuffer', context, MEM_READ_WRITE, Math.max(bytes, LEAST_BYTES), 0n), bytes);
  }

  /** The driver decides where memory lies. */
  wrap(): undefined {
    return undefined;
  }

  async load(binary: Binary): Promise<Program> {
    const { cl, context, device } = this.#machine;
    if (binary.format !== binaryFormat(this.#machine)) {
      throw new AnychipError('device', `the program is for ${binary.format}, this is ${binaryFormat(this.#machine)}`, { hint: 'Compile the model again on this machine.' });
    }
    const { plan, code } = unpackProgram(binary.bytes);
    const bytes = new HostMemory(cl.native, code.byteLength);
    bytes.bytes.set(code);
    const [devices, lengths, codes] = [[device], [BigInt(code.byteLength)], [bytes.address]].map((words) => HostMemory.words(cl.native, words));
    const handle = cl.create('clCreateProgramWithBinary', context, 1, devices!, lengths!, codes!, 0n);
    try {
      await buildProgram(this.#machine, handle);
      return new ClProgram(cl, handle, plan);
    } catch (error) {
      cl.call('clReleaseProgram', handle);
      throw error;
    }
  }

  /** One serves all: the device does its work in order. */
  createQueue(): ClQueue {
    return (this.#queue ??= new ClQueue(this.#machine));
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#queue?.dispose();
    leaveMachine(this.#machine);
  }
}
