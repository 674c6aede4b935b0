// An ONNX model on disk, with its external data beside it.
import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { AnychipError } from '../../core/error.ts';
import { externalFiles } from './externalFile.ts';
import { importModel } from './import.ts';
import type { Model } from './import.ts';

/** protobuf's own bound on a message. */
const MAX_FILE_BYTES = 2 ** 31 - 1;

export function readModelFile(path: string): Model {
  return importModel(readBytes(path), { name: basename(path), external: externalFiles(path) });
}

function readBytes(path: string): Uint8Array {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new AnychipError('bad-file', `${path} is not a file`, { hint: 'Give the path of an .onnx file.' });
    if (stat.size > MAX_FILE_BYTES)
      throw new AnychipError('limit', `${path} has ${stat.size} bytes, over the 2 GiB of a protobuf message`, { hint: 'Save the weights as external data.' });
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof AnychipError) throw cause;
    throw new AnychipError('bad-file', `cannot read ${path}`, { hint: 'Is the path right, and may it be read?', cause });
  }
}
