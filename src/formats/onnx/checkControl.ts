// Whether the bodies of If, Loop, Scan and SequenceMap take and give as many values as their nodes: what runs or unrolls them relies on it.
import { AnychipError } from '../../core/error.ts';
import type { Graph, Node, NodeOf } from '../../graph/graph.ts';

const bad = (reason: string): never => {
  throw new AnychipError('bad-model', reason, { hint: 'The model breaks the ONNX format; export it again.' });
};

function checkBody(name: string, body: Graph, inputs: number, outputs: number): void {
  if (body.inputs.length !== inputs) bad(`its ${name} takes ${body.inputs.length} inputs where ${inputs} are given`);
  if (body.outputs.length !== outputs) bad(`its ${name} has ${body.outputs.length} outputs where ${outputs} are needed`);
}

/** Outputs that follow the last one that is named may be left out. */
const atLeast = (given: number, needed: number): number => Math.max(given, needed);

const rules = {
  If: ({ attrs, outputs }: NodeOf<'If'>) => {
    checkBody('then_branch', attrs.then_branch, 0, atLeast(attrs.then_branch.outputs.length, outputs.length));
    checkBody('else_branch', attrs.else_branch, 0, atLeast(attrs.else_branch.outputs.length, outputs.length));
  },
  Loop: ({ attrs, inputs, outputs }: NodeOf<'Loop'>) => {
    const states = inputs.length - 2;
    if (states < 0) bad('it lacks its trip count or condition; both may be empty but must be there');
    checkBody('body', attrs.body, inputs.length, 1 + atLeast(attrs.body.outputs.length - 1, Math.max(states, outputs.length)));
  },
  Scan: ({ attrs, inputs, outputs }: NodeOf<'Scan'>) => {
    const { body, num_scan_inputs: scanned } = attrs;
    const states = inputs.length - scanned;
    if (scanned < 1 || states < 0) bad(`it has ${inputs.length} inputs, of which ${scanned} are to be scanned`);
    checkBody('body', body, inputs.length, atLeast(body.outputs.length, Math.max(states, outputs.length)));
    const lists = [
      ['scan_input_axes', attrs.scan_input_axes, scanned],
      ['scan_input_directions', attrs.scan_input_directions, scanned],
      ['scan_output_axes', attrs.scan_output_axes, body.outputs.length - states],
      ['scan_output_directions', attrs.scan_output_directions, body.outputs.length - states],
    ] as const;
    for (const [name, list, count] of lists) if (list !== undefined && list.length !== count) bad(`its ${name} has ${list.length} entries where ${count} are needed`);
  },
  SequenceMap: ({ attrs, inputs, outputs }: NodeOf<'SequenceMap'>) => checkBody('body', attrs.body, inputs.length, atLeast(attrs.body.outputs.length, outputs.length)),
};

/** Throws `bad-model`. */
export function checkControl(node: Node): void {
  if (node.op === 'If') rules.If(node);
  if (node.op === 'Loop') rules.Loop(node);
  if (node.op === 'Scan') rules.Scan(node);
  if (node.op === 'SequenceMap') rules.SequenceMap(node);
}
