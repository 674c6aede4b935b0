// From what a caller gives to a session, in all the ways of onnxruntime-common. Where named models and files come from, and which devices
// there are, is said by the face: create.ts under Node, web/create.ts in a browser.
import { AnychipError } from '../core/error.ts';
import type { Model } from '../formats/onnx/import.ts';
import type { ChooseDevice } from './choose.ts';
import { InferenceSession } from './inferenceSession.ts';
import { checkOptions } from './options.ts';
import type { SessionOptions } from './options.ts';

/** A model's file in memory. */
export type ModelBytes = Uint8Array | ArrayBufferLike;
/** Files of weights, by the location that the model names. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

/** `Source` is whatever else than bytes a model can be read from: a path, a URL. */
export interface Platform<Source> {
  readonly loadModel: (source: Source | ModelBytes, external?: ExternalFiles) => Model | Promise<Model>;
  /** A file of weights that is given by its path or URL. */
  readonly readFile: (location: string) => Uint8Array | Promise<Uint8Array>;
  readonly chooseDevice: ChooseDevice;
}

export interface CreateSession<Source> {
  (source: Source | ModelBytes, options?: SessionOptions): Promise<InferenceSession>;
  (buffer: ArrayBufferLike, byteOffset: number, byteLength?: number, options?: SessionOptions): Promise<InferenceSession>;
}

const isBuffer = (value: unknown): value is ArrayBufferLike => value instanceof ArrayBuffer || (typeof SharedArrayBuffer === 'function' && value instanceof SharedArrayBuffer);

/** Throws `bad-argument` for what holds no bytes. */
export function bytesOf(source: unknown, what = 'a model is given by its path or as bytes'): Uint8Array {
  if (source instanceof Uint8Array) return source;
  if (isBuffer(source)) return new Uint8Array(source);
  throw new AnychipError('bad-argument', what, { hint: 'Give a string, a Uint8Array or an ArrayBuffer.' });
}

/** The part of a buffer that holds the model, lengths checked. */
function sliceOf(source: unknown, byteOffset: number, byteLength: number | undefined): Uint8Array {
  if (!isBuffer(source)) throw new AnychipError('bad-argument', 'an offset goes with an ArrayBuffer only', { hint: 'Give the options as the second argument.' });
  const length = byteLength ?? source.byteLength - byteOffset;
  const isInside = Number.isSafeInteger(byteOffset) && Number.isSafeInteger(length) && byteOffset >= 0 && length > 0 && byteOffset + length <= source.byteLength;
  if (!isInside)
    throw new AnychipError('bad-argument', `bytes ${byteOffset} to ${byteOffset + length} of a buffer of ${source.byteLength}`, { hint: 'Offset and length must lie inside it.' });
  return new Uint8Array(source, byteOffset, length);
}

/** The last part of a path or URL: where a model looks for a file that was given by name alone. */
const lastPart = (location: string): string => /[^/\\]*$/.exec(location.replace(/[?#].*$/, ''))![0];

/** The files of the option `externalData`, by location. */
async function externalFilesOf({ externalData }: SessionOptions, readFile: Platform<unknown>['readFile']): Promise<ExternalFiles | undefined> {
  if (externalData === undefined) return undefined;
  const files = externalData.map(async (file): Promise<readonly [string, Uint8Array]> => {
    if (typeof file === 'string') return [lastPart(file), await readFile(file)];
    const { path, data } = file;
    if (typeof data === 'string') return [path, await readFile(data)];
    return [path, data instanceof Blob ? new Uint8Array(await data.arrayBuffer()) : bytesOf(data)];
  });
  return new Map(await Promise.all(files));
}

export function sessionFactory<Source>(platform: Platform<Source>): CreateSession<Source> {
  return async (source: Source | ModelBytes, second?: SessionOptions | number, byteLength?: number, last?: SessionOptions): Promise<InferenceSession> => {
    const options = (typeof second === 'number' ? last : second) ?? {};
    checkOptions(options);
    const given = typeof second === 'number' ? sliceOf(source, second, byteLength) : source;
    const model = await platform.loadModel(given, await externalFilesOf(options, platform.readFile));
    return InferenceSession.open(model, options, platform.chooseDevice);
  };
}
