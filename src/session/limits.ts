/** Upper bound for memory that a model makes us allocate, unless the caller says otherwise, bytes. */
export const DEFAULT_MAX_MEMORY_BYTES = 16 * 2 ** 30;
