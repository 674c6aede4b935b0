// Fixes a graph to concrete shapes: one walk that folds constants, decomposes every operator into primitives, and thereby infers all
// shapes. What a device cannot run becomes a host step; what depends on data-dependent shapes is left as a graph of its own, to be
// specialised when its inputs are there. Knows capabilities of a chip, never its name.
import { AnychipError, within } from '../core/error.ts';
import { createBuilder } from '../graph/builder.ts';
import type { Builder, Operand, PrimNode } from '../graph/builder.ts';
import { capturesOf, subgraphsOf } from '../graph/graph.ts';
import type { Graph, Node, NodeOf, Value } from '../graph/graph.ts';
import { isOnnx, schemaOf } from '../graph/ops.ts';
import type { OnnxOpName } from '../graph/ops.ts';
import { prims, simpleFns } from '../graph/prims.ts';
import { inputName } from './binding.ts';
import type { InputBinding } from './binding.ts';
import { inlineControl } from './inlineControl.ts';
import { constantKnown, knownOf, knownValue, setOutputs, smallValue } from './walk.ts';
import type { Known, SpecializeOptions, Walk } from './walk.ts';
import type { OnHost } from './lowering.ts';
import { hostReason, lowerings } from './lowerings.ts';
import { partition } from './partition.ts';
import type { Partition } from './partition.ts';

/** Specialises `graph` for the given inputs (in the graph's order). */
export function specialize(graph: Graph, bindings: readonly InputBinding[], options: SpecializeOptions): Partition {
  const walk: Walk = {
    b: createBuilder(options.fold, options.integers),
    known: new Map(),
    options,
    hostSteps: [],
    deferred: [],
    origin: new Map(),
    lowered: [],
    stored: new Map(),
    walkNodes,
  };
  const inputs = graph.inputs.map((value, i) => bindInput(walk, value, bindings[i]));
  addConstants(walk, graph);
  walkNodes(walk, graph.nodes);
  return partition(graph, inputs, walk);
}

function bindInput(walk: Walk, value: Value, binding: InputBinding | undefined): Operand | undefined {
  const isNumeric = binding?.type !== undefined;
  const operand = isNumeric ? walk.b.input(binding.type, value.name) : undefined;
  if (binding?.value !== undefined) walk.known.set(value, knownValue(walk, binding.value));
  else walk.known.set(value, operand === undefined ? { kind: 'arriving' } : { kind: 'operand', operand });
  return operand;
}

function addConstants(walk: Walk, graph: Graph): void {
  for (const [value, constant] of graph.constants) if (!walk.known.has(value)) walk.known.set(value, constantKnown(walk, value, constant));
}

function walkNodes(walk: Walk, nodes: readonly Node[]): void {
  for (const node of nodes) within(`${node.op} '${node.name}'`, () => walkNode(walk, node));
}

function walkNode(walk: Walk, node: Node): void {
  const inputs = node.inputs.map((value) => (value === null ? null : knownOf(walk, value)));
  if (inputs.some((known) => known?.kind === 'later') || capturesLater(walk, node)) return defer(walk, node);
  if (inlineControl(walk, node, inputs)) return;
  const lowered = lower(walk, node, inputs);
  if (lowered.kind === 'device')
    return setOutputs(
      walk,
      node,
      lowered.outputs.map((x) => (x === null ? null : { kind: 'operand', operand: x })),
    );
  const folded = foldOnHost(walk, node, inputs);
  if (folded !== undefined) return setOutputs(walk, node, folded);
  runOnHost(walk, node, inputs, lowered.reason, lowered.types);
}

const capturesLater = (walk: Walk, node: Node): boolean => subgraphsOf(node).some((body) => capturesOf(body).some((value) => knownOf(walk, value).kind === 'later'));

function defer(walk: Walk, node: Node): void {
  walk.deferred.push(node);
  for (const value of node.outputs) if (value !== null) walk.known.set(value, { kind: 'later' });
}

/** Evaluates here what no device can and what is fully known. */
function foldOnHost(walk: Walk, node: Node, inputs: readonly (Known | null)[]): (Known | null)[] | undefined {
  if (!isOnnx(node) || schemaOf(node.op).impure === true || subgraphsOf(node).length > 0) return undefined;
  const values = inputs.map((known) => smallValue(walk, known));
  if (!values.every((value) => value !== undefined)) return undefined;
  return walk.options.evaluate(node, values).map((value, i) => ((node.outputs[i] ?? null) === null ? null : knownValue(walk, value)));
}

type Lowered =
  | { readonly kind: 'device'; readonly outputs: readonly (Operand | null)[] }
  /** `types`: what the outputs will be, where that is known although the device cannot compute them. */
  | { readonly kind: 'host'; readonly reason: string; readonly types?: readonly (Operand | null)[] };

/** The outputs in primitives, or why the node must run on the host. */
function lower(walk: Walk, node: Node, inputs: readonly (Known | null)[]): Lowered {
  if (!isOnnx(node)) return { kind: 'host', reason: 'a primitive in a graph of ONNX operators' };
  const schema = schemaOf(node.op);
  const always = hostReason(node);
  if (always !== undefined) return { kind: 'host', reason: always };
  if (inputs.some((known) => known !== null && known.kind !== 'operand')) return { kind: 'host', reason: 'an operand that is not a tensor of numbers' };
  const operands = inputs.map((known) => (known?.kind === 'operand' ? known.operand : null));
  for (const [i, x] of operands.entries()) {
    const name = inputName(schema.inputs, i);
    if (x !== null && schema.hostInputs?.includes(name) && walk.b.constantOf(x) === undefined) return { kind: 'host', reason: `'${name}' depends on data` };
  }
  const mark = walk.b.mark();
  const result = applyLowering(walk.b, node, operands);
  if ('onHost' in result) return { kind: 'host', reason: result.onHost };
  const unfit = findUnfit(walk, result, mark);
  if (unfit !== undefined) return { kind: 'host', reason: `the device has no ${unfit}`, types: result };
  const made = walk.b.since(mark);
  for (const prim of made) walk.origin.set(prim, node);
  const fresh = new Set(made.flatMap((prim) => prim.outputs));
  walk.lowered.push({ node, inputs: operands, outputs: result.map((x) => (x !== null && fresh.has(x) ? x : null)) });
  return { kind: 'device', outputs: result };
}

function applyLowering<O extends OnnxOpName>(b: Builder, node: NodeOf<O>, inputs: readonly (Operand | null)[]): readonly (Operand | null)[] | OnHost {
  const rule = lowerings[node.op];
  if (rule === 'host') throw new AnychipError('internal', `${node.op} has no decomposition`);
  return rule(b, node, inputs);
}

/** Whether it takes more than a few steps of arithmetic for each element. */
const isLaborious = (prim: PrimNode): boolean => prims[prim.op].kind === 'contraction' || ((prim.op === 'unary' || prim.op === 'binary') && !simpleFns.has(prim.attrs.fn));

/** What a new primitive needs and the device lacks: a dtype, or arithmetic in it. */
function findUnfit(walk: Walk, result: readonly (Operand | null)[], mark: number): string | undefined {
  const { storage, simulated = [] } = walk.options;
  for (const prim of walk.b.since(mark)) {
    for (const x of [...prim.inputs, ...prim.outputs]) if (!storage.includes(x.dtype)) return x.dtype;
    const slow = isLaborious(prim) ? prim.outputs.find((x) => simulated.includes(x.dtype)) : undefined;
    if (slow !== undefined) return `arithmetic in ${slow.dtype}`;
  }
  return result.find((x) => x !== null && !storage.includes(x.dtype))?.dtype;
}

function runOnHost(walk: Walk, node: Node, inputs: readonly (Known | null)[], reason: string, types: readonly (Operand | null)[] | undefined): void {
  const outputs = node.outputs.map((value, i) => {
    const type = value === null ? null : (types?.[i] ?? null);
    return type === null || value === null ? null : walk.b.input(type, value.name);
  });
  const captures = subgraphsOf(node).flatMap((body) => capturesOf(body).map((value) => ({ value, known: knownOf(walk, value) })));
  walk.hostSteps.push({ node, reason, position: walk.b.mark(), inputs, outputs, captures });
  node.outputs.forEach((value, i) => {
    if (value === null) return;
    const operand = outputs[i] ?? null;
    walk.known.set(value, operand === null ? { kind: 'later' } : { kind: 'operand', operand });
  });
}
