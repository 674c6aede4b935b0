// Runs a whole graph on the host, one operator at a time, through the reference. The oracle of every device.
import { AnychipError, within } from '../core/error.ts';
import { isTensor } from '../graph/graph.ts';
import type { Graph, HostValue, Node, NodeOf, Value } from '../graph/graph.ts';
import type { OpName } from '../graph/ops.ts';
import type { EvaluateContext } from './evaluate.ts';
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
  return run(graph, inputs, options.scope ?? new Map(), createState(options));
}

interface State {
  readonly options: InterpretOptions;
  readonly reserve: (bytes: number) => void;
  readonly random: (seed?: number) => () => number;
}

function createState(options: InterpretOptions): State {
  const limit = options.maxMemoryBytes ?? Infinity;
  return {
    options,
    random: createRandom(options.seed ?? 0),
    reserve: (bytes) => {
      if (bytes > limit) {
        throw new AnychipError('limit', `a result of ${bytes} bytes is over the memory limit of ${limit}`, {
          hint: 'Raise --max-memory if the model is trusted.',
          facts: { bytes, limit },
        });
      }
    },
  };
}

function run(graph: Graph, inputs: readonly HostValue[], scope: ReadonlyMap<Value, HostValue>, state: State): readonly HostValue[] {
  const values = new Map<Value, HostValue>(scope);
  graph.inputs.forEach((value, i) => {
    const given = inputs[i];
    if (given !== undefined) values.set(value, given);
  });
  for (const [value, constant] of graph.constants) if (!values.has(value)) values.set(value, constant.read());
  const lastUse = lastUses(graph);
  const lookup = (value: Value | null): HostValue => (value === null ? null : fetch(values, value));
  graph.nodes.forEach((node, position) => {
    const outputs = evaluateNode(node, node.inputs.map(lookup), evaluateContext(values, state));
    state.options.observe?.(node, outputs);
    node.outputs.forEach((value, i) => {
      if (value !== null) values.set(value, outputs[i] ?? null);
    });
    for (const value of lastUse.get(position) ?? []) values.delete(value);
  });
  return graph.outputs.map(lookup);
}

/** The context of one host evaluation, with `values` visible to subgraphs. */
function evaluateContext(values: ReadonlyMap<Value, HostValue>, state: State): EvaluateContext {
  return { runGraph: (body, feeds) => run(body, feeds, values, state), random: state.random, reserve: state.reserve };
}

/** A context for evaluating single nodes outside an interpreted graph. */
export const createContext = (options: InterpretOptions = {}): EvaluateContext => evaluateContext(options.scope ?? new Map(), createState(options));

function fetch(values: ReadonlyMap<Value, HostValue>, value: Value): HostValue {
  const found = values.get(value);
  if (found === undefined) throw new AnychipError('internal', `value '${value.name}' is used before it is computed`);
  return found;
}

/** For each node position, the values of this graph that no later node needs (subgraph uses included by not freeing captures early). */
function lastUses(graph: Graph): ReadonlyMap<number, Value[]> {
  const keep = new Set<Value>(graph.outputs);
  const own = new Set<Value>();
  const last = new Map<Value, number>();
  graph.nodes.forEach((node, position) => {
    for (const value of node.outputs) if (value !== null) own.add(value);
    for (const value of node.inputs) if (value !== null && own.has(value)) last.set(value, position);
    if (hasSubgraph(node)) for (const value of own) keep.add(value);
  });
  const byPosition = new Map<number, Value[]>();
  for (const [value, position] of last) {
    if (keep.has(value)) continue;
    const list = byPosition.get(position);
    if (list === undefined) byPosition.set(position, [value]);
    else list.push(value);
  }
  return byPosition;
}

const hasSubgraph = (node: Node): boolean => Object.values<unknown>(node.attrs).some((a) => typeof a === 'object' && a !== null && 'nodes' in a);

/** One node through its reference rule; errors carry the node. */
export function evaluateNode(node: Node, inputs: readonly HostValue[], context: EvaluateContext): readonly HostValue[] {
  return within(`${node.op} '${node.name}'`, () => dispatch(node, inputs, context));
}
const dispatch = <O extends OpName>(node: NodeOf<O>, inputs: readonly HostValue[], context: EvaluateContext): readonly HostValue[] => evaluations[node.op](node, inputs, context);

/** dtype and shape of a host value, for messages. */
export const describeValue = (value: HostValue): string =>
  value === null ? 'nothing' : isTensor(value) ? `${value.dtype}[${value.shape.join(', ')}]` : `a sequence of ${value.length}`;
