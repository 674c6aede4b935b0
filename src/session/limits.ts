// Bounds on what a model or a file may make us allocate.
import { AnychipError } from '../core/error.ts';

/** What a browser's page may have at most, where none tells; a machine's memory is known to Node alone. */
const PAGE_BYTES = 4 * 2 ** 30;
const totalBytes = globalThis.process?.getBuiltinModule?.('node:os').totalmem() ?? PAGE_BYTES;

/** Upper bound for memory that a model makes us allocate, unless the caller says otherwise, bytes. A system that runs out ends processes. */
export const DEFAULT_MAX_MEMORY_BYTES = Math.min(16 * 2 ** 30, Math.floor(totalBytes * 0.75));

/** Throws `limit` for more than `maxBytes`. */
export const reserveWithin =
  (maxBytes: number) =>
  (bytes: number): void => {
    if (!(bytes <= maxBytes)) throw new AnychipError('limit', `it needs ${bytes} bytes, over the limit of ${maxBytes}`, { hint: 'Raise --max-memory.' });
  };
