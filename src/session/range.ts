// Results that a narrow float could not hold: found in outputs, and traced to the values that outgrew it. It must not know how graphs run.
import { AnychipError } from '../core/error.ts';
import { isFloat } from '../core/dtype.ts';
import { numberReader } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { isTensor } from '../graph/graph.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import { lowerPrecision } from '../passes/precision/lowerPrecision.ts';
import type { Beyond } from '../passes/precision/lowerPrecision.ts';
import { largestOf, reachOf } from '../passes/precision/narrow.ts';
import type { Precision } from '../passes/precision/narrow.ts';

/** What comes nearer to the largest narrow float than this part of it is kept in f32 too: the next inputs may be larger. */
const HEADROOM = 1 / 2;

const isFloats = (value: HostValue): value is NumericTensor => value !== null && isTensor(value) && value.dtype !== 'string' && isFloat(value.dtype);

/** Whether a value has neither infinities nor NaN. */
export function isFinite(value: HostValue): boolean {
  if (!isFloats(value)) return value === null || isTensor(value) || value.every(isFinite);
  const read = numberReader(value);
  for (let i = 0; i < value.data.length; i++) if (!Number.isFinite(read(i))) return false;
  return true;
}

/** Whether some number of `wide` is finite where `narrow` is not. */
function isLost(narrow: HostValue, wide: HostValue): boolean {
  if (!isFloats(narrow) || !isFloats(wide)) return false;
  const [read, readWide] = [numberReader(narrow), numberReader(wide)];
  for (let i = 0; i < narrow.data.length; i++) if (!Number.isFinite(read(i)) && Number.isFinite(readWide(i))) return true;
  return false;
}

const reachIn = (value: HostValue): number => (isFloats(value) ? reachOf(value) : 0);

/**
 * Where `outputs` of `graph` in `precision` have infinities or NaN that it has not in f32: the values that reach too far, in order, those of
 * `known` left aside. `run` gives the outputs of a graph for the inputs at hand: `graph` runs once more, in f32, with everything that is narrow
 * as an output. Throws a `run` error where no value of the graph itself is the reason.
 */
export async function findBeyond(
  graph: Graph,
  precision: Precision,
  known: Beyond,
  outputs: readonly HostValue[],
  run: (graph: Graph) => Promise<readonly HostValue[]>,
): Promise<Beyond> {
  const values = [...lowerPrecision(graph, precision, known).narrow.keys()];
  const wide = await run({ ...graph, outputs: [...values, ...graph.outputs] });
  const lost = graph.outputs.find((_, i) => isLost(outputs[i] ?? null, wide[values.length + i] ?? null));
  if (lost === undefined) return new Map();
  const most = largestOf[precision];
  const beyond = new Map<Value, number>(values.map((value, i) => [value, reachIn(wide[i] ?? null)] as const).filter(([, reach]) => reach > most * HEADROOM));
  if (beyond.size > 0) return beyond;
  throw new AnychipError('run', `the output '${lost.name}' is finite in f32, and not in ${precision}, which reaches no further than ${most.toPrecision(5)}`, {
    hint: precision === 'f16' ? 'Use bf16, which has the range of f32, or f32.' : 'Use f32.',
    path: [graph.name],
  });
}
