// Model-local functions: written out in place, with omitted inputs and attributes that a call gives, leaves to the function, or leaves out.
import { expect, it } from 'vitest';
import { numberReader, tensorFrom } from '../../src/core/tensor.ts';
import type { MessageInit } from '../../src/formats/onnx/messages.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import { typeToProto } from '../../src/formats/onnx/types.ts';
import { writeMessage } from '../../src/formats/onnx/writeMessage.ts';
import { isTensor, tensorType } from '../../src/graph/graph.ts';
import { interpretGraph } from '../../src/reference/interpret.ts';

type NodeInit = MessageInit<'NodeProto'>;

/** y of a model over x = [-4, 0, 4] and high = 2, whose functions are in the domain 'local'. */
function run(functions: readonly MessageInit<'FunctionProto'>[], call: NodeInit): number[] {
  const value = (name: string, shape: readonly number[]) => ({ name, type: typeToProto(tensorType('f32', shape)) });
  const model = writeMessage('ModelProto', {
    irVersion: 10n,
    opsetImport: [{ domain: '', version: 21n }, { domain: 'local', version: 1n }], // prettier-ignore
    functions: functions.map((f) => ({ domain: 'local', opsetImport: [{ domain: '', version: 21n }], ...f })),
    graph: { name: 'calls', node: [{ domain: 'local', output: ['y'], ...call }], input: [value('x', [3]), value('high', [])], output: [value('y', [3])] },
  });
  const { graph } = importModel(model);
  const [y] = interpretGraph(graph, [tensorFrom('f32', [3], [-4, 0, 4]), tensorFrom('f32', [], [2])]);
  if (!isTensor(y!) || y.dtype === 'string') throw new Error('not numbers');
  return Array.from({ length: 3 }, (_, i) => numberReader(y)(i));
}

const bound = { name: 'Bound', input: ['a', 'low', 'high'], output: ['b'], node: [{ opType: 'Clip', input: ['a', 'low', 'high'], output: ['b'] }] };

it('an input that the call omits is omitted inside', () => {
  expect(run([bound], { opType: 'Bound', input: ['x', '', 'high'] })).toEqual([-4, 0, 2]);
  expect(run([bound], { opType: 'Bound', input: ['x', 'high'] })).toEqual([2, 2, 4]);
});

it('attributes come from the call, else from the function, else from the operator', () => {
  const leaky = (rest: object) => ({
    name: 'Leaky',
    input: ['a'],
    output: ['b'],
    node: [{ opType: 'LeakyRelu', input: ['a'], output: ['b'], attribute: [{ name: 'alpha', refAttrName: 'slope', type: 1 }] }],
    ...rest,
  });
  const call = { opType: 'Leaky', input: ['x'] };
  expect(run([leaky({ attribute: ['slope'] })], { ...call, attribute: [{ name: 'slope', type: 1, f: 0.25 }] })).toEqual([-1, 0, 4]);
  expect(run([leaky({ attributeProto: [{ name: 'slope', type: 1, f: 0.5 }] })], call)).toEqual([-2, 0, 4]);
  expect(run([leaky({ attribute: ['slope'] })], call)[0]).toBeCloseTo(-0.04);
  // Writers may leave out a zero.
  expect(run([leaky({ attribute: ['slope'] })], { ...call, attribute: [{ name: 'slope', type: 1 }] })).toEqual([-0, 0, 4]);
});

it('functions call functions, and none calls itself', () => {
  const outer = {
    name: 'Outer',
    input: ['a', 'h'],
    output: ['c'],
    node: [{ domain: 'local', opType: 'Bound', input: ['a', '', 'h'], output: ['c'] }],
    opsetImport: [{ domain: 'local', version: 1n }],
  };
  expect(run([bound, outer], { opType: 'Outer', input: ['x', 'high'] })).toEqual([-4, 0, 2]);
  expect(() => run([{ ...outer, name: 'Bound' }], { opType: 'Bound', input: ['x', 'high'] })).toThrow(/calls itself/);
});
