// How many bytes of host tensors may still be made. Whoever evaluates a model's nodes sets a bound for the time of the call, and every
// tensor that is created in it counts, so that no operator can forget to ask. Evaluation is synchronous: the bound is that of the call.
import { AnychipError } from './error.ts';

let left = Infinity;

/** Runs `body`, in which tensors of at most `bytes` bytes in all may be created. */
export function withMemoryBudget<T>(bytes: number, body: () => T): T {
  const outer = left;
  left = bytes;
  try {
    return body();
  } finally {
    left = outer;
  }
}

/** Throws `limit` unless `bytes` more may be allocated. */
export function checkMemory(bytes: number): void {
  if (bytes <= left) return;
  throw new AnychipError('limit', `${formatSize(bytes)} are asked for where ${formatSize(Math.max(left, 0))} are left of the memory limit`, {
    hint: 'Raise --max-memory (maxMemoryBytes) if the model is trusted, or use smaller inputs.',
    facts: { bytes, left },
  });
}

/** Counts `bytes` as allocated. */
export function spendMemory(bytes: number): void {
  checkMemory(bytes);
  left -= bytes;
}

const formatSize = (bytes: number): string => (bytes < 2 ** 20 ? `${bytes} bytes` : bytes < 2 ** 60 ? `${Math.round(bytes / 2 ** 20)} MiB` : 'more bytes than exist');
