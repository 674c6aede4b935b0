// Runs a primitive graph on the host: the oracle of schedules and kernels.
import { invariant } from '../core/error.ts';
import { numeric } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { Folder, Operand, PrimGraph, PrimNode } from '../graph/builder.ts';
import { createFolder } from './fold.ts';

/** Outputs of `graph` for `inputs`, both in the graph's order. */
export function interpretPrims(graph: PrimGraph, inputs: readonly NumericTensor[]): NumericTensor[] {
  const fold = createFolder();
  const values = new Map<Operand, NumericTensor>(graph.inputs.map((x, i) => [x, inputs[i]!]));
  for (const [x, constant] of graph.constants) values.set(x, numeric(constant.read()));
  const at = (x: Operand): NumericTensor => {
    const value = values.get(x);
    invariant(value !== undefined, `operand '${x.name}' is used before it is computed`);
    return value;
  };
  for (const node of graph.nodes) evaluate(fold, node, node.inputs.map(at)).forEach((value, i) => values.set(node.outputs[i]!, value));
  return graph.outputs.map(at);
}

const evaluate = (fold: Folder, node: PrimNode, inputs: readonly NumericTensor[]): readonly NumericTensor[] => fold(node.op, node.attrs, inputs);
