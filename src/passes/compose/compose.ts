// A device program as a graph of ONNX operators again, for engines that compile whole models: nodes of the model stay as they are where
// they may, everything else is written from primitives. Shapes are fixed, constants folded, control flow gone. The rules are a total table.
import type { Operand, PrimNode } from '../../graph/builder.ts';
import { tensorType, titleOf } from '../../graph/graph.ts';
import type { Constant, Graph, Node, NodeOf, Value } from '../../graph/graph.ts';
import { isOnnx } from '../../graph/ops.ts';
import type { OnnxOpName } from '../../graph/ops.ts';
import type { PrimName } from '../../graph/prims.ts';
import type { PartitionStep, WholeNode } from '../partition.ts';
import { arithmetic } from './arithmetic.ts';
import { Composer } from './composer.ts';
import type { Call, Compositions } from './composer.ts';
import { elementwise } from './elementwise.ts';
import { views } from './views.ts';

const compositions: Compositions = { ...arithmetic, ...elementwise, ...views };

type PrimNodes = { readonly [P in PrimName]: Extract<PrimNode, { readonly op: P }> };
const composePrim = <P extends PrimName>(node: PrimNodes[P] & { readonly op: P }, inputs: readonly Value[], c: Composer): Call => compositions[node.op](node, inputs, c);

/** Inputs of the graph are called so: plain names, whatever the model calls its own. */
export const inputName = (i: number): string => `input${i}`;

export type DevicePart = Pick<Extract<PartitionStep, { readonly kind: 'device' }>, 'graph' | 'origins' | 'wholes'>;

/** A node of the model over Values whose types are known, and the operands that it is given and gives. */
interface Staying {
  readonly node: NodeOf<OnnxOpName>;
  readonly whole: WholeNode;
}

/** Inputs and outputs in the order of the program's. `mayStay`: whether a node of the model is known to whoever takes the graph, in the form that it has. */
export function compose({ graph, origins, wholes }: DevicePart, mayStay: (node: Node) => boolean): Graph {
  const values = new Map<Operand, Value>(graph.inputs.map((x, i) => [x, valueOf(x, inputName(i))]));
  const valueFor = (x: Operand): Value => {
    let value = values.get(x);
    if (value === undefined) values.set(x, (value = valueOf(x, x.name)));
    return value;
  };
  const composer = new Composer();
  const use = (x: Operand, constants: ReadonlyMap<Operand, Constant>): Value => {
    const constant = constants.get(x);
    if (constant !== undefined) composer.constants.set(valueFor(x), constant);
    return valueFor(x);
  };
  const staying = wholes.flatMap((whole): Staying[] => {
    const node = typedNode(whole, valueFor);
    return node !== undefined && mayStay(node) ? [{ node, whole }] : [];
  });
  for (const item of takeNodes(graph.nodes, graph.outputs, staying)) {
    if ('whole' in item) {
      for (const x of item.whole.inputs) if (x !== null) use(x, item.whole.constants);
      composer.emit(item.node, item.node.name, item.node.outputs);
    } else {
      const inputs = item.inputs.map((x) => use(x, graph.constants));
      const origin = origins.get(item);
      composer.emit(composePrim(item, inputs, composer), origin === undefined ? item.name : `${titleOf(origin)} ${item.name}`, item.outputs.map(valueFor));
    }
  }
  const outputs = graph.outputs.map((x) => use(x, graph.constants));
  return { name: graph.name, inputs: graph.inputs.map(valueFor), outputs, nodes: composer.nodes, constants: composer.constants };
}

const valueOf = ({ dtype, shape }: Operand, name: string): Value => ({ name, type: tensorType(dtype, shape) });

/** An output that was there before the node is made anew, under a name that nothing uses. */
function typedNode({ node, inputs, outputs }: WholeNode, valueFor: (x: Operand) => Value): NodeOf<OnnxOpName> | undefined {
  if (!isOnnx(node)) return undefined;
  return {
    ...node,
    inputs: inputs.map((x) => (x === null ? null : valueFor(x))),
    outputs: node.outputs.map((value, i) => (value === null ? null : outputs[i] ? valueFor(outputs[i]) : { name: `${value.name}.again`, type: undefined })),
  };
}

/**
 * What `outputs` need, from the last back: a node that stays instead of the primitive that gives its output. What such a node is given was
 * made before its own primitives, so it may stand where the first of them stood.
 */
function takeNodes(prims: readonly PrimNode[], outputs: readonly Operand[], staying: readonly Staying[]): (PrimNode | Staying)[] {
  const place = new Map(prims.flatMap((node, i) => node.outputs.map((x) => [x, i] as const)));
  const givers = new Map(staying.flatMap((stay) => stay.whole.outputs.flatMap((x) => (x !== null && place.has(x) ? [[x, stay] as const] : []))));
  const wanted = new Set(outputs);
  const taken = new Set<Staying>();
  const items = prims.map((): (PrimNode | Staying)[] => []);
  for (let i = prims.length - 1; i >= 0; i--) {
    const node = prims[i]!;
    for (const x of node.outputs.filter((output) => wanted.has(output))) {
      const giver = givers.get(x);
      if (giver === undefined) {
        if (!items[i]!.includes(node)) items[i]!.push(node);
        for (const input of node.inputs) wanted.add(input);
      } else if (!taken.has(giver)) {
        taken.add(giver);
        const first = Math.min(...giver.whole.outputs.map((output) => (output === null ? i : (place.get(output) ?? i))));
        items[first]!.unshift(giver);
        for (const input of giver.whole.inputs) if (input !== null) wanted.add(input);
      }
    }
  }
  return items.flat();
}
