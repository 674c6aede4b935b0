// A model as a list of calls of TensorFlow.js, made once: what a converter would make of it. All that is known at load is computed then
// (by our reference interpreter); weights are brought into the order that the backend wants; tensors are freed behind their last use.
import { numeric, tensorOf, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { isTensor } from '../../src/graph/graph.ts';
import type { Graph, Node, NodeOf, Value } from '../../src/graph/graph.ts';
import type { OpName } from '../../src/graph/ops.ts';
import { createContext, evaluateNode } from '../../src/reference/interpret.ts';
import type { Tf, TfTensor } from './api.ts';
import { extentsOf, isSameOrder, permutation, preferredOrder, reorder } from './layout.ts';
import type { Layout } from './layout.ts';
import { rules } from './rules.ts';

/** A tensor that a run makes. */
export interface Live {
  readonly slot: number;
  readonly layout: Layout;
}

interface Step {
  readonly run: (inputs: readonly TfTensor[]) => TfTensor;
  readonly reads: readonly number[];
  readonly writes: number;
}

export type Rule<O extends OpName> = (build: Build, node: NodeOf<O>) => void;

export class Build {
  readonly tf: Tf;
  readonly graph: Graph;
  readonly #live = new Map<Value, Live>();
  readonly #constants = new Map<Value, NumericTensor>();
  readonly #consumers = new Map<Value, Node[]>();
  /** Nodes that became part of what came before them. */
  readonly #merged = new Set<Node>();
  readonly #steps: Step[] = [];
  #slots = 0;

  constructor(tf: Tf, graph: Graph) {
    this.tf = tf;
    this.graph = graph;
    for (const [value, constant] of graph.constants) {
      const tensor = constant.read();
      if (tensor.dtype !== 'string') this.#constants.set(value, tensor);
    }
    for (const node of graph.nodes) for (const value of node.inputs) if (value !== null) this.#consumers.set(value, [...(this.#consumers.get(value) ?? []), node]);
  }

  /** A tensor in the order that its rank prefers. */
  input(value: Value, shape: readonly number[]): Live {
    const live = { slot: this.#slots++, layout: { shape, order: preferredOrder(shape.length) } };
    this.#live.set(value, live);
    return live;
  }

  node(node: Node): void {
    if (this.#merged.has(node)) return;
    if (node.op === 'Shape') return this.know(node, [shapeOf(node, this.live(node.inputs[0]!).layout.shape)]);
    const inputs = node.inputs.map((value) => (value === null ? null : this.constant(value)));
    if (inputs.every((x) => x !== undefined))
      return this.know(
        node,
        evaluateNode(node, inputs, createContext()).map((x) => (isTensor(x) ? numeric(x) : fail(node))),
      );
    this.#apply(node);
  }

  #apply<O extends OpName>(node: NodeOf<O>): void {
    const rule: Rule<O> | undefined = rules[node.op];
    if (rule === undefined) throw new Error(`the tfjs peer has no ${node.op}`);
    rule(this, node);
  }

  know(node: Node, outputs: readonly NumericTensor[]): void {
    node.outputs.forEach((value, i) => value !== null && this.#constants.set(value, outputs[i]!));
  }

  constant(value: Value): NumericTensor | undefined {
    return this.#constants.get(value);
  }

  /** What a run makes of `value`; a constant becomes a tensor, `order` being how it shall lie. */
  live(value: Value, order?: readonly number[]): Live {
    const known = this.#live.get(value);
    if (known !== undefined) return known;
    const constant = this.#constants.get(value);
    if (constant === undefined) throw new Error(`'${value.name}' comes from an operator that the tfjs peer does not have`);
    return this.hold(constant, order ?? preferredOrder(constant.shape.length));
  }

  hold(constant: NumericTensor, order: readonly number[]): Live {
    const layout = { shape: constant.shape, order };
    const tensor = this.upload(toNumbers(constant), layout);
    return this.step([], layout, () => this.tf.reshape(tensor, extentsOf(layout)));
  }

  /** Memory of the backend that holds `data`, which is in the model's order, as `layout` has it. */
  upload(data: ArrayLike<number>, layout: Layout): TfTensor {
    return this.tf.tensor(reorder(data, layout), extentsOf(layout), 'float32');
  }

  step(inputs: readonly Live[], layout: Layout, run: (inputs: readonly TfTensor[]) => TfTensor): Live {
    const writes = this.#slots++;
    this.#steps.push({ run, reads: inputs.map((x) => x.slot), writes });
    return { slot: writes, layout };
  }

  define(value: Value | null, live: Live): void {
    if (value !== null) this.#live.set(value, live);
  }

  inOrder(x: Live, order: readonly number[]): Live {
    if (isSameOrder(x.layout.order, order)) return x;
    const perm = permutation(x.layout.order, order);
    return this.step([x], { shape: x.layout.shape, order }, ([t]) => this.tf.transpose(t!, perm));
  }

  /** The one node that uses `value`, if there is but one. */
  soleConsumer(value: Value): Node | undefined {
    const [consumer, ...others] = this.#consumers.get(value) ?? [];
    return others.length > 0 || this.graph.outputs.includes(value) ? undefined : consumer;
  }

  merge(node: Node): void {
    this.#merged.add(node);
  }

  finish(inputs: readonly Live[], outputs: readonly Live[]): Program {
    return new Program(this.#steps, inputs, outputs, this.#slots);
  }
}

const fail = (node: Node): never => {
  throw new Error(`${node.op} of constants gives something that is not a tensor`);
};

function shapeOf(node: NodeOf<'Shape'>, shape: readonly number[]): NumericTensor {
  const part = shape.slice(node.attrs.start, node.attrs.end ?? undefined);
  return tensorOf('i64', [part.length], BigInt64Array.from(part, BigInt));
}

class Program {
  readonly inputs: readonly Live[];
  readonly outputs: readonly Live[];
  readonly #steps: readonly Step[];
  /** Slots that nothing needs after each step. */
  readonly #frees: readonly (readonly number[])[];
  readonly #slots: number;

  constructor(steps: readonly Step[], inputs: readonly Live[], outputs: readonly Live[], slots: number) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.#steps = steps;
    this.#slots = slots;
    const last = new Map<number, number>();
    steps.forEach(({ reads, writes }, i) => [...reads, writes].forEach((slot) => last.set(slot, i)));
    for (const { slot } of outputs) last.delete(slot);
    this.#frees = steps.map((_, i) => [...last].filter(([, at]) => at === i).map(([slot]) => slot));
  }

  run(inputs: readonly TfTensor[]): TfTensor[] {
    const slots = Array.from({ length: this.#slots }, (): TfTensor | undefined => undefined);
    this.inputs.forEach(({ slot }, i) => (slots[slot] = inputs[i]));
    this.#steps.forEach(({ run, reads, writes }, i) => {
      slots[writes] = run(reads.map((slot) => slots[slot]!));
      for (const slot of this.#frees[i]!) slots[slot]!.dispose();
    });
    return this.outputs.map(({ slot }) => slots[slot]!);
  }
}

export type { Program };

/** Nodes that the graph's outputs need. */
function neededNodes(graph: Graph): Node[] {
  const needed = new Set<Value | null>(graph.outputs);
  const nodes = graph.nodes.toReversed().filter((node) => {
    const isNeeded = node.outputs.some((value) => value !== null && needed.has(value));
    if (isNeeded) for (const value of node.inputs) needed.add(value);
    return isNeeded;
  });
  return nodes.toReversed();
}

/** The whole graph for inputs of these shapes. */
export function buildProgram(tf: Tf, graph: Graph, inputs: readonly (readonly [Value, readonly number[]])[]): Program {
  const build = new Build(tf, graph);
  const held = inputs.map(([value, shape]) => build.input(value, shape));
  for (const node of neededNodes(graph)) build.node(node);
  return build.finish(
    held,
    graph.outputs.map((value) => build.live(value)),
  );
}
