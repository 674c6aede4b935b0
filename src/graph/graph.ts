// The Graph: immutable, SSA. A Value has one producer: a node, a graph input or a constant. Nodes are in topological order.
// A subgraph (body of If, Loop, Scan) may use Values of the graphs around it; those are its captures.
// The graph knows nothing of loops, memory or chips.
import type { DType } from '../core/dtype.ts';
import type { Stored } from '../core/stored.ts';
import type { Tensor } from '../core/tensor.ts';
import type { OpAttrs, OpName } from './ops.ts';

/** A number, or the name of a dimension that a run binds. */
export type Dim = number | string;

export interface TensorType {
  readonly kind: 'tensor';
  readonly dtype: DType;
  /** Undefined when even the rank is unknown. */
  readonly shape: readonly Dim[] | undefined;
}
export interface SequenceType {
  readonly kind: 'sequence';
  readonly element: ValueType;
}
export interface OptionalType {
  readonly kind: 'optional';
  readonly element: ValueType;
}
/** Maps of ai.onnx.ml: from integers or strings to one value each. */
export interface MapType {
  readonly kind: 'map';
  readonly key: DType;
  readonly value: ValueType;
}
export type ValueType = TensorType | SequenceType | OptionalType | MapType;

/** Compared by identity. `name` is for people and for binding; it may hold anything and never reaches rendered source. */
export interface Value {
  readonly name: string;
  /** What is known before shapes are bound. */
  readonly type: ValueType | undefined;
}

/** Constant data, possibly still in a file: `read` brings it into memory and keeps no reference to it. */
export interface Constant {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
  read(): Tensor;
  /** The same data as memory holds it, where that is how it is stored: it can be read in parts. */
  readonly stored?: Stored;
}

export type NodeOf<O extends OpName> = {
  [K in O]: {
    readonly op: K;
    readonly name: string;
    readonly attrs: OpAttrs[K];
    /** An omitted optional input is null. */
    readonly inputs: readonly (Value | null)[];
    /** An omitted optional output is null. */
    readonly outputs: readonly (Value | null)[];
  };
}[O];
export type Node = NodeOf<OpName>;

export interface Graph {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<Value, Constant>;
}

/** What a Value holds while a graph runs on the host: a tensor, a sequence, or an empty optional. A map is the sequence of its keys and its values, two vectors. */
export type HostValue = Tensor | readonly HostValue[] | null;

export const isTensor = (value: HostValue): value is Tensor => value !== null && !Array.isArray(value);

export const tensorType = (dtype: DType, shape: readonly Dim[] | undefined): TensorType => ({ kind: 'tensor', dtype, shape });

export function constantOf(tensor: Tensor): Constant {
  const bytes = tensor.dtype === 'string' ? tensor.data.reduce((n, s) => n + 2 * s.length, 0) : tensor.data.byteLength;
  return { dtype: tensor.dtype, shape: tensor.shape, bytes, read: () => tensor };
}

/** Inputs that a run must bring: those without a default value. */
export const requiredInputs = (graph: Graph): Value[] => graph.inputs.filter((value) => !graph.constants.has(value));

/** Values of the surrounding graphs that `graph` or graphs inside it use. */
export function capturesOf(graph: Graph): Value[] {
  const own = new Set<Value>([...graph.inputs, ...graph.constants.keys()]);
  const captures = new Set<Value>();
  const use = (value: Value | null): void => {
    if (value !== null && !own.has(value)) captures.add(value);
  };
  for (const node of graph.nodes) {
    node.inputs.forEach(use);
    for (const body of subgraphsOf(node)) capturesOf(body).forEach(use);
    for (const output of node.outputs) if (output !== null) own.add(output);
  }
  graph.outputs.forEach(use);
  return [...captures];
}

/** The graphs among a node's attributes. */
export function subgraphsOf(node: Node): Graph[] {
  return Object.values<unknown>(node.attrs).filter(isGraph);
}

/** The node with each graph among its attributes replaced. */
export function mapSubgraphs<N extends Node>(node: N, replace: (body: Graph) => Graph): N {
  if (subgraphsOf(node).length === 0) return node;
  const attrs = Object.fromEntries(Object.entries<unknown>(node.attrs).map(([name, attr]) => [name, isGraph(attr) ? replace(attr) : attr]));
  return { ...node, attrs };
}

const isGraph = (attr: unknown): attr is Graph => typeof attr === 'object' && attr !== null && 'nodes' in attr && 'constants' in attr && 'outputs' in attr;

/** What people call a node: its operator, and its name or that of its first output. */
export const titleOf = ({ op, name, outputs }: Node): string => `${op} ${name === '' ? (outputs.find((value) => value !== null)?.name ?? '') : name}`.trimEnd();
