// Control flow: the first Scan, over a batch of sequences of different lengths, and SequenceMap.
import { expect, it } from 'vitest';
import { intTensor, tensorFrom } from '../../src/core/tensor.ts';
import { controlUpgrades } from '../../src/formats/onnx/upgrade/control.ts';
import type { RawAttr, RawNode } from '../../src/formats/onnx/upgrade/upgrade.ts';
import { tensorType } from '../../src/graph/graph.ts';
import type { Graph, Node, Value } from '../../src/graph/graph.ts';
import { numbers, reference } from './rules.ts';

const value = (name: string): Value => ({ name, type: tensorType('f32', undefined) });

/** s + x, twice: as the next state and as this step's output. */
function runningSum(): Graph {
  const [s, x, next, y] = ['s', 'x', 'next', 'y'].map(value);
  const add: Node = { op: 'Add', name: '', attrs: {}, inputs: [s!, x!], outputs: [next!] };
  const copy: Node = { op: 'Identity', name: '', attrs: {}, inputs: [next!], outputs: [y!] };
  return { name: 'sum', inputs: [s!, x!], outputs: [next!, y!], nodes: [add, copy], constants: new Map() };
}

function firstScan(inputs: readonly string[], directions?: readonly number[]) {
  const attrs = new Map<string, RawAttr>([
    ['body', { kind: 'graph', value: runningSum() }],
    ['num_scan_inputs', { kind: 'int', value: 1 }],
  ]);
  if (directions !== undefined) attrs.set('directions', { kind: 'ints', value: directions });
  const raw: RawNode = { domain: '', op: 'Scan', name: '', inputs, outputs: ['final', 'all'], attrs };
  const context = { opset: 8, fresh: (hint: string) => hint, constant: () => 'constant' };
  const [node] = controlUpgrades['Scan']!(raw, context);
  const [body, count] = [node!.attrs.get('body'), node!.attrs.get('num_scan_inputs')];
  if (body?.kind !== 'graph' || count?.kind !== 'int') throw new Error('no body');
  return { op: 'Scan', attrs: { body: body.value, num_scan_inputs: count.value }, outputs: 2 } as const;
}

const [states, sequences] = [tensorFrom('f32', [2, 1], [0, 100]), tensorFrom('f32', [2, 3, 1], [1, 2, 3, 4, 5, 6])];

it('Scan of opset 8 runs every sequence of a batch', () => {
  const call = { ...firstScan(['', 's', 'x']), inputs: [states, sequences] };
  expect(numbers(call)).toEqual({ shape: [2, 1], values: [6, 115] });
  expect(numbers(call, 1)).toEqual({ shape: [2, 3, 1], values: [1, 3, 6, 104, 109, 115] });
});

it('Scan of opset 8 stops at the length of each sequence, also from its end', () => {
  const lengths = intTensor([2, 1]);
  expect(numbers({ ...firstScan(['n', 's', 'x']), inputs: [lengths, states, sequences] }, 1).values).toEqual([1, 3, 0, 104, 0, 0]);
  expect(numbers({ ...firstScan(['n', 's', 'x'], [1]), inputs: [lengths, states, sequences] }, 1).values).toEqual([2, 3, 0, 104, 0, 0]);
});

it('SequenceMap gives the body one element of each sequence, and whole tensors', () => {
  const [a, b, one] = [1, 2, 10].map((x) => tensorFrom('f32', [1], [x]));
  const body = runningSum();
  expect(reference({ op: 'SequenceMap', attrs: { body }, inputs: [[a!, b!], one!], outputs: 2 })[1]).toEqual([11, 12].map((x) => tensorFrom('f32', [1], [x])));
  expect(() => reference({ op: 'SequenceMap', attrs: { body }, inputs: [[a!], [a!, b!]], outputs: 2 })).toThrow(/lengths/);
});
