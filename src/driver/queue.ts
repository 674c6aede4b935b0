// Work in order on a stream. Everything is handed in without waiting; `finish` waits, and lets the event loop go on where it takes long.
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { launchNumbered } from '../core/blame.ts';
import { invariant } from '../core/error.ts';
import { HostMemory, hostAddress } from '../ffi/hostMemory.ts';
import { checkedBuffer } from '../runtime/checkedBuffer.ts';
import type { Buffer, Program, Queue } from '../runtime/device.ts';
import { enter } from './machine.ts';
import type { DriverMachine } from './machine.ts';
import { DriverBuffer, StreamProgram } from './memory.ts';

/** Work expected to take less than this is waited for at once. */
const SHORT_MILLIS = 0.5;
/** Work that takes longer than this is asked for once a millisecond. */
const LONG_MILLIS = 5;
const NANOS_PER_MILLI = 1e6;

export class DriverQueue implements Queue {
  readonly #machine: DriverMachine;
  #stream: bigint | undefined;
  /** Host memory that work under way reads or writes. */
  #inUse: Uint8Array[] = [];
  #lastMillis = Infinity;

  /** Where the driver can tell how long a call took. */
  readonly profile?: (program: Program, bases: readonly Buffer[], calls: number) => Promise<readonly number[]>;

  constructor(machine: DriverMachine) {
    this.#machine = machine;
    enter(machine);
    this.#stream = machine.driver.create('createStream', {});
    if (machine.driver.has('eventMillis')) this.profile = (program, bases, calls) => this.#profile(program, bases, calls);
  }

  /** The stream, once the device is entered. */
  #enter(): bigint {
    invariant(this.#stream !== undefined, 'a queue that was disposed');
    enter(this.#machine);
    return this.#stream;
  }

  write(target: Buffer, offsetBytes: number, data: Uint8Array): void {
    const { address } = checked(target, offsetBytes, data.byteLength);
    const bytes = data.byteLength;
    if (bytes > 0) this.#copy('copyIn', address + BigInt(offsetBytes), this.#hold(data), bytes);
  }

  read(source: Buffer, offsetBytes: number, into: Uint8Array): void {
    const { address } = checked(source, offsetBytes, into.byteLength);
    const bytes = into.byteLength;
    if (bytes > 0) this.#copy('copyOut', this.#hold(into), address + BigInt(offsetBytes), bytes);
  }

  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void {
    const [from, to] = [checked(source, sourceOffset, bytes), checked(target, targetOffset, bytes)];
    if (bytes > 0) this.#copy('copy', to.address + BigInt(targetOffset), from.address + BigInt(sourceOffset), bytes);
  }

  #copy(call: 'copyIn' | 'copyOut' | 'copy', to: bigint, from: bigint, bytes: number): void {
    const { driver } = this.#machine;
    const stream = this.#enter();
    // A copy outside of the stream is made at once: what was handed in before has to be done.
    if (!driver.takes(call, 'stream')) driver.call('waitForStream', { stream });
    driver.call(call, { to, from, bytes, stream });
  }

  dispatch(program: Program, entry: 'run' | { readonly init: number }, bases: readonly Buffer[]): void {
    invariant(program instanceof StreamProgram, 'a program of another device');
    const buffers = bases.map((buffer) => checked(buffer, 0, 0));
    const stream = this.#enter();
    if (entry !== 'run') return program.init[entry.init]!.launch(stream, buffers);
    program.runAll(stream, buffers, (call, i) => launchNumbered(i, () => call.launch(stream, buffers)));
  }

  async #profile(program: Program, bases: readonly Buffer[], calls: number): Promise<readonly number[]> {
    invariant(program instanceof StreamProgram && program.run.length === calls, 'a program of another device');
    const { driver } = this.#machine;
    const buffers = bases.map((buffer) => checked(buffer, 0, 0));
    const stream = this.#enter();
    const events: bigint[] = [];
    const mark = (): void => {
      events.push(driver.create('createEvent', {}));
      driver.call('recordEvent', { event: events.at(-1)!, stream });
    };
    try {
      mark();
      program.run.forEach((call, i) => {
        launchNumbered(i, () => call.launch(stream, buffers));
        mark();
      });
      await this.finish();
      enter(this.#machine);
      const out = new HostMemory(driver.native, 8);
      return program.run.map((_, i) => {
        driver.call('eventMillis', { out, start: events[i]!, end: events[i + 1]! });
        return new Float32Array(out.bytes.buffer)[0]! * NANOS_PER_MILLI;
      });
    } finally {
      enter(this.#machine);
      for (const event of events) driver.call('destroyEvent', { event });
    }
  }

  async finish(): Promise<void> {
    const held = this.#inUse;
    this.#inUse = [];
    const { driver } = this.#machine;
    const stream = this.#enter();
    const start = performance.now();
    const millis = (): number => performance.now() - start;
    if (this.#lastMillis < SHORT_MILLIS || !driver.has('pollStream')) driver.call('waitForStream', { stream });
    // A thread of its own would have no context, so the stream is asked.
    while (driver.has('pollStream') && !driver.isDone(stream)) {
      await (millis() < LONG_MILLIS ? nextTurn() : sleep(1));
      this.#enter();
    }
    this.#lastMillis = millis();
    held.length = 0;
  }

  dispose(): void {
    if (this.#stream === undefined) return;
    this.#machine.driver.call('destroyStream', { stream: this.#enter() });
    this.#stream = undefined;
  }

  /** The address of host memory that must live until the work is done. */
  #hold(bytes: Uint8Array): bigint {
    const address = hostAddress(this.#machine.driver.native, bytes);
    this.#inUse.push(bytes);
    return address;
  }
}

const checked = (buffer: Buffer, offset: number, bytes: number): DriverBuffer => checkedBuffer(DriverBuffer, buffer, offset, bytes);
