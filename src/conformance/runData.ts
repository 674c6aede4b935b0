// Runs a model on data sets and holds every output to what is expected, in Node or in a browser. It must not know where files lie.
import { AnychipError } from '../core/error.ts';
import { decodeValue } from '../formats/onnx/tensorProto.ts';
import { isTensor, requiredInputs, subgraphsOf } from '../graph/graph.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import type { InferenceSession } from '../session/inferenceSession.ts';
import type { Precision } from '../session/options.ts';
import { compareValues } from './compare.ts';
import type { Outcome } from './report.ts';
import { toleranceFor } from './tolerances.ts';

/** TensorProto, SequenceProto or OptionalProto, each as the bytes of its file. */
export interface Data {
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
}

/** What came of a case: the session is opened, run on each data set and released. */
export async function runData(open: () => Promise<InferenceSession>, sets: readonly Data[], precision?: Precision): Promise<Outcome> {
  if (sets.length === 0) return { kind: 'skipped', reason: 'no test_data_set_* folder' };
  try {
    const session = await open();
    try {
      let largest = 0;
      for (const set of sets) largest = Math.max(largest, await runSet(session, set, precision));
      return { kind: 'passed', onDevice: session.hostNodes.length === 0, largest };
    } finally {
      await session.release();
    }
  } catch (error) {
    if (error instanceof AnychipError) return { kind: 'failed', code: error.code, message: error.message };
    return { kind: 'failed', code: 'internal', message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
}

/** The largest difference; throws a `mismatch` when an output lies outside its tolerance. */
async function runSet(session: InferenceSession, data: Data, precision: Precision | undefined): Promise<number> {
  const { graph } = session.model;
  const named = requiredInputs(graph);
  const fed = data.inputs.length > named.length ? graph.inputs : named;
  const feeds = new Map(data.inputs.map((bytes, i) => [nameAt(fed, i, 'input'), decode(bytes, fed[i]!)]));
  const outputs = await session.runValues(feeds);
  const ops = opsOf(graph);
  let largest = 0;
  data.outputs.forEach((bytes, i) => {
    const name = nameAt(graph.outputs, i, 'output');
    const difference = compareValues(outputs.get(name) ?? null, decode(bytes, graph.outputs[i]!), (tensor) => toleranceFor(ops, tensor.dtype, precision));
    largest = Math.max(largest, difference.largest);
    if (difference.mismatch !== undefined) throw new AnychipError('mismatch', `output '${name}': ${difference.mismatch}`);
  });
  return largest;
}

function nameAt(values: readonly Value[], i: number, kind: string): string {
  const value = values[i];
  if (value === undefined) throw new AnychipError('bad-file', `the data set has an ${kind} ${i}, the model has ${values.length} ${kind}s`);
  return value.name;
}

/** NumPy has no bf16, so ONNX's own suite stores its bits as u16. */
function decode(bytes: Uint8Array, value: Value): HostValue {
  const stored = decodeValue(bytes, value.type);
  const isBits = stored !== null && isTensor(stored) && stored.dtype === 'u16' && value.type?.kind === 'tensor' && value.type.dtype === 'bf16';
  return isBits ? { ...stored, dtype: 'bf16' } : stored;
}

/** Names of all operators of `graph`, subgraphs included. */
export function opsOf(graph: Graph): ReadonlySet<string> {
  const ops = new Set<string>();
  for (const node of graph.nodes) {
    ops.add(node.op);
    for (const body of subgraphsOf(node)) for (const op of opsOf(body)) ops.add(op);
  }
  return ops;
}
