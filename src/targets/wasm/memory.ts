// One WebAssembly memory for everything of a device: blocks are given out first-fit and joined again when freed; the memory grows where
// none is large enough.
import { AnychipError, invariant } from '../../core/error.ts';
import type { Buffer } from '../../runtime/device.ts';
import { MAX_PAGES } from '../../render/wasm/callTable.ts';
import { PAGE_BYTES, webAssembly } from './webAssembly.ts';
import type { Memory } from './webAssembly.ts';

export const MAX_BUFFER_BYTES = MAX_PAGES * PAGE_BYTES;
const ALIGNMENT = 64;
/** Tried in order: some systems give away less address space. */
const MAXIMA = [MAX_PAGES, MAX_PAGES >> 1, MAX_PAGES >> 2, MAX_PAGES >> 4];

interface Block {
  readonly at: number;
  readonly bytes: number;
}

function createMemory(shared: boolean): { readonly memory: Memory; readonly maxPages: number } {
  let problem: unknown;
  for (const maximum of MAXIMA) {
    try {
      invariant(webAssembly !== undefined, 'an engine without WebAssembly');
      return { memory: new webAssembly.Memory({ initial: 1, maximum, shared }), maxPages: maximum };
    } catch (error) {
      problem = error;
    }
  }
  throw new AnychipError('device', `no WebAssembly memory can be made: ${String(problem)}`, { cause: problem });
}

export class WasmMemory {
  readonly memory: Memory;
  readonly maxBytes: number;
  /** Free blocks, by address, never touching. */
  #free: Block[];
  #end: number;

  /** The first `reservedBytes` are never given out. */
  constructor(isShared: boolean, reservedBytes: number) {
    const { memory, maxPages } = createMemory(isShared);
    this.memory = memory;
    this.maxBytes = maxPages * PAGE_BYTES;
    this.#end = PAGE_BYTES;
    this.#free = [{ at: reservedBytes, bytes: PAGE_BYTES - reservedBytes }];
  }

  allocate(bytes: number): WasmBuffer {
    const size = Math.max(Math.ceil(bytes / ALIGNMENT), 1) * ALIGNMENT;
    let at = this.#take(size);
    if (at === undefined) {
      this.#grow(size);
      at = this.#take(size);
    }
    invariant(at !== undefined, 'a memory that grew has no room');
    const block = { at, bytes: size };
    return new WasmBuffer(at, bytes, () => this.#release(block));
  }

  /** The bytes of a buffer as they are now; valid until the memory grows. */
  view(at: number, bytes: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, bytes);
  }

  #take(size: number): number | undefined {
    const i = this.#free.findIndex((block) => block.bytes >= size);
    const block = this.#free[i];
    if (block === undefined) return undefined;
    this.#free.splice(i, 1, ...(block.bytes === size ? [] : [{ at: block.at + size, bytes: block.bytes - size }]));
    return block.at;
  }

  #grow(size: number): void {
    const last = this.#free.at(-1);
    const missing = size - (last !== undefined && last.at + last.bytes === this.#end ? last.bytes : 0);
    const pages = Math.ceil(missing / PAGE_BYTES);
    try {
      if (this.#end + pages * PAGE_BYTES > this.maxBytes) throw new RangeError(`more than ${this.maxBytes} bytes`);
      this.memory.grow(pages);
    } catch (cause) {
      throw new AnychipError('limit', `WebAssembly's memory cannot hold ${size} bytes beside the ${this.#end} it has; it ends at ${this.maxBytes}`, {
        hint: 'Bind smaller dimensions, or use another device.',
        facts: { bytes: size, heldBytes: this.#end, maxBytes: this.maxBytes },
        cause,
      });
    }
    this.#release({ at: this.#end, bytes: pages * PAGE_BYTES });
    this.#end += pages * PAGE_BYTES;
  }

  #release(block: Block): void {
    const next = this.#free.findIndex((other) => other.at > block.at);
    const i = next < 0 ? this.#free.length : next;
    const [before, after] = [this.#free[i - 1], this.#free[i]];
    const joinsBefore = before !== undefined && before.at + before.bytes === block.at;
    const joinsAfter = after !== undefined && block.at + block.bytes === after.at;
    const at = joinsBefore ? before.at : block.at;
    const end = joinsAfter ? after.at + after.bytes : block.at + block.bytes;
    this.#free.splice(joinsBefore ? i - 1 : i, (joinsBefore ? 1 : 0) + (joinsAfter ? 1 : 0), { at, bytes: end - at });
  }
}

export class WasmBuffer implements Buffer {
  readonly address: number;
  readonly bytes: number;
  /** Undefined when disposed. */
  #release: (() => void) | undefined;

  constructor(address: number, bytes: number, release: () => void) {
    this.address = address;
    this.bytes = bytes;
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
