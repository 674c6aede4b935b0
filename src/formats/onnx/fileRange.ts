// Part of a file on disk.
import { readSync } from 'node:fs';

/** Most bytes that one call reads. */
const CALL_BYTES = 1 << 30;

/** `bytes` from byte `start` on of an open file, in `into` or new memory; undefined where it has not got so many. */
export function readRange(file: number, start: number, bytes: number, into: Uint8Array = new Uint8Array(bytes)): Uint8Array | undefined {
  for (let at = 0; at < bytes;) {
    const count = readSync(file, into, at, Math.min(bytes - at, CALL_BYTES), start + at);
    if (count === 0) return undefined;
    at += count;
  }
  return into;
}
