// Since when ONNX has a node in the form that the graph holds, for files of earlier opsets. Forms that are older than OLDEST_OPSET are not
// told apart: no file of an earlier opset is written.
import { AnychipError } from '../../core/error.ts';
import type { DType } from '../../core/dtype.ts';
import { subgraphsOf, titleOf } from '../../graph/graph.ts';
import type { Graph, Node, NodeOf, Value } from '../../graph/graph.ts';
import { isOnnx, schemaOf } from '../../graph/ops.ts';
import type { OnnxOpName } from '../../graph/ops.ts';

export const OLDEST_OPSET = 18;
export const LATEST_OPSET = 25;

/** The IR version that came with an opset of ai.onnx. */
export const irVersions: Readonly<Record<number, bigint>> = { 18: 8n, 19: 9n, 20: 9n, 21: 10n, 22: 10n, 23: 11n, 24: 12n, 25: 13n };

const dtypeOf = (value: Value | null | undefined): DType | undefined => (value?.type?.kind === 'tensor' ? value.type.dtype : undefined);
const isOneEach = (values: readonly number[] | undefined): boolean => values === undefined || values.every((x) => x === 1);

/** By what the node has that its operator had not from the start: the opset that brought it. 0: nothing. */
type Form<O extends OnnxOpName> = (node: NodeOf<O>) => number;
const ofBools: Form<'ReduceMax' | 'ReduceMin'> = ({ inputs: [x] }) => (dtypeOf(x) === 'bool' ? 20 : 0);

const forms: { readonly [O in OnnxOpName]?: Form<O> } = {
  AveragePool: ({ attrs }) => (isOneEach(attrs.dilations) ? 0 : 19),
  Cast: ({ attrs }) => (attrs.round_mode !== 'up' ? 24 : attrs.saturate !== 1 ? 19 : 0),
  CastLike: ({ attrs }) => (attrs.round_mode !== 'up' ? 24 : attrs.saturate !== 1 ? 19 : 0),
  DequantizeLinear: ({ attrs, inputs: [x, scale] }) =>
    attrs.block_size !== 0 || attrs.output_dtype !== 0 || dtypeOf(x) === 'i16' || dtypeOf(x) === 'u16' ? 21 : dtypeOf(scale) === 'f32' ? 0 : 19,
  // The axis was an attribute.
  DFT: () => 20,
  // Modes had other names.
  GridSample: () => 20,
  // Scale and bias were per group.
  GroupNormalization: () => 21,
  IsInf: ({ inputs: [x] }) => (dtypeOf(x) === 'f16' ? 20 : 0),
  Pad: ({ attrs }) => (attrs.mode === 'wrap' ? 19 : 0),
  QuantizeLinear: ({ attrs, inputs: [x], outputs: [y] }) =>
    attrs.block_size !== 0 || attrs.output_dtype !== 0 || attrs.precision !== 0 || dtypeOf(y) === 'i16' || dtypeOf(y) === 'u16'
      ? 21
      : attrs.saturate !== 1 || dtypeOf(x) === 'f16'
        ? 19
        : 0,
  Range: ({ attrs }) => (attrs.stash_type === 1 ? 0 : 27),
  ReduceMax: ofBools,
  ReduceMin: ofBools,
  Resize: ({ attrs }) => (attrs.coordinate_transformation_mode === 'half_pixel_symmetric' ? 19 : 0),
};

const formSince = <O extends OnnxOpName>(node: NodeOf<O> & { readonly op: O }): number => forms[node.op]?.(node) ?? 0;

/** The first opset of ai.onnx whose files can hold the node; Infinity where none can. */
export function opsetOf(node: Node): number {
  if (!isOnnx(node)) return Infinity;
  const { domain, since } = schemaOf(node.op);
  return domain === '' ? Math.max(since, formSince(node)) : 1;
}

/** Whether ai.onnx alone has the node in this opset. */
export const isIn = (node: Node, opset: number): boolean => isOnnx(node) && schemaOf(node.op).domain === '' && opsetOf(node) <= opset;

const nodesOf = (graph: Graph): Node[] => graph.nodes.flatMap((node) => [node, ...subgraphsOf(node).flatMap(nodesOf)]);

/** Throws `unsupported` with all nodes that files of `opset` cannot hold. */
export function checkForms(graph: Graph, opset: number): void {
  const young = nodesOf(graph)
    .map((node) => ({ node: titleOf(node), since: opsetOf(node) }))
    .filter(({ since }) => since > opset);
  if (young.length === 0) return;
  const list = young.map(({ node, since }) => `\n  ${node}: ${since === Infinity ? 'no operator of ONNX' : `since opset ${since}`}`).join('');
  throw new AnychipError('unsupported', `${young.length === 1 ? '1 node has' : `${young.length} nodes have`} no form in opset ${opset}:${list}`, {
    hint: 'Run the model on a device that compiles its own kernels.',
    facts: { opset, nodes: young },
  });
}
