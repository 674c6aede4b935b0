// Opens a model from a path or from bytes: the Node face of a session.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { AnychipError, within } from '../core/error.ts';
import { externalMemory } from '../formats/onnx/externalMemory.ts';
import { readModelFile } from '../formats/onnx/file.ts';
import { importModel } from '../formats/onnx/import.ts';
import type { Model } from '../formats/onnx/import.ts';
import { chooseDevice } from './devices.ts';
import { InferenceSession } from './inferenceSession.ts';
import { checkOptions } from './options.ts';
import type { SessionOptions } from './options.ts';

/** A path to an ONNX file, or its bytes. */
export type ModelSource = string | Uint8Array | ArrayBufferLike;

/** Reads a model. Weights in external files are found beside a path and stay there until they are needed; bytes may bring theirs along, by location. */
export function loadModel(source: ModelSource, external?: ReadonlyMap<string, Uint8Array>): Model {
  if (typeof source === 'string') return readModelFile(source);
  return importModel(bytesOf(source), external === undefined ? {} : { external: externalMemory(external) });
}

const isBuffer = (value: unknown): value is ArrayBufferLike => value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;

function bytesOf(source: Uint8Array | ArrayBufferLike): Uint8Array {
  if (source instanceof Uint8Array) return source;
  if (isBuffer(source)) return new Uint8Array(source);
  throw new AnychipError('bad-argument', 'a model is given by its path or as bytes', { hint: 'Give a string, a Uint8Array or an ArrayBuffer.' });
}

/** The part of a buffer that holds the model, lengths checked. */
function sliceOf(source: ModelSource, byteOffset: number, byteLength: number | undefined): Uint8Array {
  if (!isBuffer(source)) throw new AnychipError('bad-argument', 'an offset goes with an ArrayBuffer only', { hint: 'Give the options as the second argument.' });
  const length = byteLength ?? source.byteLength - byteOffset;
  const isInside = Number.isSafeInteger(byteOffset) && Number.isSafeInteger(length) && byteOffset >= 0 && length > 0 && byteOffset + length <= source.byteLength;
  if (!isInside)
    throw new AnychipError('bad-argument', `bytes ${byteOffset} to ${byteOffset + length} of a buffer of ${source.byteLength}`, { hint: 'Offset and length must lie inside it.' });
  return new Uint8Array(source, byteOffset, length);
}

/** The files of the option `externalData`, by location. */
async function externalFilesOf({ externalData }: SessionOptions): Promise<Map<string, Uint8Array> | undefined> {
  if (externalData === undefined) return undefined;
  const files = externalData.map(async (file): Promise<readonly [string, Uint8Array]> => {
    if (typeof file === 'string') return [basename(file), readExternal(file)];
    const { path, data } = file;
    if (typeof data === 'string') return [path, readExternal(data)];
    return [path, data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : bytesOf(data)];
  });
  return new Map(await Promise.all(files));
}

const readExternal = (path: string): Uint8Array =>
  within('externalData', () => {
    try {
      return readFileSync(path);
    } catch (cause) {
      throw new AnychipError('bad-file', `cannot read ${path}`, { hint: 'Is the path right, and may it be read?', cause });
    }
  });

/** A session over a model already in memory. */
export const openModel = (model: Model, options: SessionOptions = {}): Promise<InferenceSession> => InferenceSession.open(model, options, chooseDevice);

export async function createSession(source: ModelSource, options?: SessionOptions): Promise<InferenceSession>;
export async function createSession(buffer: ArrayBufferLike, byteOffset: number, byteLength?: number, options?: SessionOptions): Promise<InferenceSession>;
export async function createSession(source: ModelSource, second?: SessionOptions | number, byteLength?: number, last?: SessionOptions): Promise<InferenceSession> {
  const options = (typeof second === 'number' ? last : second) ?? {};
  checkOptions(options);
  const model = typeof second === 'number' ? sliceOf(source, second, byteLength) : source;
  return openModel(loadModel(model, typeof model === 'string' ? undefined : await externalFilesOf(options)), options);
}
