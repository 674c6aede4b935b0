// Runs a whole graph on the host, one operator at a time, through the reference. The oracle of every device.
import { AnychipError, within } from '../core/error.ts';
import { checkMemory, withMemoryBudget } from '../core/memoryBudget.ts';
import { capturesOf, isTensor, subgraphsOf } from '../graph/graph.ts';
import type { Graph, HostValue, Node, NodeOf, Value } from '../graph/graph.ts';
import type { OpName } from '../graph/ops.ts';
import type { EvaluateContext } from './evaluate.ts';
import { MAX_BODIES, endlessLoop } from './control.ts';
import { LiveData } from './liveData.ts';
import { createRandom } from './randomSource.ts';
import { evaluations } from './rules.ts';

export interface InterpretOptions {
  /** Values of surrounding graphs. */
  readonly scope?: ReadonlyMap<Value, HostValue>;
  /** Upper bound of all values alive at once, bytes. */
  readonly maxMemoryBytes?: number;
  readonly seed?: number;
  /** Told every result: for tools that compare chips value by value. */
  readonly observe?: (node: Node, outputs: readonly HostValue[]) => void;
}

/** Outputs of `graph` for `inputs`, both in the graph's order. */
export function interpretGraph(graph: Graph, inputs: readonly HostValue[], options: InterpretOptions = {}): readonly HostValue[] {
  return run(graph, inputs, (value) => options.scope?.get(value), createState(options));
}

interface State {
  readonly options: InterpretOptions;
  readonly random: (seed?: number) => () => number;
  /** Values alive now, over all graphs that are running. */
  readonly live: LiveData;
  /** Bytes that control flow keeps beside them. */
  heldBytes: number;
  /** Subgraphs run so far. */
  bodies: number;
}

const createState = (options: InterpretOptions): State => ({ options, random: createRandom(options.seed ?? 0), live: new LiveData(), heldBytes: 0, bodies: 0 });

type Lookup = (value: Value) => HostValue | undefined;

function run(graph: Graph, inputs: readonly HostValue[], outer: Lookup, state: State): readonly HostValue[] {
  const values = new Map<Value, HostValue>();
  const set = (value: Value, held: HostValue): HostValue => {
    state.live.hold(held);
    values.set(value, held);
    return held;
  };
  // A constant is read when it is first needed, so that no more of a large model is in memory than is in use.
  const lookup: Lookup = (value) => values.get(value) ?? (values.has(value) ? null : (constantIn(graph, value, set) ?? outer(value)));
  const fetch = (value: Value | null): HostValue => {
    const found = value === null ? null : lookup(value);
    if (found === undefined) throw new AnychipError('internal', `value '${value?.name}' is used before it is computed`);
    return found;
  };
  graph.inputs.forEach((value, i) => {
    const given = inputs[i];
    if (given !== undefined) set(value, given);
  });
  const lastUse = lastUses(graph);
  const context = evaluateContext(lookup, state);
  graph.nodes.forEach((node, position) => {
    const outputs = evaluateNode(node, node.inputs.map(fetch), context);
    state.options.observe?.(node, outputs);
    node.outputs.forEach((value, i) => {
      if (value !== null) set(value, outputs[i] ?? null);
    });
    for (const value of lastUse[position]!) {
      state.live.release(values.get(value) ?? null);
      values.delete(value);
    }
  });
  const outputs = graph.outputs.map(fetch);
  for (const held of values.values()) state.live.release(held);
  return outputs;
}

function constantIn(graph: Graph, value: Value, set: (value: Value, held: HostValue) => HostValue): HostValue | undefined {
  const constant = graph.constants.get(value);
  return constant === undefined ? undefined : set(value, constant.read());
}

/** The context of one host evaluation: what `lookup` finds is visible to subgraphs. */
function evaluateContext(lookup: Lookup, state: State): EvaluateContext {
  const limit = state.options.maxMemoryBytes ?? Infinity;
  return {
    runGraph: (body, feeds, heldBytes = 0) => {
      if (++state.bodies > MAX_BODIES) throw endlessLoop(MAX_BODIES);
      state.heldBytes += heldBytes;
      const outputs = run(body, feeds, lookup, state);
      state.heldBytes -= heldBytes;
      return outputs;
    },
    random: state.random,
    reserve: checkMemory,
    memoryLeft: () => limit - state.live.bytes - state.heldBytes,
  };
}

/** A context for evaluating single nodes outside an interpreted graph. */
export const createContext = (options: InterpretOptions = {}): EvaluateContext => evaluateContext((value) => options.scope?.get(value), createState(options));

const lastUsesOf = new WeakMap<Graph, readonly (readonly Value[])[]>();

/** For each node, the values of this graph that nothing after it needs. */
function lastUses(graph: Graph): readonly (readonly Value[])[] {
  let uses = lastUsesOf.get(graph);
  if (uses === undefined) lastUsesOf.set(graph, (uses = findLastUses(graph)));
  return uses;
}

function findLastUses(graph: Graph): readonly (readonly Value[])[] {
  const own = new Set<Value>([...graph.inputs, ...graph.constants.keys()]);
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, position) => {
    for (const value of [...node.inputs, ...subgraphsOf(node).flatMap(capturesOf)]) if (value !== null && own.has(value)) last.set(value, position);
    for (const value of node.outputs) {
      if (value === null) continue;
      own.add(value);
      last.set(value, position);
    }
  });
  for (const value of graph.outputs) last.delete(value);
  const byPosition: Value[][] = graph.nodes.map(() => []);
  for (const [value, position] of last) byPosition[position]!.push(value);
  return byPosition;
}

/** One node through its reference rule; errors carry the node. */
export function evaluateNode(node: Node, inputs: readonly HostValue[], context: EvaluateContext): readonly HostValue[] {
  return within(`${node.op} '${node.name}'`, () => withMemoryBudget(context.memoryLeft(), () => dispatch(node, inputs, context)));
}
const dispatch = <O extends OpName>(node: NodeOf<O>, inputs: readonly HostValue[], context: EvaluateContext): readonly HostValue[] => evaluations[node.op](node, inputs, context);

/** dtype and shape of a host value, for messages. */
export const describeValue = (value: HostValue): string =>
  value === null ? 'nothing' : isTensor(value) ? `${value.dtype}[${value.shape.join(', ')}]` : `a sequence of ${value.length}`;
