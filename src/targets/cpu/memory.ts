// Buffers and programs of the processor: what devices make and queues use.
import type { NativeFunction } from '../../ffi/native.ts';
import type { Buffer, Program } from '../../runtime/device.ts';

/** Memory at a fixed address: pages of its own, or a view of host memory that it keeps alive. */
export class CpuBuffer implements Buffer {
  readonly address: bigint;
  readonly bytes: number;
  /** What must live as long as the buffer. */
  readonly host: Uint8Array | undefined;
  /** Set to undefined when disposed. */
  #release: (() => void) | undefined;

  constructor(address: bigint, bytes: number, release: () => void, host?: Uint8Array) {
    this.address = address;
    this.bytes = bytes;
    this.host = host;
    this.#release = release;
  }

  get alive(): boolean {
    return this.#release !== undefined;
  }

  dispose(): void {
    this.#release?.();
    this.#release = undefined;
  }
}

export class CpuProgram implements Program {
  readonly execute: NativeFunction;
  readonly pool: bigint;
  readonly scratch: CpuBuffer;
  readonly strideBytes: number;
  readonly #close: () => void;

  constructor(execute: NativeFunction, pool: bigint, scratch: CpuBuffer, strideBytes: number, close: () => void) {
    this.execute = execute;
    this.pool = pool;
    this.scratch = scratch;
    this.strideBytes = strideBytes;
    this.#close = close;
  }

  dispose(): void {
    if (!this.scratch.alive) return;
    this.scratch.dispose();
    this.#close();
  }
}
