// An ONNX model on disk, with its external data beside it. Of a large file weights stay there until something reads them: it is kept open as
// long as the model lives, so that it may be removed, and whoever changes it is noticed.
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { AnychipError } from '../../core/error.ts';
import { storedIn } from '../../core/stored.ts';
import type { Stored } from '../../core/stored.ts';
import { externalFiles } from './externalFile.ts';
import { readRange } from './fileRange.ts';
import { importModel } from './import.ts';
import type { Model } from './import.ts';

/** protobuf's own bound on a message. */
const MAX_FILE_BYTES = 2 ** 31 - 1;
/** Files up to this size are read as a whole. */
const WHOLE_BYTES = 1 << 20;

export function readModelFile(path: string): Model {
  return importModel(openModelFile(path), { name: basename(path), external: externalFiles(path) });
}

function openModelFile(path: string): Stored {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new AnychipError('bad-file', `${path} is not a file`, { hint: 'Give the path of an .onnx file.' });
    if (stat.size > MAX_FILE_BYTES)
      throw new AnychipError('limit', `${path} has ${stat.size} bytes, over the 2 GiB of a protobuf message`, { hint: 'Save the weights as external data.' });
    if (stat.size <= WHOLE_BYTES) return storedIn(readFileSync(file));
    const open = new OpenFile(path, file, stat);
    file = undefined;
    return open;
  } catch (cause) {
    if (cause instanceof AnychipError) throw cause;
    throw new AnychipError('bad-file', `cannot read ${path}`, { hint: 'Is the path right, and may it be read?', cause });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** Files whose readers are gone are closed. */
const closing = new FinalizationRegistry<number>((file) => closeSync(file));

class OpenFile implements Stored {
  readonly byteLength: number;
  readonly #path: string;
  readonly #file: number;
  readonly #modified: number;

  constructor(path: string, file: number, { size, mtimeMs }: { readonly size: number; readonly mtimeMs: number }) {
    this.#path = path;
    this.#file = file;
    this.byteLength = size;
    this.#modified = mtimeMs;
    closing.register(this, file);
  }

  read(from = 0, bytes = this.byteLength - from, into?: Uint8Array): Uint8Array {
    const data = readRange(this.#file, from, bytes, into);
    const { size, mtimeMs } = fstatSync(this.#file);
    if (data !== undefined && size === this.byteLength && mtimeMs === this.#modified) return data;
    throw new AnychipError('bad-file', `${this.#path} has changed since it was opened`, { hint: 'Open the model again.' });
  }
}
