// GraphProto to Graph: names become Values by scope, functions are written out in place, old operators are upgraded.
import { AnychipError, invariant, within } from '../../core/error.ts';
import type { Tensor } from '../../core/tensor.ts';
import { constantOf } from '../../graph/graph.ts';
import type { Constant, Graph, Node, Value, ValueType } from '../../graph/graph.ts';
import { isOnnxOp, schemaOf } from '../../graph/ops.ts';
import type { OpSchema } from '../../graph/schema.ts';
import { checkAttributes, readAttributes } from './attributes.ts';
import type { AttributeProto, FunctionProto, GraphProto, NodeProto } from './messages.ts';
import { domainOf, functionKey, opsetsOf } from './names.ts';
import { checkControl } from './checkControl.ts';
import { readConstantNode } from './constantNode.ts';
import { sortNodes } from './sortNodes.ts';
import { constantFrom, denseFromSparse } from './tensorProto.ts';
import type { ExternalReader } from './tensorProto.ts';
import { valueTypeOf } from './types.ts';
import { upgrades } from './upgrade/table.ts';
import type { RawAttr, RawNode } from './upgrade/upgrade.ts';

/** What the whole import shares. */
export interface ImportState {
  readonly irVersion: number;
  readonly external: ExternalReader | undefined;
  readonly functions: ReadonlyMap<string, FunctionProto>;
  /** Operators that are not known, by `domain.op`. */
  readonly unsupported: Map<string, { count: number; readonly first: string }>;
  readonly counts: { nodes: number; names: number };
}

/** What nodes of one body share. */
export interface BodyContext {
  readonly opsets: ReadonlyMap<string, number>;
  /** Inside a function: the attributes of the call, by name. */
  readonly attrs: ReadonlyMap<string, AttributeProto> | undefined;
  /** Functions being written out, outermost first. */
  readonly calls: readonly string[];
  /** Nesting of subgraphs and functions. */
  readonly depth: number;
}

/** Names of one graph; lookups go outward. */
interface Scope {
  readonly values: Map<string, Value>;
  readonly outer: Scope | undefined;
}

/** A graph as it grows. */
interface Sink {
  readonly nodes: Node[];
  readonly constants: Map<Value, Constant>;
  readonly types: ReadonlyMap<string, ValueType | undefined>;
}

/** Functions that call functions may make very many nodes of a small file. */
const MAX_NODES = 500_000;
const MAX_DEPTH = 64;

const bad = (reason: string, hint = 'The model breaks the ONNX format; export it again.'): never => {
  throw new AnychipError('bad-model', reason, { hint });
};

function lookup(scope: Scope, name: string): Value | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const value = at.values.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}

function declare(scope: Scope, name: string, value: Value): void {
  if (scope.values.has(name)) bad(`the name '${name}' is given to two values`);
  scope.values.set(name, value);
}

export function importGraph(proto: GraphProto, outer: Scope | undefined, context: BodyContext, state: ImportState): Graph {
  if (context.depth > MAX_DEPTH)
    throw new AnychipError('limit', `subgraphs and functions are nested more than ${MAX_DEPTH} deep`, { hint: 'No model needs that; the file may be hostile.' });
  const scope: Scope = { values: new Map(), outer };
  const types = new Map([...proto.valueInfo, ...proto.output].map((info) => [info.name, valueTypeOf(info.type, info.name)] as const));
  const sink: Sink = { nodes: [], constants: new Map(), types };
  const inputs = proto.input.map((info): Value => {
    const value = { name: info.name, type: valueTypeOf(info.type, info.name) };
    declare(scope, info.name, value);
    return value;
  });
  for (const initializer of proto.initializer) addConstant(scope, sink, initializer.name, constantFrom(initializer, state.external));
  for (const sparse of proto.sparseInitializer) addConstant(scope, sink, sparse.values?.name ?? '', constantOf(denseFromSparse(sparse)));
  const isKnown = (name: string): boolean => lookup(scope, name) !== undefined;
  importNodes(sortNodes(proto.node, isKnown), scope, sink, context, state);
  const outputs = proto.output.map((info) => outputOf(info.name, scope, sink));
  // Before IR 4 initializers had to be among the inputs and were constants all the same.
  const free = state.irVersion < 4 ? inputs.filter((value) => !sink.constants.has(value)) : inputs;
  return { name: proto.name, inputs: free, outputs, nodes: sink.nodes, constants: sink.constants };
}

function addConstant(scope: Scope, sink: Sink, name: string, constant: Constant): void {
  if (name === '') bad('an initializer without a name');
  const input = scope.values.get(name);
  if (input !== undefined && sink.constants.has(input)) bad(`the initializer '${name}' is given twice`);
  const value = input ?? { name, type: { kind: 'tensor', dtype: constant.dtype, shape: constant.shape } as const };
  if (input === undefined) declare(scope, name, value);
  sink.constants.set(value, constant);
}

/** The value of an output, under the output's name. */
function outputOf(name: string, scope: Scope, sink: Sink): Value {
  const value = lookup(scope, name);
  if (value === undefined) return bad(`the output '${name}' is never computed`);
  if (value.name === name) return value;
  const named: Value = { name, type: value.type };
  sink.nodes.push(makeNode('Identity', `output ${name}`, {}, [value], [named]));
  return named;
}

function importNodes(protos: readonly NodeProto[], scope: Scope, sink: Sink, context: BodyContext, state: ImportState): void {
  for (const proto of protos) within(`${proto.opType} '${proto.name}'`, () => importNode(proto, scope, sink, context, state));
}

function importNode(proto: NodeProto, scope: Scope, sink: Sink, context: BodyContext, state: ImportState): void {
  if (++state.counts.nodes > MAX_NODES)
    throw new AnychipError('limit', `more than ${MAX_NODES} nodes`, { hint: 'Functions that call functions may multiply; the file may be hostile.' });
  const attributes = bindAttributes(proto.attribute, context.attrs);
  const called = state.functions.get(functionKey(proto.domain, proto.opType, proto.overload));
  if (called !== undefined) return writeOut(called, proto, attributes, scope, sink, context, state);
  const attrs = readAttributes(attributes, { external: state.external, importGraph: (graph) => importGraph(graph, scope, { ...context, depth: context.depth + 1 }, state) });
  const domain = domainOf(proto.domain);
  const constant = domain === '' && proto.opType === 'Constant' ? readConstantNode(attrs) : undefined;
  if (constant !== undefined) return addOutputConstant(proto, constantOf(constant), scope, sink);
  const opset = context.opsets.get(domain) ?? (domain === '' && context.calls.length === 0 && context.opsets.size === 0 ? 1 : undefined);
  const raw: RawNode = { domain, op: proto.opType, name: proto.name, inputs: proto.input, outputs: proto.output, attrs: dropOldAttributes(attrs, opset) };
  for (const node of upgrade(raw, opset, scope, sink, state)) addNode(node, scope, sink, state);
}

/** A message with other fields. Defaults of fields that are not set lie on the prototype, which a spread would lose. */
function alter<M extends AttributeProto | NodeProto>(message: M, fields: Partial<M>): M {
  const altered: M = Object.create(Object.getPrototypeOf(message));
  return Object.assign(altered, message, fields);
}

/** Attributes of a node inside a function: references become what the call gives, or go. */
function bindAttributes(attributes: readonly AttributeProto[], given: BodyContext['attrs']): readonly AttributeProto[] {
  if (given === undefined) return attributes;
  return attributes.flatMap((attribute) => {
    if (attribute.refAttrName === '') return [attribute];
    const bound = given.get(attribute.refAttrName);
    return bound === undefined ? [] : [alter(bound, { name: attribute.name })];
  });
}

/** Opsets before 6 let operators say which buffers they may overwrite. */
const dropOldAttributes = (attrs: ReadonlyMap<string, RawAttr>, opset: number | undefined): ReadonlyMap<string, RawAttr> =>
  opset === undefined || opset > 6 || !attrs.has('consumed_inputs') ? attrs : new Map([...attrs].filter(([name]) => name !== 'consumed_inputs'));

function addOutputConstant(proto: NodeProto, constant: Constant, scope: Scope, sink: Sink): void {
  const name = proto.output[0] ?? bad('it has no output');
  const value: Value = { name, type: { kind: 'tensor', dtype: constant.dtype, shape: constant.shape } };
  declare(scope, name, value);
  sink.constants.set(value, constant);
}

/** A call of a model-local function, its body in place of it. */
function writeOut(f: FunctionProto, call: NodeProto, attributes: readonly AttributeProto[], scope: Scope, sink: Sink, context: BodyContext, state: ImportState): void {
  const key = functionKey(f.domain, f.name, f.overload);
  if (context.calls.includes(key)) bad(`the function '${f.domain}.${f.name}' calls itself`, 'ONNX has no recursion.');
  if (context.calls.length >= MAX_DEPTH)
    throw new AnychipError('limit', `functions are nested more than ${MAX_DEPTH} deep`, { hint: 'No model needs that; the file may be hostile.' });
  if (call.input.length > f.input.length || call.output.length > f.output.length)
    bad(`the function '${f.domain}.${f.name}' has ${f.input.length} inputs and ${f.output.length} outputs`);
  const inner: Scope = { values: new Map(), outer: undefined };
  f.input.forEach((name, i) => {
    const given = call.input[i] ?? '';
    if (given !== '') declare(inner, name, resolve(scope, given));
  });
  const attrs = new Map([...f.attributeProto, ...attributes].map((attribute) => [attribute.name, attribute] as const));
  const omitted = new Set(f.input.filter((name) => !inner.values.has(name)));
  const body = f.node.map((node) => (node.input.some((name) => omitted.has(name)) ? alter(node, { input: node.input.map((name) => (omitted.has(name) ? '' : name)) }) : node));
  const isKnown = (name: string): boolean => inner.values.has(name);
  importNodes(sortNodes(body, isKnown), inner, sink, { opsets: opsetsOf(f.opsetImport), attrs, calls: [...context.calls, key], depth: context.depth + 1 }, state);
  call.output.forEach((name, i) => {
    if (name !== '') declare(scope, name, inner.values.get(f.output[i]!) ?? bad(`the output '${f.output[i]}' of the function '${f.name}' is never computed`));
  });
}

const resolve = (scope: Scope, name: string): Value => lookup(scope, name) ?? bad(`the input '${name}' is not defined`);

/** The node in latest forms; constants that a rule adds go to the sink. */
function upgrade(raw: RawNode, opset: number | undefined, scope: Scope, sink: Sink, state: ImportState): readonly RawNode[] {
  const rule = Object.hasOwn(upgrades, raw.op) ? upgrades[raw.op] : undefined;
  if (rule === undefined) return [raw];
  const fresh = (hint: string): string => `${raw.outputs.find((name) => name !== '') ?? raw.op}/${hint}/${state.counts.names++}`;
  const constant = (tensor: Tensor): string => {
    const name = fresh('constant');
    addConstant(scope, sink, name, constantOf(tensor));
    return name;
  };
  return rule(raw, { opset: opset ?? Infinity, fresh, constant });
}

function addNode(raw: RawNode, scope: Scope, sink: Sink, state: ImportState): void {
  const schema = isOnnxOp(raw.op) ? schemaOf(raw.op) : undefined;
  const known = schema !== undefined && schema.domain === raw.domain;
  const inputs = known ? resolveInputs(raw, schema, scope) : [];
  const outputs = raw.outputs.map((name): Value | null => {
    if (name === '') return null;
    const value: Value = { name, type: sink.types.get(name) };
    declare(scope, name, value);
    return value;
  });
  if (!known || !isOnnxOp(raw.op)) return noteUnsupported(raw, state);
  checkCount('output', outputs.length, schema.outputs);
  const node = makeNode(raw.op, raw.name, checkAttributes(raw.attrs, schema), inputs, outputs);
  checkControl(node);
  sink.nodes.push(node);
}

function noteUnsupported(raw: RawNode, state: ImportState): void {
  const title = raw.domain === '' ? raw.op : `${raw.domain}.${raw.op}`;
  const seen = state.unsupported.get(title);
  if (seen === undefined) state.unsupported.set(title, { count: 1, first: raw.name });
  else seen.count++;
}

function resolveInputs(raw: RawNode, schema: OpSchema, scope: Scope): (Value | null)[] {
  checkCount('input', raw.inputs.length, schema.inputs);
  schema.inputs.forEach((name, i) => {
    // A list may be empty beside other inputs, but not alone; and none of its entries may be left out.
    const entries = name.endsWith('*') ? Math.max(raw.inputs.length - i, i === 0 ? 1 : 0) : name.endsWith('?') ? 0 : 1;
    for (let entry = i; entry < i + entries; entry++) if ((raw.inputs[entry] ?? '') === '') bad(`input ${entry} ('${name.replace('*', '')}') is missing`);
  });
  return raw.inputs.map((name) => (name === '' ? null : resolve(scope, name)));
}

function checkCount(kind: 'input' | 'output', count: number, declared: readonly string[]): void {
  if (count > declared.length && declared.at(-1)?.endsWith('*') !== true) bad(`it has ${count} ${kind}s, the operator has ${declared.length}`);
}

// The one place where a node is made of checked parts: the type checker cannot tie a name to its attributes across a union.
function makeNode(op: string, name: string, attrs: Readonly<Record<string, unknown>>, inputs: readonly (Value | null)[], outputs: readonly (Value | null)[]): Node {
  invariant(isOnnxOp(op), `${op} is not an operator`);
  // oxlint-disable-next-line typescript/consistent-type-assertions -- attributes were checked against the schema of the operator
  return { op, name, attrs, inputs, outputs } as unknown as Node;
}
