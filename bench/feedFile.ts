// Inputs of a run in a file: processes that read it use the same memory for them, whoever they run. It must not import anychip, whose
// code would be loaded beside peers.
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { Tensor } from 'onnxruntime-common';
import type { InferenceSession } from 'onnxruntime-common';

interface FedTensor {
  readonly name: string;
  readonly type: keyof typeof arrays;
  readonly dims: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}
export interface FeedFile {
  readonly path: string;
  readonly tensors: readonly FedTensor[];
}

/** By the names that onnxruntime-common has for them. */
const arrays = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, int64: BigInt64Array, int32: Int32Array, int16: Int16Array, int8: Int8Array,
  uint64: BigUint64Array, uint32: Uint32Array, uint16: Uint16Array, uint8: Uint8Array, bool: Uint8Array,
} as const; // prettier-ignore
const isKnown = (type: string): type is keyof typeof arrays => type in arrays;

export function writeFeeds(path: string, feeds: InferenceSession.FeedsType): FeedFile {
  const file = openSync(path, 'w');
  let offset = 0;
  try {
    const tensors = Object.entries(feeds).map(([name, { type, dims, data }]) => {
      if (!isKnown(type) || !ArrayBuffer.isView(data)) throw new Error(`the bench feeds no tensors of ${type}`);
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      writeSync(file, bytes);
      offset += bytes.length;
      return { name, type, dims, offset: offset - bytes.length, bytes: bytes.length };
    });
    return { path, tensors };
  } finally {
    closeSync(file);
  }
}

export function readFeeds({ path, tensors }: FeedFile): InferenceSession.FeedsType {
  const file = openSync(path, 'r');
  try {
    return Object.fromEntries(
      tensors.map(({ name, type, dims, offset, bytes }) => {
        const data = new arrays[type](bytes / arrays[type].BYTES_PER_ELEMENT);
        readSync(file, data, 0, bytes, offset);
        return [name, new Tensor(type, data, dims)];
      }),
    );
  } finally {
    closeSync(file);
  }
}
