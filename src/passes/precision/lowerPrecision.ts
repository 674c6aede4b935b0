// A graph of f32 with its floats narrow between inputs and outputs: each node in the precision that its operator's rule gives it, casts
// where precisions meet, weights narrowed once. Inputs and outputs, of the graph and of bodies of control flow, keep their types.
// It knows dtypes, never shapes, and nothing of the device.
import { AnychipError, invariant } from '../../core/error.ts';
import { numeric } from '../../core/tensor.ts';
import { mapSubgraphs, tensorType, titleOf } from '../../graph/graph.ts';
import type { Constant, Graph, Node, NodeOf, Value } from '../../graph/graph.ts';
import { codeOfDType } from '../../graph/onnxTypes.ts';
import { isOnnx, schemaOf } from '../../graph/ops.ts';
import type { OnnxOpName } from '../../graph/ops.ts';
import { inputName } from '../binding.ts';
import { largestOf, narrowed, reachOf } from './narrow.ts';
import type { Precision } from './narrow.ts';
import { precisionRules } from './rules.ts';
import type { Given, PrecisionRule } from './rules.ts';

/** What a node computes in, where floats of f32 in the model reach it. */
export interface NodePrecision {
  /** As people call the node. */
  readonly title: string;
  readonly dtype: 'f32' | Precision;
  /** Why it is f32, where its operator would be narrow; else empty. */
  readonly reason: string;
}

export interface LoweredGraph {
  readonly graph: Graph;
  /** Of the nodes of the model, those of bodies too, in order. */
  readonly nodes: readonly NodePrecision[];
  /** What holds each Value of the graph itself, constants aside, that is needed narrow. */
  readonly narrow: ReadonlyMap<Value, Value>;
}

type Width = 'wide' | 'narrow';
/** What a Value of the model is: a float of f32, something else, or what only a run can tell. */
type Known = { readonly kind: 'float'; readonly width: Width; readonly reach?: number } | { readonly kind: 'other' } | { readonly kind: 'unknown' };
type Float = Extract<Known, { kind: 'float' }>;
const OTHER: Known = { kind: 'other' };
const UNKNOWN: Known = { kind: 'unknown' };

/** One graph as it is rewritten. */
interface Scope {
  readonly outer: Scope | undefined;
  readonly precision: Precision;
  readonly beyond: Beyond;
  readonly inputs: readonly Value[];
  readonly known: Map<Value, Known>;
  /** The Values that hold a float of the model in either width, as far as there are any yet. */
  readonly held: { readonly [W in Width]: Map<Value, Value> };
  readonly nodes: Node[];
  readonly constants: Map<Value, Constant>;
  readonly report: NodePrecision[];
}

/** Values, and how far runs in f32 found them to reach, where that is beyond a narrow float. */
export type Beyond = ReadonlyMap<Value, number>;

/**
 * `graph` with its floats of f32 in `precision`; what makes or takes a value of `beyond` stays f32. What has a default and is an input counts
 * as an input.
 */
export function lowerPrecision(graph: Graph, precision: Precision, beyond: Beyond = new Map()): LoweredGraph {
  const scope = scopeOf(graph, { precision, beyond, report: [] });
  const lowered = lowerGraph(graph, scope);
  return { graph: lowered, nodes: scope.report, narrow: new Map([...scope.held.narrow].filter(([, made]) => !scope.constants.has(made))) };
}

function scopeOf({ inputs, constants }: Graph, { precision, beyond, report }: Pick<Scope, 'precision' | 'beyond' | 'report'>, outer?: Scope): Scope {
  return { outer, precision, beyond, inputs, known: new Map(), held: { wide: new Map(), narrow: new Map() }, nodes: [], constants: new Map(constants), report };
}

function lowerGraph(graph: Graph, scope: Scope): Graph {
  for (const [value, constant] of graph.constants)
    define(scope, value, constant.dtype === 'f32' ? { kind: 'float', width: 'wide', reach: reachOf(numeric(constant.read())) } : OTHER);
  for (const value of graph.inputs) define(scope, value, declared(value));
  for (const node of graph.nodes) lowerNode(scope, node);
  const outputs = graph.outputs.map((value) => inWidth(scope, value, 'wide'));
  return { ...graph, nodes: scope.nodes, constants: scope.constants, outputs };
}

/** What the file says of a Value. */
function declared(value: Value): Known {
  if (value.type === undefined) return UNKNOWN;
  return value.type.kind === 'tensor' && value.type.dtype === 'f32' ? { kind: 'float', width: 'wide' } : OTHER;
}

/** Declares a Value of the model and returns the one that stands for it from now on. */
function define(scope: Scope, value: Value, known: Known): Value {
  scope.known.set(value, known);
  const native = known.kind === 'float' && known.width === 'narrow' ? narrowValue(scope, value) : value;
  if (known.kind === 'float') scope.held[known.width].set(value, native);
  return native;
}

const narrowValue = ({ precision }: Scope, { name, type }: Value): Value => ({
  name: `${name} as ${precision}`,
  type: tensorType(precision, type?.kind === 'tensor' ? type.shape : undefined),
});

function find<T>(scope: Scope, look: (scope: Scope) => T | undefined): T | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const found = look(at);
    if (found !== undefined) return found;
  }
  return undefined;
}

function knownOf(scope: Scope, value: Value): Known {
  const known = find(scope, ({ known }) => known.get(value));
  invariant(known !== undefined, `value '${value.name}' is used before it is computed`);
  return known;
}

/** The Value that holds `value` in this width; a cast makes it where there is none yet. */
function inWidth(scope: Scope, value: Value, width: Width): Value {
  const known = knownOf(scope, value);
  if (known.kind !== 'float') return value;
  const held = find(scope, (at) => at.held[width].get(value));
  if (held !== undefined) return held;
  const home = find(scope, (at) => (at.known.has(value) ? at : undefined))!;
  const constant = home.inputs.includes(value) ? undefined : home.constants.get(value);
  if (constant !== undefined) {
    const made = narrowValue(scope, value);
    home.constants.set(made, narrowed(constant, scope.precision));
    home.held.narrow.set(value, made);
    return made;
  }
  // The model's own Value is for its own graph alone: a body that widens it has another.
  const made = width === 'narrow' ? narrowValue(scope, value) : home === scope ? value : { ...value };
  const dtype = width === 'narrow' ? scope.precision : 'f32';
  const attrs = { to: codeOfDType(dtype), saturate: 1, round_mode: 'up' };
  scope.nodes.push({ op: 'Cast', name: `${value.name} as ${dtype}`, attrs, inputs: [inWidth(scope, value, known.width)], outputs: [made] });
  scope.held[width].set(value, made);
  return made;
}

function lowerNode(scope: Scope, node: Node): void {
  if (!isOnnx(node)) throw new AnychipError('internal', `${titleOf(node)} is a primitive in a graph of ONNX operators`);
  const rule = ruleOf(node);
  const { inputs: names, hostInputs = [] } = schemaOf(node.op);
  const isOperand = (i: number): boolean => ![...hostInputs, ...rule.keeps].includes(inputName(names, i));
  const operands = node.inputs.flatMap((value, i) => (value === null || !isOperand(i) ? [] : [{ value, known: knownOf(scope, value) }]));
  const { width, reason } = choose(scope, rule, node, operands);
  const inputs = node.inputs.map((value, i) => (value === null ? null : inWidth(scope, value, isOperand(i) ? width : 'wide')));
  const bodied = mapSubgraphs(node, (body) => lowerGraph(body, scopeOf(body, scope, scope)));
  const whole = node.inputs[rule.of] ?? null;
  const giving: Giving = { operands, width, given: whole === null ? OTHER : knownOf(scope, whole) };
  const outputs = node.outputs.map((value, i) => value && define(scope, value, outputOf(node, i, value, giving)));
  // A node without a name is called by its first output, which may have another name now.
  const name = node.name === '' ? (node.outputs.find((value) => value !== null)?.name ?? '') : node.name;
  scope.nodes.push({ ...bodied, name, inputs, outputs });
  if (operands.some(({ known }) => known.kind === 'float')) scope.report.push({ title: titleOf(node), dtype: width === 'narrow' ? scope.precision : 'f32', reason });
}

const ruleOf = <O extends OnnxOpName>(node: NodeOf<O>): PrecisionRule<O> => precisionRules[node.op];

interface Operand {
  readonly value: Value;
  readonly known: Known;
}

interface Choice {
  readonly width: Width;
  /** Why it is wide, where its operator would be narrow. */
  readonly reason: string;
}
const WIDE: Choice = { width: 'wide', reason: '' };

/** The width that a node computes in. */
function choose({ precision, beyond }: Scope, { precise }: Pick<PrecisionRule<OnnxOpName>, 'precise'>, node: Node, operands: readonly Operand[]): Choice {
  if (precise === 'wide' || precise === 'control') return WIDE;
  if (operands.some(({ known }) => known.kind === 'unknown')) return { width: 'wide', reason: 'what dtype it is given is known only in a run' };
  const floats = operands.flatMap(({ value, known }) => (known.kind === 'float' ? [{ value, known }] : []));
  const others = floats.filter(({ known }) => known.reach === undefined);
  const isNarrow = precise === 'narrow' || (others.length > 0 && others.every(({ known }) => known.width === 'narrow'));
  if (!isNarrow) return WIDE;
  const most = `${precision} no further than ${largestOf[precision].toPrecision(5)}`;
  const constant = floats.find(({ known }) => (known.reach ?? 0) > largestOf[precision]);
  if (constant !== undefined) return { width: 'wide', reason: `its constant '${constant.value.name}' reaches ${constant.known.reach!.toPrecision(3)}, ${most}` };
  const found = [...floats.map(({ value }) => value), ...node.outputs].find((value) => value !== null && beyond.has(value));
  if (found === undefined || found === null) return { width: 'narrow', reason: '' };
  return { width: 'wide', reason: `'${found.name}' reached ${beyond.get(found)!.toPrecision(3)} in a run, ${most}` };
}

interface Giving {
  readonly operands: readonly Operand[];
  readonly width: Width;
  /** The input whose dtype is that of the operands. */
  readonly given: Known;
}

function givenBy<O extends OnnxOpName>(node: NodeOf<O>, i: number): Given {
  const { gives } = ruleOf(node);
  const given = gives[Math.min(i, gives.length - 1)]!;
  return typeof given === 'function' ? given(node, i) : given;
}

function outputOf(node: NodeOf<OnnxOpName>, i: number, value: Value, { operands, width, given }: Giving): Known {
  switch (givenBy(node, i)) {
    case 'f32':
      return { kind: 'float', width: 'wide' };
    case 'other':
      return OTHER;
    case 'unknown':
      return declared(value);
    case 'operands':
      return given.kind === 'float' ? { kind: 'float', width, ...reachBehind(operands) } : given;
  }
}

/** What moves a single constant is a constant, and reaches no further. */
function reachBehind(operands: readonly Operand[]): Pick<Float, 'reach'> {
  const [one] = operands;
  return operands.length === 1 && one?.known.kind === 'float' && one.known.reach !== undefined ? { reach: one.known.reach } : {};
}
