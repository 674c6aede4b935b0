// NumPy's .npz files: a zip of .npy files. Declared sizes are checked before anything is inflated.
import { unzipSync } from 'fflate';
import { AnychipError } from '../core/error.ts';
import type { Tensor } from '../core/tensor.ts';
import { decodeNpy } from './npy.ts';

/** The arrays by name, without the .npy ending. */
export function decodeNpz(bytes: Uint8Array, maxBytes: number): Map<string, Tensor> {
  let total = 0;
  const files = unzip(bytes, ({ name, originalSize }) => {
    if (!name.endsWith('.npy')) return false;
    total += originalSize;
    if (total > maxBytes) throw new AnychipError('limit', `the arrays of a .npz file need ${total} bytes, over the limit of ${maxBytes}`, { hint: 'Raise --max-memory.' });
    return true;
  });
  return new Map(Object.entries(files).map(([name, data]) => [name.slice(0, -'.npy'.length), decodeNpy(data)] as const));
}

function unzip(bytes: Uint8Array, filter: (file: { readonly name: string; readonly originalSize: number }) => boolean): Readonly<Record<string, Uint8Array>> {
  try {
    return unzipSync(bytes, { filter });
  } catch (error) {
    if (error instanceof AnychipError) throw error;
    throw new AnychipError('bad-file', `not a readable .npz file: ${error instanceof Error ? error.message : String(error)}`, { hint: 'Write it again with numpy.savez.' });
  }
}
