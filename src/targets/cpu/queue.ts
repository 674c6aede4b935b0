// Work in order on the processor. What is short runs at once on the calling thread; a long run goes to a thread of its own, so that the
// event loop goes on, and all later work waits for it.
import { invariant } from '../../core/error.ts';
import { hostAddress } from '../../ffi/hostMemory.ts';
import type { Native } from '../../ffi/native.ts';
import { checkedBuffer } from '../../runtime/checkedBuffer.ts';
import type { Buffer, Program, Queue } from '../../runtime/device.ts';
import { InOrder } from '../../runtime/inOrder.ts';
import { CpuBuffer, CpuProgram } from './memory.ts';

/**
 * A run expected to take less than this blocks: handing it to another thread costs 50 to 100 µs, and the threads of the pool find themselves on
 * one core more often.
 */
const SHORT_MILLIS = 4;

/** The entry that runs all `run` calls; others are the numbers of `init` calls. */
const RUN = -1;

export class CpuQueue implements Queue {
  readonly #native: Native;
  readonly #work = new InOrder();
  /** The least time a run of each program took: others may have waited for a busy machine, not worked. */
  readonly #millis = new WeakMap<CpuProgram, number>();

  constructor(native: Native) {
    this.#native = native;
  }

  write(target: Buffer, offsetBytes: number, data: Uint8Array): void {
    const to = placeIn(target, offsetBytes, data.byteLength);
    this.#work.enqueue(() => this.#native.copy(to, hostAddress(this.#native, data), data.byteLength));
  }

  read(source: Buffer, offsetBytes: number, into: Uint8Array): void {
    const from = placeIn(source, offsetBytes, into.byteLength);
    this.#work.enqueue(() => this.#native.copy(hostAddress(this.#native, into), from, into.byteLength));
  }

  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void {
    const from = placeIn(source, sourceOffset, bytes);
    const to = placeIn(target, targetOffset, bytes);
    this.#work.enqueue(() => this.#native.copy(to, from, bytes));
  }

  dispatch(program: Program, entry: 'run' | { readonly init: number }, bases: readonly Buffer[]): void {
    this.#execute(program, entry === 'run' ? RUN : entry.init, bases);
  }

  async profile(program: Program, bases: readonly Buffer[], calls: number): Promise<readonly number[]> {
    const times = new BigInt64Array(calls);
    this.#execute(program, RUN, bases, times);
    await this.finish();
    return Array.from(times, Number);
  }

  #execute(program: Program, entry: number, bases: readonly Buffer[], times = new BigInt64Array()): void {
    invariant(program instanceof CpuProgram, 'a program of another device');
    const table = BigUint64Array.from(bases, (buffer) => placeIn(buffer, 0, 0));
    const [tableAt, timesAt] = [table, times].map(({ buffer }) => hostAddress(this.#native, new Uint8Array(buffer)));
    const args = [program.pool, entry, tableAt!, program.scratch.address, program.strideBytes, timesAt!];
    this.#work.enqueue(() => {
      const start = performance.now();
      const least = (entry === RUN ? this.#millis.get(program) : undefined) ?? Infinity;
      const end = (): void => {
        // The table and the buffers must live until here.
        if (entry === RUN && table.length === bases.length && times.length >= 0) this.#millis.set(program, Math.min(least, performance.now() - start));
      };
      if (least > SHORT_MILLIS) return program.execute.inBackground(...args).then(end);
      program.execute(...args);
      return end();
    });
  }

  finish(): Promise<void> {
    return this.#work.finish();
  }
}

/** The address of `bytes` bytes at an offset of a buffer of this device. */
const placeIn = (buffer: Buffer, offset: number, bytes: number): bigint => checkedBuffer(CpuBuffer, buffer, offset, bytes).address + BigInt(offset);
