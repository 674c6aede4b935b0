// Cuts a specialised graph into steps: device programs, host nodes between them, and at the end what must wait for data-dependent
// shapes. Values that cross from one step to another get a slot. As few device programs as host nodes in sequence allow.
import { invariant } from '../core/error.ts';
import type { Operand, PrimGraph, PrimNode } from '../graph/builder.ts';
import { capturesOf, subgraphsOf, titleOf } from '../graph/graph.ts';
import type { Constant, Graph, HostValue, Node, Value } from '../graph/graph.ts';
import { isOnnx } from '../graph/ops.ts';
import { hostReason } from './lowerings.ts';
import type { HostStep, Known, LoweredNode, Walk } from './walk.ts';

/** A place in the table of values that a run fills step by step. */
export type Slot = number;

export type PartitionStep =
  | {
      readonly kind: 'device';
      readonly graph: PrimGraph;
      readonly inputs: readonly Slot[];
      readonly outputs: readonly Slot[];
      readonly origins: ReadonlyMap<PrimNode, Node>;
      /** The nodes of the model that are wholly there, in order. */
      readonly wholes: readonly WholeNode[];
    }
  | {
      readonly kind: 'host';
      readonly node: Node;
      readonly reason: string;
      readonly inputs: readonly (Slot | null)[];
      readonly outputs: readonly (Slot | null)[];
      readonly captures: readonly { readonly value: Value; readonly slot: Slot }[];
    }
  /** A graph to be specialised when its inputs are known. */
  | {
      readonly kind: 'rest';
      readonly graph: Graph;
      readonly inputs: readonly Slot[];
      readonly outputs: readonly Slot[];
      /** Those of its nodes that are sure to run on the host. */
      readonly hosted: readonly HostedNode[];
    };

/** A node of the model whose operands a device program has, so that it could stay as it is. */
export interface WholeNode extends LoweredNode {
  /** Those of its inputs that are constants. */
  readonly constants: ReadonlyMap<Operand, Constant>;
}

/** A node by its title. */
export interface HostedNode {
  readonly node: string;
  readonly reason: string;
}

export interface Partition {
  readonly slots: number;
  /** One per graph input. */
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  readonly constants: ReadonlyMap<Slot, Constant>;
  /** Strings, sequences and empty optionals known at compile time. */
  readonly hostValues: ReadonlyMap<Slot, HostValue>;
  readonly steps: readonly PartitionStep[];
}

/** Hands out slots: one per operand, per late Value, per constant. */
class SlotTable {
  readonly constants = new Map<Slot, Constant>();
  readonly hostValues = new Map<Slot, HostValue>();
  readonly #slots = new Map<Operand | Value, Slot>();
  readonly #constantOf: (x: Operand) => Constant | undefined;

  constructor(constantOf: (x: Operand) => Constant | undefined) {
    this.#constantOf = constantOf;
  }
  get count(): number {
    return this.#slots.size;
  }
  ofOperand(x: Operand): Slot {
    const slot = this.ofValue(x);
    const constant = this.#constantOf(x);
    if (constant !== undefined) this.constants.set(slot, constant);
    return slot;
  }
  ofValue(value: Value): Slot {
    let slot = this.#slots.get(value);
    if (slot === undefined) this.#slots.set(value, (slot = this.#slots.size));
    return slot;
  }
  ofKnown(known: Known, value: Value): Slot {
    if (known.kind === 'operand') return this.ofOperand(known.operand);
    const slot = this.ofValue(value);
    if (known.kind === 'host') this.hostValues.set(slot, known.value);
    return slot;
  }
}

export function partition(graph: Graph, inputs: readonly (Operand | undefined)[], walk: Walk): Partition {
  const slots = new SlotTable(walk.b.constantOf);
  const known = (value: Value): Known => {
    const found = walk.known.get(value);
    invariant(found !== undefined, `value '${value.name}' was never reached`);
    return found;
  };
  const inputSlots = graph.inputs.map((value, i) => slots.ofValue(inputs[i] ?? value));
  const outputSlots = graph.outputs.map((value) => slots.ofKnown(known(value), value));
  const rest = restGraph(graph, walk, known);

  const wanted = new Set<Operand>();
  const want = (k: Known | null): void => {
    if (k?.kind === 'operand') wanted.add(k.operand);
  };
  for (const value of [...graph.outputs, ...(rest?.inputs ?? [])]) want(known(value));
  for (const step of walk.hostSteps) for (const k of knownsOf(step)) want(k);

  const levels = assignLevels(liveNodes(walk.b.since(0), wanted), walk.hostSteps);
  // What a later level reads, an earlier one must hand out.
  for (const level of levels) {
    const made = new Set(level.nodes.flatMap((node) => node.outputs));
    for (const x of level.nodes.flatMap((node) => node.inputs)) if (!made.has(x)) wanted.add(x);
  }
  const steps: PartitionStep[] = [];
  for (const level of levels) {
    if (level.nodes.length > 0) steps.push(deviceStep(graph.name, level.nodes, wanted, walk, slots));
    for (const step of level.hostSteps) steps.push(hostStep(step, slots));
  }
  if (rest !== undefined) {
    const outputs = rest.outputs.map((value) => slots.ofValue(value));
    steps.push({ kind: 'rest', graph: rest, inputs: rest.inputs.map((value) => slots.ofKnown(known(value), value)), outputs, hosted: rest.nodes.flatMap(surelyHosted) });
  }
  return { slots: slots.count, inputs: inputSlots, outputs: outputSlots, constants: slots.constants, hostValues: slots.hostValues, steps };
}

/** Control flow may be written out once its condition is known. */
function surelyHosted(node: Node): HostedNode[] {
  const reason = isOnnx(node) && subgraphsOf(node).length === 0 ? hostReason(node) : undefined;
  return reason === undefined ? [] : [{ node: titleOf(node), reason }];
}

const knownsOf = (step: HostStep): (Known | null)[] => [...step.inputs, ...step.captures.map((c) => c.known)];

/** A node and how many were built before it. */
interface Placed {
  readonly node: PrimNode;
  readonly position: number;
}

function liveNodes(nodes: readonly PrimNode[], wanted: ReadonlySet<Operand>): Placed[] {
  const live = new Set(wanted);
  const kept: Placed[] = [];
  for (let position = nodes.length - 1; position >= 0; position--) {
    const node = nodes[position]!;
    if (!node.outputs.some((x) => live.has(x))) continue;
    kept.push({ node, position });
    for (const x of node.inputs) live.add(x);
  }
  return kept.reverse();
}

interface Level {
  readonly nodes: PrimNode[];
  readonly hostSteps: HostStep[];
}

/** A level counts the host steps in sequence before a node; the nodes of one level make one device program. */
function assignLevels(nodes: readonly Placed[], hostSteps: readonly HostStep[]): Level[] {
  const levels: Level[] = [];
  const levelOf = new Map<Operand, number>();
  const highest = (xs: readonly Operand[]): number => xs.reduce((most, x) => Math.max(most, levelOf.get(x) ?? 0), 0);
  const at = (level: number): Level => (levels[level] ??= { nodes: [], hostSteps: [] });
  let next = 0;
  const placeHostSteps = (position: number): void => {
    for (let step = hostSteps[next]; step !== undefined && step.position <= position; step = hostSteps[++next]) {
      const level = highest(knownsOf(step).flatMap((k) => (k?.kind === 'operand' ? [k.operand] : [])));
      at(level).hostSteps.push(step);
      for (const x of step.outputs) if (x !== null) levelOf.set(x, level + 1);
    }
  };
  for (const { node, position } of nodes) {
    placeHostSteps(position);
    const level = highest(node.inputs);
    at(level).nodes.push(node);
    for (const x of node.outputs) levelOf.set(x, level);
  }
  placeHostSteps(Infinity);
  return Array.from(levels, (level) => level ?? { nodes: [], hostSteps: [] });
}

function deviceStep(name: string, nodes: readonly PrimNode[], wanted: Set<Operand>, walk: Walk, slots: SlotTable): PartitionStep {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const constants = new Map<Operand, Constant>();
  const inputs = new Set<Operand>();
  for (const x of nodes.flatMap((node) => node.inputs)) {
    if (made.has(x)) continue;
    const constant = walk.b.constantOf(x);
    if (constant === undefined) inputs.add(x);
    else constants.set(x, constant);
  }
  const outputs = [...made].filter((x) => wanted.has(x));
  const graph: PrimGraph = { name, inputs: [...inputs], outputs, nodes, constants };
  const origins = new Map(nodes.flatMap((node) => (walk.origin.has(node) ? [[node, walk.origin.get(node)!] as const] : [])));
  const wholes = wholeNodes(walk, made, inputs);
  return { kind: 'device', graph, inputs: graph.inputs.map((x) => slots.ofOperand(x)), outputs: outputs.map((x) => slots.ofOperand(x)), origins, wholes };
}

/** Nodes that give something which the program makes, and take nothing else than what it makes, is given or is constant. */
function wholeNodes(walk: Walk, made: ReadonlySet<Operand>, given: ReadonlySet<Operand>): WholeNode[] {
  const isThere = (x: Operand | null): boolean => x === null || made.has(x) || given.has(x) || walk.b.constantOf(x) !== undefined;
  return walk.lowered
    .filter(({ inputs, outputs }) => inputs.every(isThere) && outputs.some((x) => x !== null && made.has(x)))
    .map((lowered) => {
      const constants = lowered.inputs
        .flatMap((x) => (x === null ? [] : [[x, walk.b.constantOf(x)] as const]))
        .filter((pair): pair is [Operand, Constant] => pair[1] !== undefined);
      return { ...lowered, constants: new Map(constants) };
    });
}

function hostStep(step: HostStep, slots: SlotTable): PartitionStep {
  const { node } = step;
  return {
    kind: 'host',
    node,
    reason: step.reason,
    inputs: step.inputs.map((k, i) => (k === null ? null : slots.ofKnown(k, node.inputs[i]!))),
    outputs: node.outputs.map((value, i) => (value === null ? null : slots.ofValue(step.outputs[i] ?? value))),
    captures: step.captures.map(({ value, known }) => ({ value, slot: slots.ofKnown(known, value) })),
  };
}

/** The nodes that wait for data-dependent shapes, as a graph over what is known by then. */
function restGraph(graph: Graph, walk: Walk, known: (value: Value) => Known): Graph | undefined {
  if (walk.deferred.length === 0) return undefined;
  const made = new Set(walk.deferred.flatMap((node) => node.outputs));
  const outputs = [...new Set(graph.outputs.filter((value) => made.has(value)))];
  const body: Graph = { name: graph.name, inputs: [], outputs, nodes: walk.deferred, constants: new Map() };
  const inputs: Value[] = [];
  const constants = new Map<Value, Constant>();
  for (const value of capturesOf(body)) {
    const k = known(value);
    const constant = k.kind === 'operand' ? walk.b.constantOf(k.operand) : undefined;
    if (constant === undefined) inputs.push(value);
    else constants.set(value, constant);
  }
  return { ...body, inputs, constants };
}
