// Opens a model from a path or from bytes: the Node face of a session.
import { readModelFile } from '../formats/onnx/file.ts';
import { importModel } from '../formats/onnx/import.ts';
import type { Model } from '../formats/onnx/import.ts';
import { InferenceSession } from './inferenceSession.ts';
import type { SessionOptions } from './inferenceSession.ts';

/** A path to an ONNX file, or its bytes. */
export type ModelSource = string | Uint8Array | ArrayBufferLike;

/** Reads a model. Weights in external files are found beside a path and stay there until they are needed. */
export function loadModel(source: ModelSource): Model {
  if (typeof source === 'string') return readModelFile(source);
  return importModel(source instanceof Uint8Array ? source : new Uint8Array(source));
}

export async function createSession(source: ModelSource, options?: SessionOptions): Promise<InferenceSession>;
export async function createSession(buffer: ArrayBufferLike, byteOffset: number, byteLength?: number, options?: SessionOptions): Promise<InferenceSession>;
export async function createSession(source: ModelSource, second?: SessionOptions | number, byteLength?: number, options?: SessionOptions): Promise<InferenceSession> {
  if (typeof second !== 'number') return InferenceSession.fromModel(loadModel(source), second);
  if (typeof source === 'string') return InferenceSession.fromModel(loadModel(source), options);
  const buffer = source instanceof Uint8Array ? source.buffer : source;
  return InferenceSession.fromModel(loadModel(new Uint8Array(buffer, second, byteLength)), options);
}
