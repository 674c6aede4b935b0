// External tensor data that the caller already holds: for models that come as bytes, and where there is no file system.
import { AnychipError } from '../../core/error.ts';
import { partOf, storedIn } from '../../core/stored.ts';
import type { ExternalReader } from './tensorProto.ts';

const plain = (location: string): string => location.replace(/^\.\//, '');

/** Reads external data out of `files`, by the location that the model names. Nothing is copied until a tensor is read. */
export function externalMemory(files: ReadonlyMap<string, Uint8Array>): ExternalReader {
  const held = new Map([...files].map(([location, bytes]) => [plain(location), bytes] as const));
  return ({ location, offset }, bytes) => {
    const file = held.get(plain(location));
    if (file === undefined)
      throw new AnychipError('bad-file', `external data '${location}' was not given`, {
        hint: `Give it with the option externalData (given: ${[...held.keys()].join(', ') || 'nothing'}).`,
        facts: { missingFile: location },
      });
    if (offset + bytes > file.byteLength) throw new AnychipError('bad-file', `external data '${location}' has ${file.byteLength} bytes, the tensor needs ${bytes} at ${offset}`);
    return partOf(storedIn(file), offset, bytes);
  };
}
