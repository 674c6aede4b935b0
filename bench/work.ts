// What a run of a model has to do at least: multiplications and additions of its products and convolutions, and bytes that must pass
// between memory and the processor. Counted from the graph, whoever runs it and however.
import { specializeFor } from '../src/compile.ts';
import { dtypes } from '../src/core/dtype.ts';
import type { DType } from '../src/core/dtype.ts';
import { elementCount } from '../src/core/shape.ts';
import type { Shape } from '../src/core/shape.ts';
import type { Operand, PrimGraph, PrimNode } from '../src/graph/builder.ts';
import { isTensor } from '../src/graph/graph.ts';
import type { Graph, HostValue } from '../src/graph/graph.ts';
import { prims } from '../src/graph/prims.ts';
import type { Engine } from '../src/runtime/device.ts';
import { flopsOf } from '../src/schedule/lowerRoot.ts';
import { bindingsFor } from '../src/session/bindings.ts';

export interface Work {
  /** Two for each multiply-add of products and convolutions, as sums over all terms have them. */
  readonly flops: number;
  /** Inputs, outputs, and the weights, as the model stores them: of tables only the rows that are looked up. */
  readonly bytes: number;
}

const storedBytes = (dtype: DType, shape: Shape): number => (dtype === 'string' ? 0 : Math.ceil((elementCount(shape) * dtypes[dtype].bits) / 8));

/** Counts what the graph's parts do that are known before a run: all but what waits for shapes that depend on data. */
export function workOf(graph: Graph, values: ReadonlyMap<string, HostValue>, target: Engine): Work {
  const parts = specializeFor(graph, target, bindingsFor(graph, values));
  const programs = parts.steps.flatMap((step) => (step.kind === 'device' ? [step] : []));
  const given = new Set(parts.outputs);
  const inputs = [...values.values()].reduce((sum, value) => sum + (isTensor(value) ? storedBytes(value.dtype, value.shape) : 0), 0);
  return programs.reduce(
    ({ flops, bytes }, { graph: program, outputs }) => ({
      flops: flops + flopsIn(program),
      bytes: bytes + weightBytes(program) + sizeOf(program.outputs.filter((_, i) => given.has(outputs[i]!))),
    }),
    { flops: 0, bytes: inputs },
  );
}

const sizeOf = (values: readonly Operand[]): number => values.reduce((sum, { dtype, shape }) => sum + storedBytes(dtype, shape), 0);
const flopsIn = ({ nodes }: PrimGraph): number => nodes.reduce((sum, node) => sum + (prims[node.op].kind === 'contraction' ? flopsOf(node) : 0), 0);

function weightBytes({ nodes, constants }: PrimGraph): number {
  const readers = new Map<Operand, PrimNode[]>();
  for (const node of nodes) for (const input of node.inputs) readers.set(input, [...(readers.get(input) ?? []), node]);
  return [...constants].reduce((sum, [value, { dtype, shape }]) => sum + Math.min(storedBytes(dtype, shape), bytesRead(value, dtype, readers)), 0);
}

/** What readers take of `value`: rows where it is a table, nothing where there is none. */
function bytesRead(value: Operand, dtype: DType, readers: ReadonlyMap<Operand, readonly PrimNode[]>): number {
  return (readers.get(value) ?? []).reduce((sum, node) => sum + (node.op === 'gather' && node.inputs[0] === value ? storedBytes(dtype, node.outputs[0]!.shape) : Infinity), 0);
}
