// What a run brings: inputs out of files, or seeded random numbers. In Node or in a browser's page.
import type { InferenceSession } from 'onnxruntime-common';
import type { Graph, HostValue } from '../src/graph/graph.ts';
import { isTensor, requiredInputs } from '../src/graph/graph.ts';
import { decodeValue } from '../src/formats/onnx/tensorProto.ts';
import { seededFeeds } from '../src/session/feeds.ts';
import { toOrt } from '../src/session/ortTensor.ts';

/** Values of a graph's inputs out of files (TensorProto), in the model's order; seeded random numbers for those that have none. */
export function valuesFor(graph: Graph, files: readonly Uint8Array[]): ReadonlyMap<string, HostValue> {
  const inputs = requiredInputs(graph);
  const read = new Map(files.map((file, i) => [inputs[i]!.name, decodeValue(file, inputs[i]!.type)]));
  return seededFeeds(graph, read, {}, 0).values;
}

export const feedsOf = (values: ReadonlyMap<string, HostValue>): InferenceSession.FeedsType =>
  Object.fromEntries([...values].flatMap(([name, value]) => (isTensor(value) ? [[name, toOrt(value, name)]] : [])));
