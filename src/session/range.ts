// Results that a narrow float could not hold: found in outputs, and traced to the first node that outgrew it. It must not know how graphs run.
import { AnychipError } from '../core/error.ts';
import { isFloat } from '../core/dtype.ts';
import { numberReader } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { isTensor, titleOf } from '../graph/graph.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import { lowerPrecision } from '../passes/precision/lowerPrecision.ts';
import { largestOf } from '../passes/precision/narrow.ts';
import type { Precision } from '../passes/precision/narrow.ts';

const isFloats = (value: HostValue): value is NumericTensor => value !== null && isTensor(value) && value.dtype !== 'string' && isFloat(value.dtype);

/** Whether a value has neither infinities nor NaN. */
export function isFinite(value: HostValue): boolean {
  if (!isFloats(value)) return value === null || isTensor(value) || value.every(isFinite);
  const read = numberReader(value);
  for (let i = 0; i < value.data.length; i++) if (!Number.isFinite(read(i))) return false;
  return true;
}

/** The first number of `wide` that is finite where `narrow` is not. */
function findLost(narrow: HostValue, wide: HostValue): number | undefined {
  if (!isFloats(narrow) || !isFloats(wide)) return undefined;
  const [read, readWide] = [numberReader(narrow), numberReader(wide)];
  for (let i = 0; i < narrow.data.length; i++) if (!Number.isFinite(read(i)) && Number.isFinite(readWide(i))) return readWide(i);
  return undefined;
}

/**
 * Throws a `run` error where `outputs` of `graph` in `precision` have infinities or NaN that it has not in f32. `run` gives the outputs of a graph for
 * the inputs at hand: the graph runs twice more, once in f32, with everything that is narrow as an output.
 */
export async function blameRange(graph: Graph, precision: Precision, outputs: readonly HostValue[], run: (graph: Graph) => Promise<readonly HostValue[]>): Promise<void> {
  const lowered = lowerPrecision(graph, precision);
  const values = [...lowered.narrow.keys()];
  const wide = await run({ ...graph, outputs: [...values, ...graph.outputs] });
  const narrow = await run({ ...lowered.graph, outputs: [...lowered.narrow.values()] });
  const lost = values.flatMap((value, i) => describeLoss(graph, value, findLost(narrow[i] ?? null, wide[i] ?? null)));
  const behind = graph.outputs.flatMap((value, i) => describeLoss(graph, value, findLost(outputs[i] ?? null, wide[values.length + i] ?? null)));
  const [first] = [...lost, ...behind];
  if (behind.length === 0 || first === undefined) return;
  throw new AnychipError('run', `${first}, and ${precision} reaches no further than ${largestOf[precision].toPrecision(5)}`, {
    hint: precision === 'f16' ? 'Use bf16, which has the range of f32, or f32.' : 'Use f32.',
    path: [graph.name],
  });
}

function describeLoss(graph: Graph, value: Value, lost: number | undefined): string[] {
  if (lost === undefined) return [];
  const node = graph.nodes.find(({ outputs }) => outputs.includes(value));
  return [`${node === undefined ? `the input '${value.name}'` : titleOf(node)} is ${lost.toPrecision(4)} in f32`];
}
