// Branches whose condition is known, and loops whose number of steps is known, become part of the graph around them.
// A loop that turns out to need the host after all leaves nothing behind.
import { scalar } from '../core/tensor.ts';
import type { Builder, Operand } from '../graph/builder.ts';
import { isTensor } from '../graph/graph.ts';
import type { Graph, Node, NodeOf } from '../graph/graph.ts';
import { constantKnown, knownOf, setOutputs, smallValue } from './walk.ts';
import type { Known, Walk } from './walk.ts';

const DEFAULT_UNROLL_LIMIT = 64;

/** If with a known condition, Loop and Scan with a known number of steps: their bodies become part of this graph. */
export function inlineControl(walk: Walk, node: Node, inputs: readonly (Known | null)[]): boolean {
  if (node.op === 'If') return inlineIf(walk, node, inputs);
  if (node.op === 'Loop') return inlineLoop(walk, node, inputs);
  return node.op === 'Scan' && inlineScan(walk, node, inputs);
}

function inlineBody(walk: Walk, body: Graph, inputs: readonly Known[]): Known[] {
  body.inputs.forEach((value, i) => walk.known.set(value, inputs[i]!));
  for (const [value, constant] of body.constants) walk.known.set(value, constantKnown(walk, value, constant));
  walk.walkNodes(walk, body.nodes);
  return body.outputs.map((value) => knownOf(walk, value));
}

function flag(walk: Walk, known: Known | null): boolean | undefined {
  const value = smallValue(walk, known);
  return value !== undefined && value !== null && isTensor(value) && value.dtype !== 'string' ? value.data[0] === 1 : undefined;
}

function inlineIf(walk: Walk, node: NodeOf<'If'>, inputs: readonly (Known | null)[]): boolean {
  const condition = flag(walk, inputs[0] ?? null);
  if (condition === undefined) return false;
  const body = condition ? node.attrs.then_branch : node.attrs.else_branch;
  const outputs = inlineBody(walk, body, []);
  node.outputs.forEach((value, i) => {
    // What is not here yet is bound to its name; an Identity carries it to the name outside.
    const alias: Node = { op: 'Identity', name: node.name, attrs: {}, inputs: [body.outputs[i] ?? null], outputs: [value] };
    if (value !== null && !isHere(outputs[i])) walk.walkNodes(walk, [alias]);
    else if (value !== null) walk.known.set(value, outputs[i]!);
  });
  return true;
}

/** Whether it may stand for another Value: what a run or the host brings is bound to the Value that it comes as. */
const isHere = (known: Known | undefined): boolean => known?.kind === 'operand' || known?.kind === 'host';

const known = (operand: Operand): Known => ({ kind: 'operand', operand });

/** True when every step's outcome stays within what this walk can compute, else nothing has changed. */
function attempt(walk: Walk, body: () => Known[] | undefined, node: Node): boolean {
  const steps = walk.hostSteps.length;
  const deferred = walk.deferred.length;
  const outputs = body();
  const kept = outputs?.every(isHere) === true && walk.hostSteps.length === steps && walk.deferred.length === deferred;
  if (kept) setOutputs(walk, node, outputs);
  walk.hostSteps.length = steps;
  walk.deferred.length = deferred;
  return kept;
}

function inlineLoop(walk: Walk, node: NodeOf<'Loop'>, inputs: readonly (Known | null)[]): boolean {
  const trips = smallValue(walk, inputs[0] ?? null);
  const limit = walk.options.unrollLimit ?? DEFAULT_UNROLL_LIMIT;
  const count = trips === null ? limit + 1 : trips !== undefined && isTensor(trips) && trips.dtype !== 'string' ? Number(trips.data[0]) : undefined;
  const first = (inputs[1] ?? null) === null ? true : flag(walk, inputs[1] ?? null);
  if (count === undefined || first === undefined || (trips !== null && count > limit)) return false;
  const { body } = node.attrs;
  const states = inputs.length - 2;
  return attempt(
    walk,
    () => {
      let going: boolean | undefined = first;
      let carried = inputs.slice(2).map((x) => x!);
      const scans: Operand[][] = Array.from({ length: body.outputs.length - 1 - states }, () => []);
      for (let i = 0; going && i < count; i++) {
        if (i >= limit) return undefined;
        const results = inlineBody(walk, body, [known(walk.b.constant(scalar('i64', i))), known(walk.b.constant(scalar('bool', 1))), ...carried]);
        going = flag(walk, results[0]!);
        if (going === undefined) return undefined;
        carried = results.slice(1, 1 + states);
        for (const [k, list] of scans.entries()) {
          const result = results[1 + states + k]!;
          if (result.kind !== 'operand') return undefined;
          list.push(result.operand);
        }
      }
      return joinScans(walk.b, carried, scans, () => 0);
    },
    node,
  );
}

function joinScans(b: Builder, carried: readonly Known[], scans: readonly (readonly Operand[])[], axisOf: (k: number) => number): Known[] | undefined {
  const joined: Known[] = [];
  for (const [k, list] of scans.entries()) {
    const like = list[0];
    if (like === undefined) return undefined;
    const axis = axisOf(k) < 0 ? axisOf(k) + like.shape.length + 1 : axisOf(k);
    joined.push(
      known(
        b.concat(
          list.map((x) => b.reshape(x, [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)])),
          axis,
        ),
      ),
    );
  }
  return [...carried, ...joined];
}

function inlineScan(walk: Walk, node: NodeOf<'Scan'>, inputs: readonly (Known | null)[]): boolean {
  const { attrs } = node;
  const states = inputs.length - attrs.num_scan_inputs;
  const sequences = inputs.slice(states).map((x) => (x?.kind === 'operand' ? x.operand : undefined));
  if (!sequences.every((x) => x !== undefined)) return false;
  const axes = sequences.map((x, k) => positive(attrs.scan_input_axes?.[k] ?? 0, x.shape.length));
  const length = sequences[0]?.shape[axes[0]!] ?? 0;
  if (length === 0 || length > (walk.options.unrollLimit ?? DEFAULT_UNROLL_LIMIT)) return false;
  return attempt(
    walk,
    () => {
      let carried = inputs.slice(0, states).map((x) => x!);
      const scans: Operand[][] = Array.from({ length: attrs.body.outputs.length - states }, () => []);
      for (let i = 0; i < length; i++) {
        const slices = sequences.map((x, k) => known(sliceAt(walk.b, x, axes[k]!, attrs.scan_input_directions?.[k] === 1 ? length - 1 - i : i)));
        const results = inlineBody(walk, attrs.body, [...carried, ...slices]);
        carried = results.slice(0, states);
        for (const [k, list] of scans.entries()) {
          const result = results[states + k]!;
          if (result.kind !== 'operand') return undefined;
          if (attrs.scan_output_directions?.[k] === 1) list.unshift(result.operand);
          else list.push(result.operand);
        }
      }
      return joinScans(walk.b, carried, scans, (k) => attrs.scan_output_axes?.[k] ?? 0);
    },
    node,
  );
}

const positive = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

function sliceAt(b: Builder, x: Operand, axis: number, i: number): Operand {
  const one = b.slice(
    x,
    x.shape.map((_, a) => (a === axis ? i : 0)),
    x.shape.map((d, a) => (a === axis ? 1 : d)),
  );
  return b.reshape(one, [...x.shape.slice(0, axis), ...x.shape.slice(axis + 1)]);
}
