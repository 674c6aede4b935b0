// Memory that native functions read from and write to: arguments that are passed by address, answers, strings.
import { AnychipError, invariant } from '../core/error.ts';
import type { Native } from './native.ts';

export class HostMemory {
  readonly bytes: Uint8Array;
  /** Valid as long as the object lives. */
  readonly address: bigint;

  constructor(native: Native, bytes: number) {
    // A buffer of its own, in whole words, is never moved by the collector.
    this.bytes = new Uint8Array(new ArrayBuffer(Math.max(Math.ceil(bytes / 8) * 8, 8)), 0, bytes);
    const address = native.addressOf(this.bytes.byteLength > 0 ? this.bytes : new Uint8Array(this.bytes.buffer));
    invariant(address !== undefined, 'memory without an address');
    this.address = address;
  }

  static string(native: Native, text: string): HostMemory {
    const encoded = new TextEncoder().encode(text);
    const memory = new HostMemory(native, encoded.byteLength + 1);
    memory.bytes.set(encoded);
    return memory;
  }

  static words(native: Native, words: readonly bigint[]): HostMemory {
    const memory = new HostMemory(native, words.length * 8);
    memory.u64.set(words);
    return memory;
  }

  get u64(): BigUint64Array {
    return new BigUint64Array(this.bytes.buffer);
  }
  get i32(): Int32Array {
    return new Int32Array(this.bytes.buffer);
  }

  /** As text, up to its first NUL. */
  get text(): string {
    const end = this.bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? this.bytes : this.bytes.subarray(0, end)).trim();
  }
}

/** Where the caller's bytes lie, for native code to read or write; whoever asks keeps them alive until it is done. */
export function hostAddress(native: Native, bytes: Uint8Array): bigint {
  const address = native.addressOf(bytes);
  if (address === undefined) throw new AnychipError('bad-argument', 'host memory without an address', { hint: 'Pass data in an ordinary ArrayBuffer.' });
  return address;
}
