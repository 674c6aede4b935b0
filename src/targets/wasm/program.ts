// A loaded program of a wasm device: its table of calls, and the scratch memory of its threads.
import type { CallTable } from '../../render/wasm/callTable.ts';
import type { Program } from '../../runtime/device.ts';
import type { WasmBuffer } from './memory.ts';

export class WasmProgram implements Program {
  readonly id: number;
  readonly table: CallTable;
  readonly scratch: WasmBuffer;
  /** Bytes from one thread's scratch memory to the next one's. */
  readonly strideBytes: number;
  readonly #unload: () => void;

  constructor(id: number, table: CallTable, scratch: WasmBuffer, strideBytes: number, unload: () => void) {
    this.id = id;
    this.table = table;
    this.scratch = scratch;
    this.strideBytes = strideBytes;
    this.#unload = unload;
  }

  dispose(): void {
    if (!this.scratch.alive) return;
    this.scratch.dispose();
    this.#unload();
  }
}
