// Outputs of a run as files: NumPy's format where it has the dtype, ONNX's for all else. A file is there whole or not at all.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { AnychipError } from '../core/error.ts';
import { encodeNpy, hasNumpyName } from '../formats/npy.ts';
import { encodeValue } from '../formats/onnx/tensorProto.ts';
import { isTensor } from '../graph/graph.ts';
import type { HostValue } from '../graph/graph.ts';

const LONGEST_NAME = 120;

/** A file name made of `name`: no separators, no leading dot, unique among `taken`. */
function fileName(name: string, ending: string, taken: Set<string>): string {
  const safe =
    name
      .replace(/[^\w.-]/g, '_')
      .replace(/^\.+/, '_')
      .slice(0, LONGEST_NAME) || 'output';
  let file = safe + ending;
  for (let i = 1; taken.has(file.toLowerCase()); i++) file = `${safe}_${i}${ending}`;
  taken.add(file.toLowerCase());
  return file;
}

function writeWhole(path: string, bytes: string | Uint8Array): void {
  const draft = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(draft, bytes);
    renameSync(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Level by level: Node's own recursion never ends where the system says that a folder cannot be (as in /proc). */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  mkdirSync(folder);
}

/** Writes files into `folder`, which is made if it is missing; returns their paths. */
export function writeFiles(files: readonly { readonly name: string; readonly content: string | Uint8Array }[], folder: string): string[] {
  try {
    makeFolder(resolve(folder));
    return files.map(({ name, content }) => {
      const path = join(folder, name);
      writeWhole(path, content);
      return path;
    });
  } catch (error) {
    if (error instanceof AnychipError) throw error;
    throw new AnychipError('bad-argument', `outputs cannot be written to ${folder}: ${error instanceof Error ? error.message : String(error)}`, {
      hint: 'Choose a folder that can be written to.',
    });
  }
}

/** Writes one file for each output into `folder`; returns their paths. */
export function writeOutputs(outputs: ReadonlyMap<string, HostValue>, folder: string): string[] {
  const taken = new Set<string>();
  const files = [...outputs].map(([name, value]) => {
    const isArray = isTensor(value) && hasNumpyName(value);
    return { name: fileName(name, isArray ? '.npy' : '.pb', taken), content: isArray ? encodeNpy(value) : encodeValue(value, name) };
  });
  return writeFiles(files, folder);
}
