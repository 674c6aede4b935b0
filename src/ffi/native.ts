// The one seam to native code: libraries, their functions, addresses and memory, over koffi. Nothing else in the house imports koffi.
// It is loaded when first asked for, so that a machine koffi has no build for still runs everything that needs no native code.
// Addresses are bigints. It must not know what the libraries are for.
import type * as koffi from 'koffi';
import { AnychipError } from '../core/error.ts';

export type NativeType = 'void' | 'i32' | 'i64' | 'pointer';
export type NativeValue = number | bigint;

export interface NativeFunction {
  (...args: readonly NativeValue[]): NativeValue;
  /** The same call on a thread of its own, so that the event loop goes on; here where such threads have too little stack. */
  inBackground(...args: readonly NativeValue[]): Promise<NativeValue>;
}

export interface NativeLibrary {
  /** Throws if the library has no function of this name. */
  find(name: string, result: NativeType, args: readonly NativeType[]): NativeFunction;
  /** Functions found in it must not be called any more. */
  close(): void;
}

export interface Native {
  open(path: string): NativeLibrary;
  /** Where `bytes` lie, for as long as they are alive; 0 for no bytes, undefined where it cannot be known. */
  addressOf(bytes: Uint8Array): bigint | undefined;
  /** Fresh zeroed pages, given out by the system when first written: large ones for much memory. */
  allocate(bytes: number): bigint;
  free(address: bigint, bytes: number): void;
  /** Asks the system for large pages where much of this memory was not written yet: each page costs when it is first written. */
  preferLargePages(address: bigint, bytes: number): void;
  copy(target: bigint, source: bigint, bytes: number): void;
  /** The text, up to its NUL, that native code keeps there. */
  textAt(address: bigint): string;
}

const koffiTypes = { void: 'void', i32: 'int', i64: 'int64_t', pointer: 'uint64_t' } as const satisfies Record<NativeType, string>;

type Koffi = (typeof koffi)['default'];

const failure = (reason: string, cause: unknown): AnychipError =>
  new AnychipError('device', `${reason}: ${cause instanceof Error ? cause.message : String(cause)}`, { hint: 'Use another device, such as wasm.', cause });

class KoffiLibrary implements NativeLibrary {
  readonly #handle: koffi.LibraryHandle;
  readonly #path: string;
  readonly #hasThreads: boolean;

  constructor(handle: koffi.LibraryHandle, path: string, hasThreads: boolean) {
    this.#handle = handle;
    this.#path = path;
    this.#hasThreads = hasThreads;
  }

  find(name: string, result: NativeType, args: readonly NativeType[]): NativeFunction {
    try {
      const call = this.#handle.func(
        name,
        koffiTypes[result],
        args.map((type) => koffiTypes[type]),
      );
      const inBackground = (...values: readonly NativeValue[]): Promise<NativeValue> =>
        new Promise((resolve, reject) => {
          if (!this.#hasThreads) return resolve(call(...values));
          call.async(...values, (error: unknown, value: NativeValue) => (error === null || error === undefined ? resolve(value) : reject(failure(name, error))));
        });
      return Object.assign((...values: readonly NativeValue[]): NativeValue => call(...values), { inBackground });
    } catch (error) {
      throw failure(`${this.#path} has no ${name}`, error);
    }
  }

  close(): void {
    this.#handle.unload();
  }
}

const PROTECTION_READ_WRITE = 3;
const MAP_PRIVATE = 2;
/** The one flag of mmap whose number differs between systems. */
const MAP_ANONYMOUS = process.platform === 'darwin' ? 0x1000 : 0x20;
const MAP_FAILED = 2n ** 64n - 1n;
/** Linux alone gives large pages to those who ask. */
const MADV_HUGEPAGE = process.platform === 'linux' ? 14 : undefined;
/** Of the processors that are common. */
const LARGE_PAGE_BYTES = 2 << 20;

/**
 * glibc gives freed memory back to the system, whose pages cost again when written to, unless blocks of that size were freed before; it goes
 * up to 32 MiB with that (mallopt(3), M_MMAP_THRESHOLD). Results of runs are such blocks.
 */
const REUSED_BYTES = (32 << 20) - (64 << 10);

class KoffiNative implements Native {
  readonly #koffi: Koffi;
  readonly #hasThreads: boolean;
  readonly #map: NativeFunction;
  readonly #unmap: NativeFunction;
  readonly #advise: NativeFunction;
  readonly #copy: NativeFunction;
  readonly #length: NativeFunction;

  constructor(koffi: Koffi) {
    this.#koffi = koffi;
    this.#hasThreads = givesStack(koffi);
    const system = new KoffiLibrary(koffi.load(null), 'the C library', this.#hasThreads);
    this.#map = system.find('mmap', 'pointer', ['pointer', 'i64', 'i32', 'i32', 'i32', 'i64']);
    this.#unmap = system.find('munmap', 'i32', ['pointer', 'i64']);
    this.#advise = system.find('madvise', 'i32', ['pointer', 'i64', 'i32']);
    this.#copy = system.find('memcpy', 'pointer', ['pointer', 'pointer', 'i64']);
    this.#length = system.find('strlen', 'i64', ['pointer']);
    const [malloc, free] = [system.find('malloc', 'pointer', ['i64']), system.find('free', 'void', ['pointer'])];
    free(malloc(REUSED_BYTES));
  }

  open(path: string): NativeLibrary {
    try {
      return new KoffiLibrary(this.#koffi.load(path), path, this.#hasThreads);
    } catch (error) {
      throw failure(`cannot load ${path}`, error);
    }
  }

  addressOf(bytes: Uint8Array): bigint | undefined {
    if (bytes.byteLength === 0) return 0n;
    try {
      return this.#koffi.address(bytes);
    } catch {
      return undefined;
    }
  }

  allocate(bytes: number): bigint {
    if (bytes === 0) return 0n;
    const address = BigInt(this.#map(0, bytes, PROTECTION_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (BigInt.asUintN(64, address) === MAP_FAILED)
      throw new AnychipError('limit', `the system gives no ${bytes} bytes of memory`, { hint: 'Use a smaller model or batch, or a machine with more memory.', facts: { bytes } });
    this.preferLargePages(address, bytes);
    return address;
  }

  preferLargePages(address: bigint, bytes: number): void {
    const size = BigInt(LARGE_PAGE_BYTES);
    const [first, end] = [(address + size - 1n) / size, (address + BigInt(bytes)) / size];
    if (MADV_HUGEPAGE !== undefined && end > first) this.#advise(first * size, Number((end - first) * size), MADV_HUGEPAGE);
  }

  free(address: bigint, bytes: number): void {
    if (address !== 0n) this.#unmap(address, bytes);
  }

  copy(target: bigint, source: bigint, bytes: number): void {
    if (bytes > 0) this.#copy(target, source, bytes);
  }

  textAt(address: bigint): string {
    const bytes = new Uint8Array(new ArrayBuffer(Number(this.#length(address))));
    this.copy(this.addressOf(bytes) ?? 0n, address, bytes.byteLength);
    return new TextDecoder().decode(bytes);
  }
}

/** What a thread of the system has: compilers in drivers need much of it. Pages come when first written. */
const BACKGROUND_STACK_BYTES = 8 << 20;

/** Whether threads of koffi's get that much: it takes sizes until something loads a library, which others in this process may have done. */
function givesStack(koffi: Koffi): boolean {
  const known = koffi.config();
  if ((known.async_stack_size ?? 0) >= BACKGROUND_STACK_BYTES) return true;
  try {
    koffi.config({ ...known, async_stack_size: BACKGROUND_STACK_BYTES });
    return true;
  } catch {
    return false;
  }
}

let native: Promise<Native> | undefined;

/** Native code of this machine. Rejects with a 'device' error where there is no way to call it. */
export function openNative(): Promise<Native> {
  native ??= import('koffi').then(
    ({ default: koffi }) => new KoffiNative(koffi),
    (error: unknown) => {
      throw failure('koffi, the bridge to native code, does not load here', error);
    },
  );
  return native;
}
