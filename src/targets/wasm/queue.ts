// Work in order on a WebAssembly device. What is short runs at once on the calling thread; a long run goes to a worker, so that the event
// loop goes on, and all later work waits for it.
import { invariant } from '../../core/error.ts';
import { InOrder } from '../../runtime/inOrder.ts';
import { checkedBuffer } from '../../runtime/checkedBuffer.ts';
import type { Buffer, Program, Queue } from '../../runtime/device.ts';
import type { WasmDevice } from './device.ts';
import { WasmProgram } from './program.ts';
import { WasmBuffer } from './memory.ts';
import type { RunRequest } from './team.ts';

/** A run expected to take less than this blocks: handing it to another thread costs about 0.1 ms. */
const SHORT_MILLIS = 1;
/** Calls estimated at less than this are done by one thread: vectors are some times faster than estimated, and waking others takes as long. */
const WIDE_NANOS = 30_000;
/** Engines compile while a program first runs, so its first run says little of the others. */
const WARM_RUNS = 2;
const NANOS_PER_MILLI = 1e6;

export class WasmQueue implements Queue {
  readonly #device: WasmDevice;
  readonly #work = new InOrder();
  /** The runs of each program so far, and how long the shortest took. */
  readonly #runs = new WeakMap<WasmProgram, { readonly count: number; readonly millis: number }>();

  constructor(device: WasmDevice) {
    this.#device = device;
  }

  write(target: Buffer, offsetBytes: number, data: Uint8Array): void {
    const to = placeIn(target, offsetBytes, data.byteLength);
    this.#work.enqueue(() => this.#device.memory.view(to, data.byteLength).set(data));
  }

  read(source: Buffer, offsetBytes: number, into: Uint8Array): void {
    const from = placeIn(source, offsetBytes, into.byteLength);
    this.#work.enqueue(() => into.set(this.#device.memory.view(from, into.byteLength)));
  }

  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void {
    const from = placeIn(source, sourceOffset, bytes);
    const to = placeIn(target, targetOffset, bytes);
    this.#work.enqueue(() => this.#device.memory.view(to, bytes).set(this.#device.memory.view(from, bytes)));
  }

  dispatch(program: Program, entry: 'run' | { readonly init: number }, bases: readonly Buffer[]): void {
    invariant(program instanceof WasmProgram, 'a program of another device');
    const addresses = addressesOf(bases);
    this.#work.enqueue(() => (entry === 'run' ? this.#run(program, addresses) : this.#execute(program, entry.init, entry.init + 1, addresses)));
  }

  async profile(program: Program, bases: readonly Buffer[], calls: number): Promise<readonly number[]> {
    invariant(program instanceof WasmProgram, 'a program of another device');
    const addresses = addressesOf(bases);
    const times: number[] = [];
    for (let i = 0; i < calls; i++) {
      const call = program.table.init + i;
      await this.finish();
      const start = performance.now();
      this.#work.enqueue(() => this.#execute(program, call, call + 1, addresses, 0));
      await this.finish();
      times.push((performance.now() - start) * NANOS_PER_MILLI);
    }
    return times;
  }

  #run(program: WasmProgram, addresses: Uint32Array): void | Promise<void> {
    const { init, steps } = program.table;
    const { count, millis } = this.#runs.get(program) ?? { count: 0, millis: Infinity };
    const start = performance.now();
    const end = (): void => void this.#runs.set(program, { count: count + 1, millis: Math.min(millis, performance.now() - start) });
    const run = this.#execute(program, init, steps.length, addresses, count < WARM_RUNS ? undefined : millis);
    return run === undefined ? end() : run.then(end);
  }

  /** Runs the calls [first, last), expected to take `millis`; where that is not known, as long as they are estimated to. */
  #execute(program: WasmProgram, first: number, last: number, addresses: Uint32Array, millis?: number): void | Promise<void> {
    const { pool, isShared, memory } = this.#device;
    const { steps, nanos } = program.table;
    const table = this.#device.allocate(addresses.byteLength);
    memory.view(table.address, addresses.byteLength).set(new Uint8Array(addresses.buffer));
    const calls = Array.from({ length: last - first }, (_, i) => ({ call: first + i, steps: steps[first + i]! }));
    const request: RunRequest = {
      program: program.id,
      first,
      last,
      wide: calls.filter(({ call, steps }) => steps > 1 && nanos[call]! > WIDE_NANOS),
      bases: table.address,
      scratch: program.scratch.address,
      stride: program.strideBytes,
    };
    const expected = millis ?? calls.reduce((sum, { call }) => sum + nanos[call]!, 0) / NANOS_PER_MILLI;
    const end = (): void => table.dispose();
    try {
      const run = isShared && expected > SHORT_MILLIS ? pool.runInBackground(request) : pool.runHere(request);
      return run === undefined ? end() : run.finally(end);
    } catch (error) {
      end();
      throw error;
    }
  }

  finish(): Promise<void> {
    return this.#work.finish();
  }
}

const addressesOf = (bases: readonly Buffer[]): Uint32Array => Uint32Array.from(bases, (buffer) => placeIn(buffer, 0, 0));

/** The address of `bytes` bytes at an offset of a buffer of this device. */
const placeIn = (buffer: Buffer, offset: number, bytes: number): number => checkedBuffer(WasmBuffer, buffer, offset, bytes).address + offset;
