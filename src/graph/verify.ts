// Verifies graphs: every Value has one producer and is used after it, also across the bodies of control flow; operators have the inputs
// they require; and in a primitive graph every result has the dtype and shape that its operator gives. Builders keep these rules, so a
// problem here is a bug of a pass or of an importer.
import { AnychipError } from '../core/error.ts';
import { elementCount, formatShape, sameShape } from '../core/shape.ts';
import type { Operand, PrimGraph } from './builder.ts';
import { subgraphsOf } from './graph.ts';
import type { Constant, Graph, Node, Value } from './graph.ts';
import { inferPrim } from './infer.ts';
import type { ConcreteType } from './infer.ts';
import { isOnnxOp, schemaOf } from './ops.ts';
import type { PrimAttrs, PrimName } from './prims.ts';

type Report = (problem: string) => void;

/** Values known at a place: those of the graphs around it too. */
function verifyScope(graph: Graph, around: ReadonlySet<Value>, report: Report): void {
  const known = new Set(around);
  const define = (value: Value, by: string): void => {
    if (known.has(value)) report(`'${value.name}' is defined by ${by} and before it`);
    known.add(value);
  };
  for (const value of graph.inputs) define(value, 'an input');
  // An input may have a constant as its default.
  for (const value of graph.constants.keys()) if (!graph.inputs.includes(value)) define(value, 'a constant');
  for (const node of graph.nodes) {
    const what = `${node.op} '${node.name}'`;
    for (const value of node.inputs) if (value !== null && !known.has(value)) report(`${what} uses '${value.name}' before it is defined`);
    for (const body of subgraphsOf(node)) verifyScope(body, known, (problem) => report(`${what}: ${problem}`));
    verifyInputs(node, (problem) => report(`${what}: ${problem}`));
    for (const value of node.outputs) if (value !== null) define(value, what);
  }
  for (const value of graph.outputs) if (!known.has(value)) report(`the output '${value.name}' is not defined`);
}

function verifyInputs(node: Node, report: Report): void {
  if (!isOnnxOp(node.op)) return;
  const { inputs } = schemaOf(node.op);
  const isVariadic = inputs.at(-1)?.endsWith('*') === true;
  if (node.inputs.length > inputs.length && !isVariadic) report(`${node.inputs.length} inputs, at most ${inputs.length} are declared`);
  inputs.forEach((name, i) => {
    if (!/[?*]$/.test(name) && (node.inputs[i] ?? null) === null) report(`the input ${name} is missing`);
  });
}

/** All that is wrong with a graph, one sentence each. */
export function verifyGraph(graph: Graph): string[] {
  const problems: string[] = [];
  verifyScope(graph, new Set(), (problem) => problems.push(problem));
  return problems;
}

const typeText = ({ dtype, shape }: ConcreteType): string => `${dtype} ${formatShape(shape)}`;
const inferNode = <P extends PrimName>(op: P, attrs: PrimAttrs[P], inputs: readonly Operand[]): readonly ConcreteType[] => inferPrim(op, attrs, inputs);

function verifyOperand(x: Operand, report: Report): void {
  const { type } = x;
  if (x.shape.some((d) => !Number.isInteger(d) || d < 0)) report(`'${x.name}' has the shape ${formatShape(x.shape)}`);
  if (type.dtype !== x.dtype || type.shape === undefined || formatShape(type.shape) !== formatShape(x.shape)) report(`'${x.name}' is ${typeText(x)}, and its type says otherwise`);
}

function verifyConstant(x: Operand, { dtype, shape, bytes }: Constant, report: Report): void {
  if (dtype === 'string') return report(`'${x.name}' is a constant of strings`);
  if (dtype !== x.dtype || !sameShape(shape, x.shape)) report(`'${x.name}' is ${typeText(x)}, its constant is ${typeText({ dtype, shape })}`);
  if (bytes === 0 && elementCount(shape) > 0) report(`'${x.name}' is a constant without data`);
}

/** All that is wrong with a primitive graph, one sentence each. */
export function verifyPrimGraph(graph: PrimGraph): string[] {
  const problems: string[] = [];
  const report: Report = (problem) => void problems.push(problem);
  const known = new Set<Operand>();
  const define = (x: Operand, by: string): void => {
    if (known.has(x)) report(`'${x.name}' is defined by ${by} and before it`);
    known.add(x);
    verifyOperand(x, report);
  };
  for (const x of graph.inputs) define(x, 'an input');
  for (const [x, constant] of graph.constants) {
    define(x, 'a constant');
    verifyConstant(x, constant, report);
  }
  for (const node of graph.nodes) {
    for (const x of node.inputs) if (!known.has(x)) report(`${node.name} uses '${x.name}' before it is defined`);
    for (const x of node.outputs) define(x, node.name);
    try {
      const types = inferNode(node.op, node.attrs, node.inputs);
      if (types.length !== node.outputs.length) report(`${node.name} has ${node.outputs.length} outputs, its operator gives ${types.length}`);
      types.forEach((type, i) => {
        const x = node.outputs[i];
        if (x !== undefined && (x.dtype !== type.dtype || !sameShape(x.shape, type.shape))) report(`'${x.name}' is ${typeText(x)}, ${node.name} gives ${typeText(type)}`);
      });
    } catch (error) {
      if (!(error instanceof AnychipError)) throw error;
      report(`${node.name}: ${error.reason}`);
    }
  }
  for (const x of graph.outputs) if (!known.has(x)) report(`the output '${x.name}' is not defined`);
  return problems;
}
