// The state of one specialising walk over a graph: what each Value is so far, and small questions about it.
import type { DType } from '../core/dtype.ts';
import type { IntegerProducts } from '../core/words.ts';
import { AnychipError } from '../core/error.ts';
import type { Builder, Folder, Operand, PrimNode } from '../graph/builder.ts';
import { isTensor } from '../graph/graph.ts';
import type { Constant, HostValue, Node, Value } from '../graph/graph.ts';

export interface SpecializeOptions {
  /** dtypes that device buffers may have. */
  readonly storage: readonly DType[];
  /** Those of them in which the device has no arithmetic of its own. */
  readonly simulated?: readonly DType[];
  /** How the device multiplies small integers, where it is faster at that than with floats. */
  readonly integers?: IntegerProducts | undefined;
  /** Evaluates one node on the host; given by the room that has the reference. */
  readonly evaluate: (node: Node, inputs: readonly HostValue[]) => readonly HostValue[];
  /** Evaluates primitives on constants. */
  readonly fold: Folder;
  /** Loops of at most this many steps are unrolled. */
  readonly unrollLimit?: number;
}

/** What a Value is at this point of the walk. */
export type Known =
  | { readonly kind: 'operand'; readonly operand: Operand }
  /** Known on the host at compile time, not a device tensor: strings, sequences. */
  | { readonly kind: 'host'; readonly value: HostValue }
  /** A string tensor, a sequence or an optional that each run brings: only the host handles it. */
  | { readonly kind: 'arriving' }
  /** Will be there when the host reaches it; shape unknown until then. */
  | { readonly kind: 'later' };

/** A node that the host runs, between device programs. */
export interface HostStep {
  readonly node: Node;
  readonly reason: string;
  /** Primitives built before it. */
  readonly position: number;
  readonly inputs: readonly (Known | null)[];
  /** Types of outputs where the shapes are known; then they are operands for what follows. */
  readonly outputs: readonly (Operand | null)[];
  /** Captured Values of the node's subgraphs, with what they are. */
  readonly captures: readonly { readonly value: Value; readonly known: Known }[];
}

/** A node that was written in primitives: what it was given, and what it gave that was new. */
export interface LoweredNode {
  readonly node: Node;
  readonly inputs: readonly (Operand | null)[];
  /** Null too where an output is an operand that was there before. */
  readonly outputs: readonly (Operand | null)[];
}

export interface Walk {
  readonly b: Builder;
  readonly known: Map<Value, Known>;
  readonly options: SpecializeOptions;
  readonly hostSteps: HostStep[];
  /** Nodes left for later, in order. */
  readonly deferred: Node[];
  /** Which ONNX node each primitive came from: for `explain` and for errors. */
  readonly origin: Map<PrimNode, Node>;
  readonly lowered: LoweredNode[];
  readonly stored: Map<Value, Known>;
  /** Continues the walk through the nodes of a body. */
  readonly walkNodes: (walk: Walk, nodes: readonly Node[]) => void;
}

/** Host operators are evaluated at compile time when no constant operand is larger. */
const HOST_FOLD_BYTES = 1 << 16;

export function knownValue(walk: Walk, value: HostValue): Known {
  if (isTensor(value) && value.dtype !== 'string') return { kind: 'operand', operand: walk.b.constant(value) };
  return { kind: 'host', value };
}

export function constantKnown(walk: Walk, value: Value, constant: Constant): Known {
  let known = walk.stored.get(value);
  if (known === undefined) {
    known = constant.dtype === 'string' ? { kind: 'host', value: constant.read() } : { kind: 'operand', operand: walk.b.stored(constant, value.name) };
    walk.stored.set(value, known);
  }
  return known;
}

export function knownOf(walk: Walk, value: Value): Known {
  const known = walk.known.get(value);
  if (known === undefined) throw new AnychipError('internal', `value '${value.name}' is used before it is computed`);
  return known;
}

export function setOutputs(walk: Walk, node: Node, outputs: readonly (Known | null)[]): void {
  node.outputs.forEach((value, i) => {
    if (value === null) return;
    const known = outputs[i] ?? null;
    if (known === null)
      throw new AnychipError('bad-model', `it asks for output ${i}, which the operator does not give for these inputs`, {
        hint: 'The model breaks the ONNX format; export it again.',
      });
    walk.known.set(value, known);
  });
}

/** The value of a constant that is small enough to compute with here. */
export function smallValue(walk: Walk, known: Known | null): HostValue | undefined {
  if (known === null) return null;
  if (known.kind === 'host') return known.value;
  if (known.kind !== 'operand') return undefined;
  const { dtype, shape } = known.operand;
  return byteCount(dtype, shape) > HOST_FOLD_BYTES ? undefined : walk.b.valueOf(known.operand);
}
const byteCount = (dtype: DType, shape: readonly number[]): number => shape.reduce((a, b) => a * b, dtype === 'string' ? 16 : 8);
