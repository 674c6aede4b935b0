// How older forms of the control family become the latest one: the first Scan (opset 8) ran over a batch of sequences, which is
// today's Scan over the batch whose body is today's Scan over one sequence.
import { AnychipError } from '../../../core/error.ts';
import { intTensor } from '../../../core/tensor.ts';
import { constantOf } from '../../../graph/graph.ts';
import type { Constant, Graph, Node, Value } from '../../../graph/graph.ts';
import { intAttr, intsAttr } from './rewrite.ts';
import type { RawNode, Upgrade, Upgrades } from './upgrade.ts';

const value = (name: string): Value => ({ name, type: undefined });
const node = <O extends Node['op']>(op: O, attrs: Extract<Node, { readonly op: O }>['attrs'], inputs: readonly (Value | null)[], outputs: readonly Value[]) => ({
  op,
  name: '',
  attrs,
  inputs,
  outputs,
});

/** One sequence: its states and its scan inputs, none of them with a batch axis; with a length, only so many steps count. */
function overSequence(body: Graph, scanned: number, directions: readonly number[] | undefined, states: number, hasLengths: boolean): Graph {
  const constants = new Map<Value, Constant>();
  const constant = (...numbers: number[]): Value => {
    const made = value(`constant ${constants.size}`);
    constants.set(made, constantOf(intTensor(numbers)));
    return made;
  };
  const nodes: Node[] = [];
  const length = value('length');
  const given = Array.from({ length: states + scanned }, (_, i) => value(body.inputs[i]?.name ?? `input ${i}`));
  const results = body.outputs.map((output) => value(output.name));
  const attrs = {
    body,
    num_scan_inputs: scanned,
    scan_input_axes: undefined,
    scan_input_directions: directions,
    scan_output_axes: undefined,
    scan_output_directions: undefined,
  };
  if (!hasLengths) return { name: body.name, inputs: given, outputs: results, nodes: [node('Scan', attrs, given, results)], constants };

  const count = value('count');
  nodes.push(node('Unsqueeze', {}, [length, constant(0)], [count]));
  const cut = given.map((x, i) => {
    if (i < states) return x;
    const short = value(`${x.name}, cut`);
    nodes.push(node('Slice', {}, [x, constant(0), count, constant(0)], [short]));
    return short;
  });
  nodes.push(node('Scan', attrs, cut, results));
  // What no step computed is zero, so that all sequences of the batch have one shape.
  const [longest, missing] = [value('longest'), value('missing')];
  nodes.push(node('Shape', { start: 0, end: 1 }, [given[states]!], [longest]), node('Sub', {}, [longest, count], [missing]));
  const padded = results.map((y, i) => {
    if (i < states) return y;
    const [pads, full] = [value(`${y.name}, pads`), value(`${y.name}, padded`)];
    nodes.push(node('Concat', { axis: 0 }, [constant(0), missing], [pads]), node('Pad', { mode: 'constant' }, [y, pads, null, constant(0)], [full]));
    return full;
  });
  return { name: body.name, inputs: [length, ...given], outputs: padded, nodes, constants };
}

function overBatch(raw: RawNode): RawNode {
  const body = raw.attrs.get('body');
  const scanned = intAttr(raw, 'num_scan_inputs');
  if (body?.kind !== 'graph' || scanned === undefined) throw new AnychipError('bad-model', 'a Scan without body or num_scan_inputs', { hint: 'Export the model again.' });
  const [lengths = '', ...inputs] = raw.inputs;
  if (scanned < 1 || scanned > inputs.length || body.value.inputs.length !== inputs.length || body.value.outputs.length < inputs.length - scanned)
    throw new AnychipError('bad-model', 'a Scan whose body takes or gives another number of values', { hint: 'Export the model again.' });
  const outer = overSequence(body.value, scanned, intsAttr(raw, 'directions'), inputs.length - scanned, lengths !== '');
  const all = lengths === '' ? inputs : [lengths, ...inputs];
  return { ...raw, inputs: all, attrs: new Map([['body', { kind: 'graph', value: outer }], ['num_scan_inputs', { kind: 'int', value: all.length }]]) }; // prettier-ignore
}

const scan: Upgrade = (raw, { opset }) => [opset < 9 ? overBatch(raw) : raw];

export const controlUpgrades: Upgrades = { Scan: scan };
