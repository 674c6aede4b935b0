// A conformance suite on disk, in the layout of ONNX's backend tests: one folder a case, with `model.onnx` and
// `test_data_set_*/{input,output}_*.pb`. Knows where files lie, not what is in them.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AnychipError } from '../core/error.ts';

export interface DataSet {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

export interface Case {
  /** The folder's path below the suite. */
  readonly name: string;
  readonly model: string;
  readonly dataSets: readonly DataSet[];
}

/** Levels of folders searched below the suite for cases. */
const MAX_DEPTH = 4;

/** Cases below `directory`, sorted by name; `filter` is a glob over the name (or the last part of it) with `*` and `?`. */
export function listCases(directory: string, filter = '*'): Case[] {
  const wanted = globPattern(filter);
  const cases = find(directory, '', 0).filter(({ name }) => wanted.test(name) || wanted.test(basename(name)));
  if (cases.length === 0) {
    throw new AnychipError('bad-argument', `no case matches '${filter}' in ${directory}`, { hint: 'A case is a folder with model.onnx and test_data_set_*/input_*.pb.' });
  }
  return cases.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function find(directory: string, name: string, depth: number): Case[] {
  const entries = read(directory);
  if (entries.some((entry) => entry.isFile() && entry.name === 'model.onnx')) {
    return [
      {
        name: name === '' ? basename(directory) : name,
        model: join(directory, 'model.onnx'),
        dataSets: dataSets(
          directory,
          entries.map((entry) => entry.name),
        ),
      },
    ];
  }
  if (depth === MAX_DEPTH) return [];
  return entries.filter((entry) => entry.isDirectory()).flatMap((entry) => find(join(directory, entry.name), name === '' ? entry.name : `${name}/${entry.name}`, depth + 1));
}

function read(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (cause) {
    throw new AnychipError('bad-file', `cannot read the folder ${directory}`, { hint: 'Give the folder of a suite, with one folder a case.', cause });
  }
}

function dataSets(directory: string, names: readonly string[]): DataSet[] {
  return names
    .filter((name) => name.startsWith('test_data_set_'))
    .sort(byNumber)
    .map((name) => {
      const files = read(join(directory, name)).map((entry) => entry.name);
      const numbered = (kind: string): string[] =>
        files
          .filter((file) => file.startsWith(`${kind}_`) && file.endsWith('.pb'))
          .sort(byNumber)
          .map((file) => join(directory, name, file));
      return { inputs: numbered('input'), outputs: numbered('output') };
    });
}

const numberIn = (name: string): number => Number(/\d+/.exec(name.slice(name.lastIndexOf('_')))?.[0] ?? 0);
const byNumber = (a: string, b: string): number => numberIn(a) - numberIn(b);

/** `*` and `?` stand for any characters, and for any one. */
export const globPattern = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')}$`,
  );
