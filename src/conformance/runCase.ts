// Runs one case on one device, in this process: import, session, every data set, comparison.
import { readFileSync } from 'node:fs';
import { AnychipError } from '../core/error.ts';
import { readModelFile } from '../formats/onnx/file.ts';
import { decodeValue } from '../formats/onnx/tensorProto.ts';
import { isTensor, requiredInputs, subgraphsOf } from '../graph/graph.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import { openModel } from '../session/create.ts';
import type { InferenceSession } from '../session/inferenceSession.ts';
import { compareValues } from './compare.ts';
import type { Outcome } from './report.ts';
import type { Case, DataSet } from './suite.ts';
import { toleranceFor } from './tolerances.ts';

export interface CaseOptions {
  readonly device: string;
  readonly threads?: number | undefined;
  readonly maxMemoryBytes?: number | undefined;
}

export async function runCase(test: Case, options: CaseOptions): Promise<Outcome> {
  if (test.dataSets.length === 0) return { kind: 'skipped', reason: 'no test_data_set_* folder' };
  try {
    const model = readModelFile(test.model);
    const session = await openModel(model, {
      executionProviders: [options.device],
      ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
      ...(options.maxMemoryBytes === undefined ? {} : { maxMemoryBytes: options.maxMemoryBytes }),
    });
    try {
      let largest = 0;
      for (const set of test.dataSets) largest = Math.max(largest, await runSet(session, model.graph, set));
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
async function runSet(session: InferenceSession, graph: Graph, set: DataSet): Promise<number> {
  const named = requiredInputs(graph);
  const fed = set.inputs.length > named.length ? graph.inputs : named;
  const feeds = new Map(set.inputs.map((file, i) => [nameAt(fed, i, 'input'), load(file, fed[i]!)]));
  const outputs = await session.runValues(feeds);
  const ops = opsOf(graph);
  let largest = 0;
  set.outputs.forEach((file, i) => {
    const name = nameAt(graph.outputs, i, 'output');
    const difference = compareValues(outputs.get(name) ?? null, load(file, graph.outputs[i]!), (tensor) => toleranceFor(ops, tensor.dtype));
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
function load(file: string, value: Value): HostValue {
  const stored = decodeValue(readFileSync(file), value.type);
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
