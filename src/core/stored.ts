// Bytes that may lie elsewhere than in memory until they are read.

export interface Stored {
  readonly byteLength: number;
  /**
   * All of them, or `bytes` from byte `from` on: a view of where they lie, or in memory that is new; that of `into`, which is as long, where it
   * is given.
   */
  read(from?: number, bytes?: number, into?: Uint8Array): Uint8Array;
}

export const storedIn = (held: Uint8Array): Stored => ({ byteLength: held.byteLength, read: (from = 0, bytes = held.byteLength - from) => held.subarray(from, from + bytes) });

/** `bytes` of them, from byte `start` on. */
export const partOf = (stored: Stored, start: number, byteLength: number): Stored => ({
  byteLength,
  read: (from = 0, bytes = byteLength - from, into?: Uint8Array) => stored.read(start + from, bytes, into),
});
