// Which graph inputs must be known by value, not only by shape, before a graph can be compiled: those that reach a shape, an axis,
// a count or a branch condition without passing through a Shape.
import { formatShape } from '../core/shape.ts';
import { bytesOf } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';
import type { ConcreteType } from '../graph/infer.ts';
import { isTensor, subgraphsOf } from '../graph/graph.ts';
import type { Graph, HostValue, Value } from '../graph/graph.ts';
import { isOnnx, schemaOf } from '../graph/ops.ts';

/** What is known of one input: its type, and its value where the compiled code may depend on it. */
export interface InputBinding {
  /** Undefined for sequences and optionals, which only the host handles. */
  readonly type: ConcreteType | undefined;
  readonly value: HostValue | undefined;
}

/** Inputs (and captures) of `graph` whose values decide shapes or branches. */
export function valueInputs(graph: Graph): Set<Value> {
  const needed = new Set<Value>();
  visit(graph, needed);
  return new Set([...graph.inputs].filter((value) => needed.has(value)));
}

/** Marks, from last node to first, every value that some host input depends on. */
function visit(graph: Graph, needed: Set<Value>): void {
  for (const node of graph.nodes.toReversed()) {
    for (const body of subgraphsOf(node)) visit(body, needed);
    if (!isOnnx(node)) continue;
    const schema = schemaOf(node.op);
    const spread = schema.shapeOnly !== true && node.outputs.some((value) => value !== null && needed.has(value));
    node.inputs.forEach((value, i) => {
      if (value !== null && (spread || schema.hostInputs?.includes(inputName(schema.inputs, i)))) needed.add(value);
    });
  }
}

/** The schema's name of input `i`, without its marks. */
export function inputName(names: readonly string[], i: number): string {
  return (names[Math.min(i, names.length - 1)] ?? '').replace(/[?*]$/, '');
}

/** A text that is equal exactly for bindings that compile to the same plan. */
export function bindingKey(bindings: readonly InputBinding[]): string {
  return bindings.map(({ type, value }) => `${type === undefined ? 'host' : type.dtype + formatShape(type.shape)}${value === undefined ? '' : `=${valueKey(value)}`}`).join(';');
}
const valueKey = (value: HostValue): string => (value === null ? 'null' : isTensor(value) ? tensorKey(value) : `(${value.map(valueKey).join(',')})`);
const tensorKey = (tensor: Tensor): string => (tensor.dtype === 'string' ? JSON.stringify(tensor.data) : hex(tensor));
const hex = (tensor: NumericTensor): string => Array.from(bytesOf(tensor), (b) => b.toString(16)).join('.');
