// Work in order on a WebGPU device: commands are gathered into one buffer, handed in when something has to come after them. Nothing here
// waits but `finish`.
import { AnychipError, invariant } from '../../core/error.ts';
import type { Buffer, Program, Queue } from '../../runtime/device.ts';
import type { GpuBuffer, GpuComputePass, GpuEncoder } from './api.ts';
import type { WebGpuDevice } from './device.ts';
import { GpuProgram, wordsOf } from './memory.ts';
import type { Staging } from './staging.ts';

interface Reading {
  readonly staging: Staging;
  readonly into: Uint8Array;
}

const failure = (cause: string): AnychipError =>
  new AnychipError('device', `the GPU refused its work: ${cause}`, { hint: 'Update the driver, or use another device.', facts: { cause } });

export class GpuQueue implements Queue {
  protected readonly owner: WebGpuDevice;
  #encoder: GpuEncoder | undefined;
  #pass: GpuComputePass | undefined;
  #readings: Reading[] = [];

  constructor(owner: WebGpuDevice) {
    this.owner = owner;
  }

  /** Copies come in words; what lies behind the last one's end is nobody's. */
  write(target: Buffer, offsetBytes: number, data: Uint8Array): void {
    const { handle } = wordsOf(target, offsetBytes, data.byteLength);
    if (data.byteLength === 0) return;
    this.#submit();
    const whole = data.byteLength - (data.byteLength % 4);
    const { gpu } = this.owner;
    this.owner.watch('validation', failure, () => {
      if (whole > 0) gpu.queue.writeBuffer(handle, offsetBytes, data.subarray(0, whole));
      if (whole === data.byteLength) return;
      const last = new Uint8Array(4);
      last.set(data.subarray(whole));
      gpu.queue.writeBuffer(handle, offsetBytes + whole, last);
    });
  }

  read(source: Buffer, offsetBytes: number, into: Uint8Array): void {
    const { handle } = wordsOf(source, offsetBytes, into.byteLength);
    if (into.byteLength === 0) return;
    this.readBack(handle, offsetBytes, into);
  }

  /** Brings bytes of a buffer to the host, in words; they are there after `finish`. */
  protected readBack(source: GpuBuffer, offset: number, into: Uint8Array): void {
    const staging = this.owner.staging.take(into.byteLength);
    this.commands().copyBufferToBuffer(source, offset, staging.handle, 0, Math.ceil(into.byteLength / 4) * 4);
    this.#readings.push({ staging, into });
  }

  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void {
    const [from, to] = [wordsOf(source, sourceOffset, bytes), wordsOf(target, targetOffset, bytes)];
    invariant(bytes % 4 === 0, 'copies come in words');
    if (bytes > 0) this.commands().copyBufferToBuffer(from.handle, sourceOffset, to.handle, targetOffset, bytes);
  }

  dispatch(program: Program, entry: 'run' | { readonly init: number }, bases: readonly Buffer[]): void {
    invariant(program instanceof GpuProgram, 'a program of another device');
    const buffers = bases.map((buffer) => wordsOf(buffer, 0, 0));
    const pass = this.#computePass();
    for (const call of entry === 'run' ? program.run : [program.init[entry.init]!]) call.encode(pass, buffers);
  }

  finish(): Promise<void> {
    return this.owner.machine.wait(this.#finish());
  }

  async #finish(): Promise<void> {
    this.#submit();
    const { staging: pool } = this.owner;
    const readings = this.#readings;
    this.#readings = [];
    const read = await Promise.allSettled(readings.map(({ staging, into }) => pool.read(staging, into)));
    await this.owner.settle();
    for (const result of read) if (result.status === 'rejected') throw failure(String(result.reason));
  }

  #computePass(): GpuComputePass {
    return (this.#pass ??= this.commands().beginComputePass());
  }

  /** The encoder, outside of any pass. */
  protected commands(): GpuEncoder {
    this.owner.checkAlive();
    this.#pass?.end();
    this.#pass = undefined;
    return (this.#encoder ??= this.owner.gpu.createCommandEncoder());
  }

  #submit(): void {
    if (this.#encoder === undefined) return;
    const encoder = this.commands();
    this.#encoder = undefined;
    const { gpu } = this.owner;
    this.owner.watch('validation', failure, () => gpu.queue.submit([encoder.finish()]));
  }
}
