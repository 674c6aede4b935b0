// Buffers through which results come back to the host: kept for the next run, a few of each size.
import { MAP_READ, usage } from './api.ts';
import type { GpuBuffer, GpuDevice } from './api.ts';

/** Buffers of one size that are kept, and the size above which none is. */
const MOST_KEPT = 4;
const MOST_BYTES = 64 << 20;

export interface Staging {
  readonly handle: GpuBuffer;
  readonly bytes: number;
}

export class StagingPool {
  readonly #gpu: GpuDevice;
  readonly #free = new Map<number, GpuBuffer[]>();

  constructor(gpu: GpuDevice) {
    this.#gpu = gpu;
  }

  take(atLeast: number): Staging {
    const bytes = 2 ** Math.ceil(Math.log2(Math.max(atLeast, 256)));
    return { bytes, handle: this.#free.get(bytes)?.pop() ?? this.#gpu.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyTarget }) };
  }

  /** Fills `into` when the bytes are there, and takes the buffer back. */
  async read({ handle, bytes }: Staging, into: Uint8Array): Promise<void> {
    const size = Math.ceil(into.byteLength / 8) * 8;
    try {
      await handle.mapAsync(MAP_READ, 0, size);
      into.set(new Uint8Array(handle.getMappedRange(0, size), 0, into.byteLength));
      handle.unmap();
    } catch (error) {
      handle.destroy();
      throw error;
    }
    const free = this.#free.get(bytes) ?? [];
    this.#free.set(bytes, free);
    if (free.length < MOST_KEPT && bytes <= MOST_BYTES) free.push(handle);
    else handle.destroy();
  }

  dispose(): void {
    for (const handle of [...this.#free.values()].flat()) handle.destroy();
    this.#free.clear();
  }
}
