// What every queue holds of the buffers it is given.
import { invariant } from '../core/error.ts';
import type { Buffer } from './device.ts';

/** `buffer`, which must be of the device's own kind, alive, and have `bytes` bytes at an offset. */
export function checkedBuffer<B extends Buffer & { readonly alive: boolean }>(kind: abstract new (...args: never) => B, buffer: Buffer, offset: number, bytes: number): B {
  invariant(buffer instanceof kind, 'a buffer of another device');
  invariant(buffer.alive, 'a buffer that was disposed');
  invariant(offset >= 0 && offset + bytes <= buffer.bytes, `bytes ${offset}…${offset + bytes} of a buffer of ${buffer.bytes}`);
  return buffer;
}
