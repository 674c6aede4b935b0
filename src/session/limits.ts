// Bounds on what a model or a file may make us allocate.
import { AnychipError } from '../core/error.ts';

/** Upper bound for memory that a model makes us allocate, unless the caller says otherwise, bytes. */
export const DEFAULT_MAX_MEMORY_BYTES = 16 * 2 ** 30;

/** Throws `limit` for more than `maxBytes`. */
export const reserveWithin =
  (maxBytes: number) =>
  (bytes: number): void => {
    if (!(bytes <= maxBytes)) throw new AnychipError('limit', `it needs ${bytes} bytes, over the limit of ${maxBytes}`, { hint: 'Raise --max-memory.' });
  };
