// External tensor data on disk. It may not leave the model's folder: no absolute paths, no '..', no links of either kind; offsets and
// lengths are checked against the file before anything is allocated. Files are opened when read and closed again.
import { closeSync, lstatSync, openSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { AnychipError } from '../../core/error.ts';
import { readRange } from './fileRange.ts';
import type { ExternalReader } from './tensorProto.ts';

const refuse = (location: string, reason: string): never => {
  throw new AnychipError('bad-file', `external data '${location}' ${reason}`, { hint: 'External data must be a plain file inside the folder of the model.' });
};

/** Reads external data of the model at `modelPath`. */
export function externalFiles(modelPath: string): ExternalReader {
  const folder = realpathSync(dirname(modelPath));
  const checked = new Map<string, { readonly path: string; readonly size: number }>();
  return (entry, bytes) => {
    let file = checked.get(entry.location);
    if (file === undefined) checked.set(entry.location, (file = checkFile(folder, entry.location)));
    const { path, size } = file;
    if (entry.offset + bytes > size) refuse(entry.location, `has ${size} bytes, the tensor needs ${bytes} at ${entry.offset}`);
    return { byteLength: bytes, read: (from = 0, count = bytes - from, into?: Uint8Array) => readPart(path, entry.location, entry.offset + from, count, into) };
  };
}

function checkFile(folder: string, location: string): { readonly path: string; readonly size: number } {
  const parts = location.split(/[/\\]/);
  if (location === '' || isAbsolute(location) || /^[a-zA-Z]:/.test(location) || location.includes('\0')) refuse(location, 'is not a relative path');
  if (parts.includes('..')) refuse(location, 'leaves the folder of the model');
  const path = join(folder, ...parts);
  const stat = statOf(path, location);
  if (!stat.isFile()) refuse(location, stat.isSymbolicLink() ? 'is a symbolic link' : 'is not a plain file');
  if (stat.nlink > 1) refuse(location, 'has more than one hard link');
  const inside = relative(folder, realpathSync(path));
  if (inside !== join(...parts) || inside.startsWith(`..${sep}`)) refuse(location, 'is reached through a link');
  return { path, size: stat.size };
}

function statOf(path: string, location: string) {
  try {
    return lstatSync(path);
  } catch {
    return refuse(location, 'is missing');
  }
}

function readPart(path: string, location: string, start: number, bytes: number, into: Uint8Array | undefined): Uint8Array {
  const file = openSync(path, 'r');
  try {
    return readRange(file, start, bytes, into) ?? refuse(location, 'has become shorter');
  } finally {
    closeSync(file);
  }
}
