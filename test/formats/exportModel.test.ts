// A graph written as an ONNX file and read again is the same graph: names, types, attributes, constants, bodies and what they capture.
import { describe, expect, it } from 'vitest';
import { storedIn } from '../../src/core/stored.ts';
import { tensorFrom, stringTensor } from '../../src/core/tensor.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import { constantOf, tensorType } from '../../src/graph/graph.ts';
import type { Graph, Node, Value } from '../../src/graph/graph.ts';
import { interpretGraph } from '../../src/reference/interpret.ts';

const float32 = (shape: readonly number[], values: readonly number[]) => tensorFrom('f32', shape, values);
const value = (name: string, type?: Value['type']): Value => ({ name, type });
const roundTrip = (graph: Graph): Graph => importModel(exportModel(graph)).graph;

describe('exportModel', () => {
  it('keeps a branch that captures from around it', () => {
    const [x, cond, y] = [value('x', tensorType('f32', ['n'])), value('cond', tensorType('bool', [])), value('y', tensorType('f32', ['n']))];
    const two = value('two');
    const branch = (op: 'Mul' | 'Add'): Graph => {
      const out = value('out', tensorType('f32', ['n']));
      return { name: op, inputs: [], outputs: [out], nodes: [{ op, name: op, attrs: {}, inputs: [x, two], outputs: [out] }], constants: new Map() };
    };
    const node: Node = { op: 'If', name: 'choice', attrs: { then_branch: branch('Mul'), else_branch: branch('Add') }, inputs: [cond], outputs: [y] };
    const graph: Graph = { name: 'g', inputs: [x, cond], outputs: [y], nodes: [node], constants: new Map([[two, constantOf(tensorFrom('f32', [], [2]))]]) };
    const again = roundTrip(graph);
    expect(again.inputs.map(({ name, type }) => ({ name, type }))).toEqual([x, cond]);
    for (const [flag, expected] of [
      [1, [6, 8]],
      [0, [5, 6]],
    ] as const) {
      const outputs = interpretGraph(again, [float32([2], [3, 4]), tensorFrom('bool', [], [flag])]);
      expect(outputs).toEqual([float32([2], expected)]);
    }
  });

  it('keeps large constants in another file where it is told to', () => {
    const [x, y, w, b] = [value('x', tensorType('f32', [2])), value('y', tensorType('f32', [2])), value('w'), value('b')];
    const sum = value('sum');
    const nodes: Node[] = [
      { op: 'Mul', name: 'm', attrs: {}, inputs: [x, w], outputs: [sum] },
      { op: 'Add', name: 'a', attrs: {}, inputs: [sum, b], outputs: [y] },
    ];
    const constants = new Map([
      [w, constantOf(float32([2], [2, 3]))],
      [b, constantOf(float32([1], [1]))],
    ]);
    const kept: Uint8Array[] = [];
    const external = {
      takes: ({ bytes }: { readonly bytes: number }) => bytes > 4,
      write: (bytes: Uint8Array) => {
        kept.push(bytes);
        return { location: 'weights.bin', offset: 16, length: bytes.length };
      },
    };
    const file = exportModel({ name: 'g', inputs: [x], outputs: [y], nodes, constants }, { external });
    expect(kept).toEqual([new Uint8Array(Float32Array.of(2, 3).buffer)]);
    const read = importModel(file, { external: ({ location, offset }) => storedIn(location === 'weights.bin' && offset === 16 ? kept[0]! : new Uint8Array(8)) });
    expect(interpretGraph(read.graph, [float32([2], [10, 20])])).toEqual([float32([2], [21, 61])]);
  });

  it('gives clashing names a number and keeps those of inputs and outputs', () => {
    const [x, y, inner, same] = [value('x', tensorType('f32', [2])), value('y', tensorType('f32', [2])), value('y'), value('y')];
    const nodes: Node[] = [
      { op: 'Neg', name: 'a', attrs: {}, inputs: [x], outputs: [inner] },
      { op: 'Exp', name: 'b', attrs: {}, inputs: [inner], outputs: [same] },
      { op: 'Abs', name: 'c', attrs: {}, inputs: [same], outputs: [y] },
    ];
    const again = roundTrip({ name: 'g', inputs: [x], outputs: [y], nodes, constants: new Map() });
    expect(again.nodes.map(({ outputs }) => outputs[0]?.name)).toEqual(['y.1', 'y.2', 'y']);
    expect(again.outputs[0]?.name).toBe('y');
  });

  it('keeps attributes of every kind, omitted inputs and constants of strings and of four bits', () => {
    const [x, y, words, small] = [value('x', tensorType('string', [1])), value('y', tensorType('i64', [1])), value('words'), value('small')];
    const encoder = { keys_strings: ['a', 'b'], values_int64s: [1, -2], default_int64: 7 };
    const blank = { classes_strings: undefined, cats_strings: undefined };
    const attrs = {
      ...blank, keys_floats: undefined, keys_int64s: undefined, keys_tensor: undefined, values_floats: undefined, values_strings: undefined, values_tensor: undefined,
      default_float: 0, default_string: '_Unused', default_tensor: undefined, ...encoder,
    }; // prettier-ignore
    const constants = new Map([
      [words, constantOf(stringTensor([2], ['ä', '']))],
      [small, constantOf(tensorFrom('i4', [3], [-8, 7, 1]))],
    ]);
    const again = roundTrip({ name: 'g', inputs: [x], outputs: [y], nodes: [{ op: 'LabelEncoder', name: 'e', attrs, inputs: [x], outputs: [y] }], constants });
    expect(again.nodes[0]?.attrs).toMatchObject(encoder);
    expect([...again.constants].map(([v, constant]) => [v.name, constant.read()])).toEqual([...constants].map(([v, constant]) => [v.name, constant.read()]));
  });

  it('writes bytes that say what wrote them', () => {
    const x = value('x', tensorType('f32', ['n', 2]));
    const model = importModel(exportModel({ name: 'g', inputs: [x], outputs: [x], nodes: [], constants: new Map() }, { producer: 'me', metadata: new Map([['k', 'v']]) }));
    expect([model.producer, [...model.metadata], model.opsets.get('')]).toEqual(['me', [['k', 'v']], 25]);
  });
});
