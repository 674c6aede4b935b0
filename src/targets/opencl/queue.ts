// Work in order on an OpenCL device. Everything is handed in without waiting; `finish` waits, on another thread where it may take long.
import { launchNumbered } from '../../core/blame.ts';
import { invariant } from '../../core/error.ts';
import { HostMemory, hostAddress } from '../../ffi/hostMemory.ts';
import { checkedBuffer } from '../../runtime/checkedBuffer.ts';
import type { Buffer, Program, Queue } from '../../runtime/device.ts';
import type { ClMachine } from './machine.ts';
import { ClBuffer, ClProgram } from './memory.ts';
import type { ClCall } from './memory.ts';

/** Work expected to take less than this is waited for at once: another thread costs about 50 µs. */
const SHORT_MILLIS = 0.5;
const QUEUE_PROFILING = 2;
const PROFILING_START = 0x1282;
const PROFILING_END = 0x1283;

export class ClQueue implements Queue {
  readonly #machine: ClMachine;
  #handle: bigint;
  readonly #properties: number;
  /** Host memory that work under way reads or writes. */
  #inUse: Uint8Array[] = [];
  #lastMillis = Infinity;

  constructor(machine: ClMachine, profiling = false) {
    this.#machine = machine;
    this.#properties = profiling ? QUEUE_PROFILING : 0;
    this.#handle = machine.cl.create('clCreateCommandQueue', machine.context, machine.device, this.#properties);
  }

  write(target: Buffer, offsetBytes: number, data: Uint8Array): void {
    const { handle } = checked(target, offsetBytes, data.byteLength);
    if (data.byteLength > 0) this.#machine.cl.call('clEnqueueWriteBuffer', this.#handle, handle, 0, offsetBytes, data.byteLength, this.#hold(data), 0, 0n, 0n);
  }

  read(source: Buffer, offsetBytes: number, into: Uint8Array): void {
    const { handle } = checked(source, offsetBytes, into.byteLength);
    if (into.byteLength > 0) this.#machine.cl.call('clEnqueueReadBuffer', this.#handle, handle, 0, offsetBytes, into.byteLength, this.#hold(into), 0, 0n, 0n);
  }

  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void {
    const [from, to] = [checked(source, sourceOffset, bytes), checked(target, targetOffset, bytes)];
    if (bytes > 0) this.#machine.cl.call('clEnqueueCopyBuffer', this.#handle, from.handle, to.handle, sourceOffset, targetOffset, bytes, 0, 0n, 0n);
  }

  dispatch(program: Program, entry: 'run' | { readonly init: number }, bases: readonly Buffer[]): void {
    invariant(program instanceof ClProgram, 'a program of another device');
    const buffers = bases.map((buffer) => checked(buffer, 0, 0));
    if (entry !== 'run') return program.init[entry.init]!.enqueue(this.#handle, buffers, 0n);
    for (const [i, call] of program.run.entries()) this.#enqueue(call, i, buffers, 0n);
  }

  #enqueue(call: ClCall, number: number, bases: readonly ClBuffer[], event: bigint): void {
    launchNumbered(number, () => call.enqueue(this.#handle, bases, event));
  }

  async profile(program: Program, bases: readonly Buffer[], calls: number): Promise<readonly number[]> {
    invariant(program instanceof ClProgram && program.run.length === calls, 'a program of another device');
    const { cl } = this.#machine;
    const timed = new ClQueue(this.#machine, true);
    const buffers = bases.map((buffer) => checked(buffer, 0, 0));
    const events = new HostMemory(cl.native, 8 * calls);
    try {
      program.run.forEach((call, i) => timed.#enqueue(call, i, buffers, events.address + BigInt(8 * i)));
      await timed.finish();
      return [...events.u64].slice(0, calls).map((event) => {
        if (event === 0n) return 0;
        const at = (what: number): bigint => cl.query('clGetEventProfilingInfo', [event], what).u64[0]!;
        const nanos = Number(at(PROFILING_END) - at(PROFILING_START));
        cl.call('clReleaseEvent', event);
        return nanos;
      });
    } finally {
      timed.dispose();
    }
  }

  async finish(): Promise<void> {
    const held = this.#inUse;
    this.#inUse = [];
    const { cl } = this.#machine;
    const start = performance.now();
    if (this.#lastMillis < SHORT_MILLIS) cl.call('clFinish', this.#handle);
    else {
      cl.call('clFlush', this.#handle);
      await cl.callInBackground('clFinish', this.#handle);
    }
    this.#lastMillis = performance.now() - start;
    held.length = 0;
  }

  dispose(): void {
    this.#machine.cl.call('clReleaseCommandQueue', this.#handle);
    this.#handle = 0n;
  }

  /** The address of host memory that must live until the work is done. */
  #hold(bytes: Uint8Array): bigint {
    const address = hostAddress(this.#machine.cl.native, bytes);
    this.#inUse.push(bytes);
    return address;
  }
}

const checked = (buffer: Buffer, offset: number, bytes: number): ClBuffer => checkedBuffer(ClBuffer, buffer, offset, bytes);
