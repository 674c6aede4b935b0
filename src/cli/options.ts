// Options that commands share, and how their texts become values.
import { InvalidArgumentError, Option } from 'commander';
import { AnychipError } from '../core/error.ts';
import { AUTO } from '../session/choose.ts';
import { allowances, precisions } from '../session/options.ts';
import type { Allowance } from '../session/options.ts';

const positive = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a positive whole number is needed.');
  return value;
};

function seed(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value)) throw new InvalidArgumentError('a whole number is needed.');
  return value;
}

/** NAME=N pairs, collected. */
function bindDimension(text: string, earlier: Record<string, number> = {}): Record<string, number> {
  const at = text.lastIndexOf('=');
  if (at < 1) throw new InvalidArgumentError('NAME=N is needed, for example batch=4.');
  const size = Number(text.slice(at + 1));
  if (!Number.isInteger(size) || size < 0) throw new InvalidArgumentError('a size that is a whole number is needed.');
  return { ...earlier, [text.slice(0, at)]: size };
}

const suffixes: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
function bytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?$/i.exec(text);
  if (match === null) throw new InvalidArgumentError('a size such as 512M or 4G is needed.');
  return Math.floor(Number(match[1]) * suffixes[match[2]!.toUpperCase()]!);
}

function someDevices(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.includes('')) throw new InvalidArgumentError('names with commas between are needed, for example wasm,cpu.');
  return names;
}

function oneDevice(text: string): string {
  if (text.includes(',')) throw new InvalidArgumentError('this command takes one device; run and bench take several.');
  return text;
}

const isAllowance = (text: string): text is Allowance => allowances.some((known) => known === text);
function allowance(text: string, earlier: readonly Allowance[] = []): readonly Allowance[] {
  if (!isAllowance(text)) throw new InvalidArgumentError(`one of ${allowances.join(', ')} is needed.`);
  return [...earlier, text];
}

const collect = (text: string, earlier: readonly string[] = []): readonly string[] => [...earlier, text];

export const options = {
  json: new Option('--json', 'print one JSON value instead of text'),
  device: new Option('-d, --device <name>', 'a name from `anychip devices`, or auto: the fastest that works').argParser(oneDevice).default(AUTO),
  devices: new Option('-d, --device <names>', 'a name from `anychip devices`, auto (the fastest that works), or several with commas between: all are held to the first')
    .argParser(someDevices)
    .default([AUTO], AUTO),
  requireAll: new Option('--require-all', 'with several devices: fail where one of them does not work here'),
  bind: new Option('--bind <dim=n>', 'fix a named dimension; may be repeated').argParser(bindDimension),
  input: new Option('-i, --input <name=file>', 'a value for one input: .npy, .npz, .pb, .json, .png, .jpg; may be repeated').argParser(collect),
  inputs: new Option('--inputs <dir>', 'a folder of inputs: NAME.npy, NAME.pb, … or input_0.pb, …'),
  output: new Option('-o, --output <dir>', 'write the outputs there, one file each'),
  folder: new Option('-o, --output <dir>', 'the folder that the files go to').makeOptionMandatory(),
  name: new Option('--name <name>', 'what the library is called; by default as the file of the model'),
  strict: new Option('--strict', 'refuse to run any node on the host'),
  allow: new Option('--allow <what>', 'give up exactness for speed: tf32, products of f32 that read 10 bits of its mantissa, rounded or cut off').argParser(allowance),
  precision: new Option('--precision <dtype>', 'narrow the floats between inputs and outputs: f16 or bf16; what needs f32 keeps it').choices(precisions),
  threads: new Option('-t, --threads <n>', 'threads of the device').argParser(positive),
  runs: new Option('--runs <n>', 'measured runs').argParser(positive),
  tune: new Option('--tune', 'first measure ways of computing on the device, and remember the fastest for this and later runs'),
  profile: new Option('--profile', 'also time each kernel, and show the slowest'),
  jobs: new Option('-j, --jobs <n>', 'cases at once').argParser(positive),
  filter: new Option('--filter <glob>', 'only cases whose name matches, * and ? allowed').default('*'),
  every: new Option('--every <n>', 'only every n-th case').argParser(positive).default(1),
  seed: new Option('--seed <n>', 'seed of random inputs and random operators').argParser(seed).default(0),
  maxMemory: new Option('--max-memory <size>', 'upper bound of what a model may allocate, for example 4G').argParser(bytes),
  source: new Option('--source <kernel>', 'print the rendered source of one kernel'),
  mean: new Option('--mean <values>', 'for images: subtracted from pixels (0–255), one value or one a channel').argParser(numbers),
  std: new Option('--std <values>', 'for images: pixels are divided by it, one value or one a channel').argParser(numbers),
} as const;

function numbers(text: string): readonly number[] {
  const values = text.split(',').map(Number);
  if (values.some((value) => !Number.isFinite(value))) throw new InvalidArgumentError('numbers with commas between are needed.');
  return values;
}

/** Splits NAME=FILE; without a name the model must have one input only. */
export function splitInput(text: string, names: readonly string[]): readonly [name: string, file: string] {
  for (let at = text.indexOf('='); at >= 0; at = text.indexOf('=', at + 1)) {
    if (names.includes(text.slice(0, at))) return [text.slice(0, at), text.slice(at + 1)];
  }
  if (!text.includes('=') && names.length === 1) return [names[0]!, text];
  throw new AnychipError('bad-argument', `--input ${text}: NAME=FILE is needed, with the name of an input`, { hint: `Inputs: ${names.join(', ')}.` });
}
