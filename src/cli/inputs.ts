// Files given on the command line as values of a model's inputs.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { AnychipError, within } from '../core/error.ts';
import { formatShape } from '../core/shape.ts';
import type { Tensor } from '../core/tensor.ts';
import { tensorFromJson } from '../formats/json.ts';
import { decodeNpy } from '../formats/npy.ts';
import { decodeNpz } from '../formats/npz.ts';
import { decodeValue } from '../formats/onnx/tensorProto.ts';
import { isTensor, requiredInputs } from '../graph/graph.ts';
import type { Graph, HostValue, TensorType, Value } from '../graph/graph.ts';
import { DEFAULT_MAX_MEMORY_BYTES, reserveWithin } from '../session/limits.ts';
import { imageTensor } from '../session/imageFeed.ts';
import type { ImageOptions } from '../session/imageFeed.ts';
import { splitInput } from './options.ts';

export interface InputOptions extends ImageOptions {
  /** NAME=FILE of one input each. */
  readonly input?: readonly string[];
  /** A folder of inputs. */
  readonly inputs?: string;
  readonly maxMemory?: number;
}

interface Reading {
  readonly path: string;
  readonly value: Value;
  readonly options: InputOptions;
  readonly reserve: (bytes: number) => void;
}

type Reader = (bytes: Uint8Array, reading: Reading) => HostValue;

const tensorType = (value: Value): TensorType | undefined => (value.type?.kind === 'tensor' ? value.type : undefined);

const readImage: Reader = (bytes, { value, options, reserve }) => {
  const type = tensorType(value);
  if (type === undefined) throw new AnychipError('bad-argument', `input '${value.name}' takes no image`);
  return imageTensor(bytes, value, type, options, reserve);
};

const readers: Readonly<Record<string, Reader>> = {
  '.npy': (bytes) => decodeNpy(bytes),
  '.npz': (bytes, { value, options }) => chosenArray(decodeNpz(bytes, options.maxMemory ?? DEFAULT_MAX_MEMORY_BYTES), value),
  '.pb': (bytes, { value }) => decodeValue(bytes, value.type),
  '.json': (bytes, { value }) => chosenJson(bytes, value),
  '.png': readImage,
  '.jpg': readImage,
  '.jpeg': readImage,
};

/** The array named as the input, or the only one. */
function chosenArray(arrays: ReadonlyMap<string, Tensor>, value: Value): Tensor {
  const [only] = arrays.values();
  const tensor = arrays.get(value.name) ?? (arrays.size === 1 ? only : undefined);
  if (tensor === undefined) throw new AnychipError('bad-argument', `no array '${value.name}' among ${[...arrays.keys()].join(', ')}`);
  return tensor;
}

function chosenJson(bytes: Uint8Array, value: Value): Tensor {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new AnychipError('bad-file', `not JSON: ${error instanceof Error ? error.message : String(error)}`, { hint: 'Write nested arrays of numbers.' });
  }
  const named =
    typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) && Object.hasOwn(parsed, value.name)
      ? Object.entries(parsed).find(([name]) => name === value.name)![1]
      : parsed;
  return tensorFromJson(named, tensorType(value)?.dtype);
}

function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new AnychipError('bad-file', `cannot be read: ${error instanceof Error ? error.message : String(error)}`, { hint: 'Check the path.' });
  }
}

function readValue(reading: Reading): HostValue {
  const { path, value } = reading;
  return within(path, () => {
    const reader = readers[extname(path).toLowerCase()];
    if (reader === undefined) throw new AnychipError('bad-argument', `input files end in ${Object.keys(readers).join(', ')}`, { hint: 'Convert the file first.' });
    const read = reader(readBytes(path), reading);
    check(value, read);
    return read;
  });
}

/** dtype, rank and fixed dimensions, before anything is compiled. */
function check(value: Value, given: HostValue): void {
  const type = tensorType(value);
  if (type === undefined || !isTensor(given)) return;
  if (given.dtype !== type.dtype)
    throw new AnychipError('bad-argument', `the file holds ${given.dtype}, input '${value.name}' wants ${type.dtype}`, { hint: 'Convert the array first.' });
  const { shape } = type;
  if (shape !== undefined && (shape.length !== given.shape.length || shape.some((d, i) => typeof d === 'number' && d !== given.shape[i]))) {
    throw new AnychipError('bad-argument', `the file holds shape ${formatShape(given.shape)}, input '${value.name}' wants ${formatShape(shape)}`, {
      hint: 'Reshape the array first.',
    });
  }
}

/** The files of a folder by input: named as inputs, all in one .npz, or numbered as ONNX's test data. */
function filesIn(folder: string, inputs: readonly Value[]): Map<Value, string> {
  const names = within(folder, () => {
    try {
      if (!statSync(folder).isDirectory()) throw new AnychipError('bad-argument', 'not a folder', { hint: 'Use --input NAME=FILE for a single file.' });
      return readdirSync(folder).sort();
    } catch (error) {
      if (error instanceof AnychipError) throw error;
      throw new AnychipError('bad-argument', `cannot be read: ${error instanceof Error ? error.message : String(error)}`, { hint: 'Check the path.' });
    }
  });
  const found = new Map<Value, string>();
  const archives = names.filter((name) => extname(name).toLowerCase() === '.npz');
  inputs.forEach((value, i) => {
    const stems = [value.name, `input_${i}`];
    const file = names.find((name) => stems.some((stem) => Object.keys(readers).some((end) => name.toLowerCase() === (stem + end).toLowerCase())));
    if (file !== undefined) found.set(value, join(folder, file));
    else if (archives.length === 1) found.set(value, join(folder, archives[0]!));
  });
  if (found.size === 0)
    throw new AnychipError('bad-argument', `${folder} has no file for any input`, { hint: `Name files ${inputs.map((v) => `${v.name}.npy`).join(', ')}, or input_0.pb, ….` });
  return found;
}

/** The values that the command line gives, by input name. */
export function readInputs(graph: Graph, given: InputOptions): Map<string, HostValue> {
  const reserve = reserveWithin(given.maxMemory ?? DEFAULT_MAX_MEMORY_BYTES);
  const required = requiredInputs(graph);
  const paths = given.inputs === undefined ? new Map<Value, string>() : filesIn(given.inputs, required);
  for (const text of given.input ?? []) {
    const [name, path] = splitInput(
      text,
      graph.inputs.map((value) => value.name),
    );
    paths.set(
      graph.inputs.find((value) => value.name === name)!,
      path,
    );
  }
  return new Map([...paths].map(([value, path]) => [value.name, readValue({ path, value, options: given, reserve })] as const));
}
