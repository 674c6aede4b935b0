// What a rule of the reference interpreter is. The reference is the definition of every operator: slow, obvious, straight from the
// operator's specification, independent of the decompositions that chips run.
import { numeric, toNumbers, toStrings } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';
import { AnychipError } from '../core/error.ts';
import { isTensor } from '../graph/graph.ts';
import type { Graph, HostValue, NodeOf } from '../graph/graph.ts';
import type { OpName } from '../graph/ops.ts';

export interface EvaluateContext {
  /** Runs a subgraph; Values of surrounding graphs are visible to it. `heldBytes`: what the caller keeps meanwhile, beside `inputs`. */
  runGraph(graph: Graph, inputs: readonly HostValue[], heldBytes?: number): readonly HostValue[];
  /** Uniform in [0, 1), seeded per session; with `seed` a stream of its own. */
  random(seed?: number): () => number;
  /** Throws a `limit` error when a result of this many bytes may not be allocated. */
  reserve(bytes: number): void;
  /** Bytes that the next node may allocate. */
  memoryLeft(): number;
}

/** Inputs in the order of the schema, omitted ones null; results in the order of the schema, all of them. */
export type Evaluate<O extends OpName> = (node: NodeOf<O>, inputs: readonly HostValue[], context: EvaluateContext) => readonly HostValue[];
export type Evaluations<O extends OpName> = { readonly [K in O]: Evaluate<K> };

const missing = (i: number, wanted: string): never => {
  throw new AnychipError('bad-model', `input ${i} is not ${wanted}`, { hint: 'Check the operator against its specification.' });
};

/** Input `i` as a tensor of any dtype. */
export function tensorAt(inputs: readonly HostValue[], i: number): Tensor {
  const value = inputs[i] ?? null;
  return isTensor(value) ? value : missing(i, 'a tensor');
}
/** Input `i` as a tensor of numbers. */
export const numericAt = (inputs: readonly HostValue[], i: number): NumericTensor => numeric(tensorAt(inputs, i));
/** Input `i`, or undefined when omitted. */
export function optionalAt(inputs: readonly HostValue[], i: number): NumericTensor | undefined {
  return (inputs[i] ?? null) === null ? undefined : numericAt(inputs, i);
}
export const stringsAt = (inputs: readonly HostValue[], i: number): readonly string[] => toStrings(tensorAt(inputs, i));
/** Input `i` as a sequence. */
export function sequenceAt(inputs: readonly HostValue[], i: number): readonly HostValue[] {
  const value = inputs[i] ?? null;
  return value !== null && !isTensor(value) ? value : missing(i, 'a sequence');
}

/** Integers as numbers; what lies beyond ±2^53 only ever means "to the end" and is clamped. */
export const clampedInts = (tensor: NumericTensor): number[] => toNumbers(tensor).map((value) => Math.min(Math.max(value, -Number.MAX_SAFE_INTEGER), Number.MAX_SAFE_INTEGER));
