// A Graph to an ONNX file: the way back from `importModel`, operators in their latest form. Names that clash (bodies of functions written
// out twice) get a number, since ONNX knows values by name; inputs and outputs keep theirs.
import { AnychipError, invariant } from '../../core/error.ts';
import { subgraphsOf } from '../../graph/graph.ts';
import type { Constant, Graph, Node, Value } from '../../graph/graph.ts';
import { isOnnxOp, schemaOf } from '../../graph/ops.ts';
import type { AttrKind, AttrSpec } from '../../graph/schema.ts';
import type { MessageInit } from './messages.ts';
import { outside, tensorToProto } from './tensorProto.ts';
import type { ExternalEntry } from './tensorProto.ts';
import { LATEST_OPSET, OLDEST_OPSET, checkForms, irVersions } from './forms.ts';
import { typeToProto } from './types.ts';
import { writeMessage } from './writeMessage.ts';

/** Opsets whose forms the graph holds, by domain; that of ai.onnx may be chosen. */
const opsets: Readonly<Record<string, number>> = { 'ai.onnx.ml': 5, 'ai.onnx.preview.training': 1 };
/** protobuf's own bound on a message. */
const MAX_BYTES = 2 ** 31 - 1;

/** Where constants go that do not lie in the model's own file. */
export interface ExternalWriter {
  takes(constant: Constant): boolean;
  /** Keeps the bytes of a constant, as files hold them, and says where. */
  write(bytes: Uint8Array): ExternalEntry;
}

export interface ExportOptions {
  /** Of ai.onnx, for readers that know no later one: from 18 on. */
  readonly opset?: number;
  readonly producer?: string;
  readonly metadata?: ReadonlyMap<string, string>;
  /** Keeps bytes of large constants in other files. */
  readonly external?: ExternalWriter;
}

/** The model as bytes of an `.onnx` file, weights inside except those that `external` takes. Throws `limit` when they are more than such a file can hold, `unsupported` with the nodes that the opset lacks. */
export function exportModel(graph: Graph, options: ExportOptions = {}): Uint8Array {
  const { opset = LATEST_OPSET } = options;
  const irVersion = irVersions[opset];
  if (irVersion === undefined) {
    throw new AnychipError('bad-argument', `opset ${opset} is not written`, { hint: `Choose one from ${OLDEST_OPSET} to ${LATEST_OPSET}.` });
  }
  if (opset < LATEST_OPSET) checkForms(graph, opset);
  const writing = new Writing(graph, options.external);
  const bytes = constantBytes(graph, writing);
  if (bytes > MAX_BYTES) throw new AnychipError('limit', `${bytes} bytes of weights, over the 2 GiB of a protobuf message`, { hint: 'Keep the model in its own file.' });
  const used = new Set(['', ...domainsOf(graph)]);
  return writeMessage('ModelProto', {
    irVersion,
    producerName: options.producer ?? 'anychip',
    opsetImport: [...used].map((domain) => ({ domain, version: BigInt(opsets[domain] ?? opset) })),
    metadataProps: [...(options.metadata ?? [])].map(([key, value]) => ({ key, value })),
    graph: graphToProto(graph, writing),
  });
}

const bodiesOf = (graph: Graph): Graph[] => graph.nodes.flatMap(subgraphsOf);
/** Of those that the file itself holds. */
const constantBytes = (graph: Graph, writing: Writing): number =>
  [...graph.constants.values()].reduce((sum, constant) => sum + (writing.isInside(constant) ? constant.bytes : 0), 0) +
  bodiesOf(graph).reduce((sum, body) => sum + constantBytes(body, writing), 0);
const domainsOf = (graph: Graph): string[] => [...graph.nodes.map(({ op }) => onnxSchema(op).domain), ...bodiesOf(graph).flatMap(domainsOf)];

function onnxSchema(op: Node['op']): ReturnType<typeof schemaOf> {
  invariant(isOnnxOp(op), `${op} is no operator of ONNX: a graph is exported before it is compiled`);
  return schemaOf(op);
}

/** One name for each Value of a graph and its bodies, and a place for each constant. */
class Writing {
  readonly #byValue = new Map<Value, string>();
  readonly #taken = new Set<string>();
  readonly #external: ExternalWriter | undefined;

  constructor(graph: Graph, external: ExternalWriter | undefined) {
    this.#external = external;
    for (const value of [...graph.inputs, ...graph.outputs]) this.nameOf(value);
  }

  isInside(constant: Constant): boolean {
    return constant.dtype === 'string' || this.#external?.takes(constant) !== true;
  }

  constantToProto(constant: Constant, value: Value): MessageInit<'TensorProto'> {
    const proto = tensorToProto(constant.read(), this.nameOf(value));
    const { rawData } = proto;
    return this.#external === undefined || this.isInside(constant) || rawData === undefined ? proto : outside(proto, this.#external.write(rawData.read()));
  }

  nameOf(value: Value | null): string {
    if (value === null) return '';
    let name = this.#byValue.get(value);
    if (name !== undefined) return name;
    name = value.name;
    for (let i = 1; this.#taken.has(name); i++) name = `${value.name}.${i}`;
    this.#taken.add(name);
    this.#byValue.set(value, name);
    return name;
  }
}

function graphToProto(graph: Graph, writing: Writing): MessageInit<'GraphProto'> {
  return {
    name: graph.name,
    input: graph.inputs.map((value) => infoOf(value, writing)),
    output: graph.outputs.map((value) => infoOf(value, writing)),
    initializer: [...graph.constants].map(([value, constant]) => writing.constantToProto(constant, value)),
    node: graph.nodes.map((node) => nodeToProto(node, writing)),
    valueInfo: graph.nodes.flatMap((node) => node.outputs.flatMap((value) => (value?.type === undefined || graph.outputs.includes(value) ? [] : [infoOf(value, writing)]))),
  };
}

const infoOf = (value: Value, writing: Writing): MessageInit<'ValueInfoProto'> => ({
  name: writing.nameOf(value),
  ...(value.type === undefined ? {} : { type: typeToProto(value.type) }),
});

function nodeToProto(node: Node, writing: Writing): MessageInit<'NodeProto'> {
  const schema = onnxSchema(node.op);
  const attrs: Readonly<Record<string, unknown>> = node.attrs;
  return {
    opType: node.op,
    domain: schema.domain,
    name: node.name,
    input: node.inputs.map((value) => writing.nameOf(value)),
    output: node.outputs.map((value) => writing.nameOf(value)),
    attribute: Object.entries(schema.attrs).flatMap(([name, spec]) => (isDefault(attrs[name], spec.fallback) ? [] : [attributeToProto(name, spec, attrs[name], writing)])),
  };
}

/** Such an attribute is left out: a default is a 64-bit number, the file would round it to 32 bits. */
const isDefault = (value: unknown, fallback: unknown): boolean =>
  value === fallback || (Array.isArray(value) && Array.isArray(fallback) && value.length === fallback.length && value.every((x, i) => x === fallback[i]));

type AttributeInit = MessageInit<'AttributeProto'>;
const utf8 = new TextEncoder();

/** By kind: AttributeProto.AttributeType and the field that holds the value. Kinds tie values to their types in the declarations. */
const writers: { readonly [K in AttrKind]: (value: never, writing: Writing) => AttributeInit } = {
  float: (f: number) => ({ type: 1, f }),
  int: (i: number) => ({ type: 2, i: BigInt(i) }),
  string: (s: string) => ({ type: 3, s: utf8.encode(s) }),
  tensor: (t: Parameters<typeof tensorToProto>[0]) => ({ type: 4, t: tensorToProto(t, '') }),
  graph: (g: Graph, writing) => ({ type: 5, g: graphToProto(g, writing) }),
  floats: (floats: readonly number[]) => ({ type: 6, floats: [...floats] }),
  ints: (ints: readonly number[]) => ({ type: 7, ints: ints.map(BigInt) }),
  strings: (strings: readonly string[]) => ({ type: 8, strings: strings.map((s) => utf8.encode(s)) }),
  type: (type: NonNullable<Value['type']>) => ({ type: 13, tp: typeToProto(type) }),
};

const attributeToProto = (name: string, spec: AttrSpec<unknown>, value: unknown, writing: Writing): AttributeInit => ({
  name,
  // oxlint-disable-next-line typescript/consistent-type-assertions -- the kind of the attribute chose the writer
  ...writers[spec.kind](value as never, writing),
});
