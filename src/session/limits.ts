// Bounds on what a model or a file may make us allocate.
import { machineMemoryBytes } from '../core/environment.ts';
import { AnychipError } from '../core/error.ts';

/** What a browser's page may have at most: how much its machine has is not told. */
const PAGE_BYTES = 4 * 2 ** 30;

/** Upper bound for memory that a model makes us allocate, unless the caller says otherwise, bytes. A system that runs out ends processes. */
export const DEFAULT_MAX_MEMORY_BYTES = Math.min(16 * 2 ** 30, Math.floor((machineMemoryBytes ?? PAGE_BYTES) * 0.75));

/** Throws `limit` for more than `maxBytes`. */
export const reserveWithin =
  (maxBytes: number) =>
  (bytes: number): void => {
    if (!(bytes <= maxBytes)) throw new AnychipError('limit', `it needs ${bytes} bytes, over the limit of ${maxBytes}`, { hint: 'Raise --max-memory.' });
  };
