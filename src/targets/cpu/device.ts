// The processor as a device: memory is the host's own, a binary is a shared library, and a run is one native call over a pool of native
// threads that all programs of the device share.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnychipError, invariant } from '../../core/error.ts';
import type { Native, NativeFunction, NativeLibrary } from '../../ffi/native.ts';
import { PAGE_BYTES, POOL_ABI } from '../../render/c/pool.ts';
import { removeIfThere } from '../../runtime/compileCache.ts';
import type { Binary, Device, DeviceLimits, Program, Queue } from '../../runtime/device.ts';
import { cpuFacts } from './facts.ts';
import { CpuBuffer, CpuProgram } from './memory.ts';
import { CpuQueue } from './queue.ts';

/** Code for this system, this processor and this version of the calling convention. */
export const binaryFormat = (): string => `${process.platform}-${process.arch}-${cpuFacts().fingerprint}-${POOL_ABI}`;

export const MAX_BUFFER_BYTES = 2 ** 46;

/** The pool's functions lie in the library of the first program loaded, which stays open as long as the pool. */
interface Pool {
  readonly address: bigint;
  readonly library: NativeLibrary;
  readonly dispose: NativeFunction;
}

export class CpuDevice implements Device {
  readonly limits: DeviceLimits;
  readonly #native: Native;
  readonly #folders: readonly string[];
  #pool: Pool | undefined;

  /** Libraries are written to the first of `cacheFolder` and the system's folder for temporary files that allows it. */
  constructor(native: Native, cacheFolder: string, threads: number) {
    this.limits = { threads, maxBufferBytes: MAX_BUFFER_BYTES };
    this.#native = native;
    this.#folders = [cacheFolder, tmpdir()];
  }

  allocate(bytes: number): CpuBuffer {
    const address = this.#native.allocate(bytes);
    return new CpuBuffer(address, bytes, () => this.#native.free(address, bytes));
  }

  wrap(bytes: Uint8Array): CpuBuffer | undefined {
    const address = this.#native.addressOf(bytes);
    // Of what is given for results, large parts were often never written.
    if (address !== undefined) this.#native.preferLargePages(address, bytes.byteLength);
    return address === undefined ? undefined : new CpuBuffer(address, bytes.byteLength, () => undefined, bytes);
  }

  load(binary: Binary, module: { readonly scratchBytes: number }): Promise<Program> {
    if (binary.format !== binaryFormat()) {
      const error = new AnychipError('device', `the program is for ${binary.format}, this is ${binaryFormat()}`, { hint: 'Compile the model again on this machine.' });
      return Promise.reject(error);
    }
    const library = this.openLibrary(binary.bytes);
    const execute = library.find('anychip_execute', 'void', ['pointer', 'i64', 'pointer', 'pointer', 'i64', 'pointer']);
    this.#pool ??= this.#createPool(library);
    const pool = this.#pool;
    const stride = Math.ceil(module.scratchBytes / PAGE_BYTES) * PAGE_BYTES;
    const close = (): void => {
      if (library !== pool.library) library.close();
    };
    return Promise.resolve(new CpuProgram(execute, pool.address, this.allocate(stride * this.limits.threads), stride, close));
  }

  /** Loads a shared library from its bytes. */
  openLibrary(bytes: Uint8Array): NativeLibrary {
    const problems: unknown[] = [];
    for (const folder of this.#folders) {
      const path = join(folder, `${randomBytes(8).toString('hex')}.tmp`);
      try {
        mkdirSync(folder, { recursive: true });
        writeFileSync(path, bytes, { mode: 0o700 });
        return this.#native.open(path);
      } catch (error) {
        problems.push(error);
      } finally {
        // A loaded library needs its file no more.
        removeIfThere(path);
      }
    }
    const [first] = problems;
    throw first instanceof AnychipError
      ? first
      : new AnychipError('device', `no folder to load a program from: ${String(first)}`, { hint: 'Set ANYCHIP_CACHE to a folder that can be written to.' });
  }

  #createPool(library: NativeLibrary): Pool {
    const address = BigInt(library.find('anychip_create_pool', 'pointer', ['i32'])(this.limits.threads));
    invariant(address !== 0n, 'no memory for the thread pool');
    return { address, library, dispose: library.find('anychip_dispose_pool', 'void', ['pointer']) };
  }

  createQueue(): Queue {
    return new CpuQueue(this.#native);
  }

  /** Ends the threads; programs must not run any more. */
  dispose(): void {
    const pool = this.#pool;
    this.#pool = undefined;
    if (pool === undefined) return;
    pool.dispose(pool.address);
    pool.library.close();
  }
}
