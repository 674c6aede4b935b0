// A device that works as the one under it does, counts what is alive, and can be told to fail: for tests of what sessions do with devices.
import { AnychipError } from '../../src/core/error.ts';
import type { Buffer, Device, Program, Queue } from '../../src/runtime/device.ts';

export class CountingDevice implements Device {
  readonly #device: Device;
  /** Buffers and programs that were not disposed. */
  readonly alive = new Set<object>();
  /** Uses of the device so far, by name; the same list in the same order for the same work. */
  readonly uses: string[] = [];
  /** The use that fails, counted from 0. */
  failAt = Infinity;
  /** What it fails with. */
  failure: () => unknown = () => new AnychipError('limit', 'the device is out of memory', { hint: 'Use less.' });
  isLost = false;

  constructor(device: Device) {
    this.#device = device;
  }

  get limits(): Device['limits'] {
    return this.#device.limits;
  }

  #use(name: string): void {
    this.uses.push(name);
    if (this.uses.length - 1 === this.failAt || this.isLost) throw this.failure();
  }

  #count<T extends Buffer | Program>(thing: T): T {
    this.alive.add(thing);
    const dispose = thing.dispose.bind(thing);
    // Queues know their buffers by class, so the thing stays what it is.
    return Object.assign(thing, {
      dispose: () => {
        this.alive.delete(thing);
        dispose();
      },
    });
  }

  allocate(bytes: number): Buffer {
    this.#use('allocate');
    return this.#count(this.#device.allocate(bytes));
  }

  wrap(bytes: Uint8Array): Buffer | undefined {
    this.#use('wrap');
    const buffer = this.#device.wrap(bytes);
    return buffer === undefined ? undefined : this.#count(buffer);
  }

  async load(binary: Parameters<Device['load']>[0], module: Parameters<Device['load']>[1]): Promise<Program> {
    this.#use('load');
    return this.#count(await this.#device.load(binary, module));
  }

  createQueue(): Queue {
    this.#use('createQueue');
    const queue = this.#device.createQueue();
    return {
      write: (...args) => {
        this.#use('write');
        queue.write(...args);
      },
      read: (...args) => {
        this.#use('read');
        queue.read(...args);
      },
      copy: (...args) => {
        this.#use('copy');
        queue.copy(...args);
      },
      dispatch: (...args) => {
        this.#use('dispatch');
        queue.dispatch(...args);
      },
      finish: async () => {
        await queue.finish();
        this.#use('finish');
      },
    };
  }

  dispose(): void {
    this.#device.dispose();
  }
}
