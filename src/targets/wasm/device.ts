// WebAssembly as a device: one memory that threads share, and programs that are modules over it.
import { AnychipError, invariant } from '../../core/error.ts';
import type { Binary, Buffer, Device, DeviceLimits, Program, Queue } from '../../runtime/device.ts';
import type { EngineFeatures } from './features.ts';
import type { WasmHost } from './host.ts';
import { callTableOf } from './instance.ts';
import { WasmMemory } from './memory.ts';
import type { WasmBuffer } from './memory.ts';
import { Pool } from './pool.ts';
import { WasmProgram } from './program.ts';
import { WasmQueue } from './queue.ts';
import { TEAM_BYTES } from './team.ts';
import { webAssembly } from './webAssembly.ts';

/** What the code of a module needs of an engine. */
export const binaryFormat = ({ relaxed, isShared }: Pick<EngineFeatures, 'relaxed' | 'isShared'>): string => `wasm-${relaxed ? 'relaxed' : 'simd'}${isShared ? '-shared' : ''}`;

const SCRATCH_ALIGNMENT = 64;

export class WasmDevice implements Device {
  readonly limits: DeviceLimits;
  readonly memory: WasmMemory;
  readonly pool: Pool;
  /** Whether runs can go to another thread. */
  readonly isShared: boolean;
  readonly #formats: ReadonlySet<string>;
  #programs = 0;

  constructor(host: WasmHost, features: EngineFeatures, threads: number) {
    this.isShared = features.isShared;
    this.memory = new WasmMemory(features.isShared, TEAM_BYTES);
    this.limits = { threads: features.isShared ? threads : 1, maxBufferBytes: this.memory.maxBytes };
    this.pool = new Pool(host, this.memory.memory, this.limits.threads);
    this.#formats = new Set([binaryFormat(features), binaryFormat({ ...features, relaxed: false })]);
  }

  allocate(bytes: number): WasmBuffer {
    return this.memory.allocate(bytes);
  }

  /** Host memory is never in reach. */
  wrap(): Buffer | undefined {
    return undefined;
  }

  async load(binary: Binary, { scratchBytes }: { readonly scratchBytes: number }): Promise<Program> {
    if (!this.#formats.has(binary.format)) {
      throw new AnychipError('device', `the program is ${binary.format}, this engine runs ${[...this.#formats].join(' and ')}`, {
        hint: 'Compile the model again in this engine.',
      });
    }
    invariant(webAssembly !== undefined, 'a device without WebAssembly');
    const module = await webAssembly.compile(binary.bytes);
    const stride = Math.ceil(scratchBytes / SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT;
    const id = this.#programs++;
    const program = new WasmProgram(id, callTableOf(module), this.allocate(stride * this.limits.threads), stride, () => this.pool.unload(id));
    await this.pool.load({ id, module });
    return program;
  }

  createQueue(): Queue {
    return new WasmQueue(this);
  }

  /** Ends the threads; programs must not run any more. */
  dispose(): void {
    this.pool.dispose();
  }
}
