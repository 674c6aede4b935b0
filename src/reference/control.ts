// If, Loop, Scan and SequenceMap, as generators that yield the subgraph to run next and receive its results. So the rules exist once: the
// interpreter drives them synchronously, an executor may drive them over compiled subgraphs.
import { AnychipError } from '../core/error.ts';
import { normalizeAxis, sameShape } from '../core/shape.ts';
import { createTensor, numberReader, reshaped, scalar } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import { isTensor } from '../graph/graph.ts';
import type { Graph, HostValue, Node, NodeOf } from '../graph/graph.ts';
import type { controlOps } from '../graph/ops/control.ts';
import type { OpName } from '../graph/ops.ts';
import { hostBytes } from './liveData.ts';
import { optionalAt, sequenceAt, tensorAt } from './evaluate.ts';
import type { EvaluateContext, Evaluations } from './evaluate.ts';
import { sliceTensor, stackTensors } from './moves.ts';

export interface SubgraphCall {
  readonly graph: Graph;
  readonly inputs: readonly HostValue[];
  /** Bytes of the results so far, which are kept while it runs. */
  readonly heldBytes: number;
}
export type ControlSteps = Generator<SubgraphCall, readonly HostValue[], readonly HostValue[]>;

/** Subgraphs that one run may start: a loop that never ends is refused, not waited for. */
export const MAX_BODIES = 250_000;
/** Refuses a run that has started `limit` subgraphs. */
export const endlessLoop = (limit: number): AnychipError =>
  new AnychipError('limit', `loops ran their bodies ${limit} times without an end`, {
    hint: 'The condition may never become false; check the trip counts and conditions of its loops.',
  });

type ControlOp = keyof typeof controlOps;
type ControlRules = { readonly [O in ControlOp]: (node: NodeOf<O>, inputs: readonly HostValue[]) => ControlSteps };

const truth = (value: HostValue | undefined): boolean => {
  if (value === undefined || value === null || !isTensor(value) || value.data.length !== 1) {
    throw new AnychipError('shape', 'a condition that is not one bool', { hint: 'Conditions of If and Loop hold exactly one element.' });
  }
  return value.data[0] === 1;
};

/** Joins the results of all steps along a new axis; `like` says what no step at all gives. */
function stack(slices: readonly Tensor[], axis: number, like: Tensor): Tensor {
  const { shape } = slices[0] ?? like;
  const at = normalizeAxis(axis, shape.length + 1);
  if (slices.length === 0) return { ...like, shape: shape.toSpliced(at, 0, 0) };
  if (slices.some((s) => !sameShape(s.shape, shape))) {
    throw new AnychipError('shape', 'a scan output whose shape changes from step to step', { hint: 'Scan outputs must have one shape in all iterations.' });
  }
  return stackTensors(slices, at);
}

/** Element `i` along `axis`, that axis removed. */
const elementAlong = (x: Tensor, axis: number, i: number): Tensor => reshaped(sliceTensor(x, axis, i, 1), x.shape.toSpliced(axis, 1));

function* runLoop(node: NodeOf<'Loop'>, inputs: readonly HostValue[]): ControlSteps {
  const trips = optionalAt(inputs, 0);
  const count = trips === undefined ? Infinity : numberReader(trips)(0);
  let going = (inputs[1] ?? null) === null ? true : truth(inputs[1]);
  const { body } = node.attrs;
  const states = inputs.length - 2;
  let carried: HostValue[] = inputs.slice(2);
  const scans: Tensor[][] = Array.from({ length: body.outputs.length - 1 - states }, () => []);
  let heldBytes = 0;
  for (let i = 0; going && i < count; i++) {
    const results = yield { graph: body, inputs: [scalar('i64', i), scalar('bool', going ? 1 : 0), ...carried], heldBytes };
    going = truth(results[0]);
    carried = results.slice(1, 1 + states);
    scans.forEach((list, k) => list.push(tensorAt(results, 1 + states + k)));
    heldBytes += hostBytes(results.slice(1 + states));
  }
  return [...carried, ...scans.map((list, k) => stack(list, 0, emptyLike(body, 1 + states + k)))];
}

/** No elements, but a body output's declared dtype and shape: for loops that never ran. */
function emptyLike(body: Graph, output: number): Tensor {
  const type = body.outputs[output]?.type;
  const [dtype, dims] = type?.kind === 'tensor' ? [type.dtype, type.shape ?? []] : (['f32', []] as const);
  const shape = dims.map((d) => (typeof d === 'number' ? d : 0));
  return dtype === 'string' ? { dtype, shape, data: [] } : { ...createTensor(dtype, [0]), shape };
}

function* runScan(node: NodeOf<'Scan'>, inputs: readonly HostValue[]): ControlSteps {
  const { body, num_scan_inputs: scanned } = node.attrs;
  const states = inputs.length - scanned;
  const sequences = inputs.slice(states).map((_, k) => tensorAt(inputs, states + k));
  const axes = sequences.map((x, k) => normalizeAxis(node.attrs.scan_input_axes?.[k] ?? 0, x.shape.length));
  const lengths = sequences.map((x, k) => x.shape[axes[k]!]!);
  const length = lengths[0] ?? 0;
  if (lengths.some((n) => n !== length)) throw new AnychipError('shape', `scan inputs of different lengths: ${lengths.join(', ')}`);
  let carried: HostValue[] = inputs.slice(0, states);
  const outputs: Tensor[][] = Array.from({ length: body.outputs.length - states }, () => []);
  let heldBytes = 0;
  for (let i = 0; i < length; i++) {
    const slices = sequences.map((x, k) => elementAlong(x, axes[k]!, node.attrs.scan_input_directions?.[k] === 1 ? length - 1 - i : i));
    const results = yield { graph: body, inputs: [...carried, ...slices], heldBytes };
    carried = results.slice(0, states);
    outputs.forEach((list, k) => list.push(tensorAt(results, states + k)));
    heldBytes += hostBytes(results.slice(states));
  }
  const joined = outputs.map((list, k) => {
    const ordered = node.attrs.scan_output_directions?.[k] === 1 ? list.toReversed() : list;
    return stack(ordered, node.attrs.scan_output_axes?.[k] ?? 0, emptyLike(body, states + k));
  });
  return [...carried, ...joined];
}

/** Sequences give their elements one by one; tensors are the same for every element. */
function* runSequenceMap(node: NodeOf<'SequenceMap'>, inputs: readonly HostValue[]): ControlSteps {
  const { length } = sequenceAt(inputs, 0);
  const { body } = node.attrs;
  const outputs: HostValue[][] = body.outputs.map(() => []);
  let heldBytes = 0;
  const given = inputs.map((value) => (value === null || isTensor(value) ? () => value : (i: number) => value[i] ?? null));
  if (inputs.some((value) => value !== null && !isTensor(value) && value.length !== length)) throw new AnychipError('run', 'sequences of different lengths are mapped together');
  for (let i = 0; i < length; i++) {
    const results = yield { graph: body, inputs: given.map((element) => element(i)), heldBytes };
    outputs.forEach((list, k) => list.push(results[k] ?? null));
    heldBytes += hostBytes(results);
  }
  return outputs;
}

export const controlRules: ControlRules = {
  *If(node, inputs) {
    return yield { graph: truth(inputs[0]) ? node.attrs.then_branch : node.attrs.else_branch, inputs: [], heldBytes: 0 };
  },
  Loop: runLoop,
  Scan: runScan,
  SequenceMap: runSequenceMap,
};

/** The steps of a control-flow node; undefined for any other operator. */
export function controlSteps(node: Node, inputs: readonly HostValue[]): ControlSteps | undefined {
  return isControl(node) ? startControl(node, inputs) : undefined;
}
const isControl = (node: NodeOf<OpName>): node is NodeOf<ControlOp> => Object.hasOwn(controlRules, node.op);
const startControl = <O extends ControlOp>(node: NodeOf<O>, inputs: readonly HostValue[]): ControlSteps => controlRules[node.op](node, inputs);

function drive(steps: ControlSteps, context: EvaluateContext): readonly HostValue[] {
  let step = steps.next();
  while (step.done !== true) step = steps.next(context.runGraph(step.value.graph, step.value.inputs, step.value.heldBytes));
  return step.value;
}

export const controlEvaluations: Evaluations<ControlOp> = {
  If: (node, inputs, context) => drive(controlRules.If(node, inputs), context),
  Loop: (node, inputs, context) => drive(controlRules.Loop(node, inputs), context),
  Scan: (node, inputs, context) => drive(controlRules.Scan(node, inputs), context),
  SequenceMap: (node, inputs, context) => drive(controlRules.SequenceMap(node, inputs), context),
};
