// The verifier of graphs: what builders make has no problems, and each way to break a graph is found and named.
import { describe, expect, it } from 'vitest';
import { tensorFrom } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Operand, PrimGraph, PrimNode } from '../../src/graph/builder.ts';
import { constantOf, tensorType } from '../../src/graph/graph.ts';
import type { Graph, Node, Value } from '../../src/graph/graph.ts';
import { verifyGraph, verifyPrimGraph } from '../../src/graph/verify.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { randomGraph } from '../schedule/randomGraph.ts';

describe('verifyPrimGraph', () => {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: [2, 3] }, 'x');
  const w = b.constant(tensorFrom('f32', [3], [1, 2, 3]));
  const sum = b.add(x, w);
  const graph = b.finish('graph', [x], [b.reduce('sum', b.exp(sum), [1])]);
  const [add, exp, reduce] = graph.nodes as [PrimNode, PrimNode, PrimNode];
  const other = (type: Partial<Operand>): Operand => ({ ...sum, ...type });

  it('finds nothing wrong with what the builder makes', () => {
    expect(verifyPrimGraph(graph)).toEqual([]);
    for (let seed = 0; seed < 30; seed++) expect(verifyPrimGraph(randomGraph(seed, 20).graph)).toEqual([]);
  });

  it.each<readonly [string, Partial<PrimGraph>, RegExp]>([
    ['nodes out of order', { nodes: [exp, add, reduce] }, /unary\d* uses '.*' before it is defined/],
    ['a value defined twice', { nodes: [add, add, exp, reduce] }, /is defined by binary\d* and before it/],
    ['a missing node', { nodes: [add, reduce] }, /before it is defined/],
    ['an output that nobody makes', { nodes: [add, exp] }, /the output '.*' is not defined/],
    ['another shape', { nodes: [{ ...add, outputs: [other({ shape: [3, 2] })] } as PrimNode, exp, reduce] }, /is f32 \[3, 2\], binary\d* gives f32 \[2, 3\]/],
    ['another dtype', { nodes: [{ ...add, outputs: [other({ dtype: 'f64' })] } as PrimNode, exp, reduce] }, /and its type says otherwise/],
    ['operands that do not fit', { nodes: [{ ...add, inputs: [x, graph.outputs[0]!] } as PrimNode, exp, reduce] }, /before it is defined/],
    ['a constant of another shape', { constants: new Map([[w, constantOf(tensorFrom('f32', [2], [1, 2]))]]) }, /its constant is f32 \[2\]/],
  ])('finds %s', (_, changes, problem) => {
    expect(verifyPrimGraph({ ...graph, ...changes }).join('\n')).toMatch(problem);
  });
});

describe('verifyGraph', () => {
  const value = (name: string): Value => ({ name, type: tensorType('f32', undefined) });
  const [a, c, y, z] = ['a', 'c', 'y', 'z'].map(value) as [Value, Value, Value, Value];
  const node = (op: string, inputs: readonly (Value | null)[], outputs: readonly Value[], attrs: object = {}): Node => ({ op, name: op, attrs, inputs, outputs }) as Node;
  const graphOf = (nodes: readonly Node[], outputs: readonly Value[] = [y], inputs: readonly Value[] = [a, c]): Graph => ({
    name: 'g',
    inputs,
    outputs,
    nodes,
    constants: new Map(),
  });
  const body = (nodes: readonly Node[], output: Value): Graph => graphOf(nodes, [output], []);
  const branches = (then: Graph): Node => node('If', [c], [y], { then_branch: then, else_branch: body([node('Neg', [a], [z])], z) });

  it('accepts captures of values that are known', () => {
    expect(verifyGraph(graphOf([node('Relu', [a], [y])]))).toEqual([]);
    expect(verifyGraph(graphOf([branches(body([node('Relu', [a], [z])], z))]))).toEqual([]);
  });

  it('finds captures that dangle, values used early or made twice, and missing inputs', () => {
    const late = value('late');
    expect(verifyGraph(graphOf([branches(body([node('Relu', [late], [z])], z)), node('Relu', [a], [late])]))).toEqual([
      expect.stringMatching(/If 'If': Relu 'Relu' uses 'late' before it is defined/),
    ]);
    expect(verifyGraph(graphOf([node('Relu', [z], [y])]))).toEqual([expect.stringMatching(/uses 'z' before/)]);
    expect(verifyGraph(graphOf([node('Relu', [a], [y]), node('Neg', [a], [y])]))).toEqual([expect.stringMatching(/'y' is defined by Neg 'Neg' and before it/)]);
    expect(verifyGraph(graphOf([node('Add', [a, null], [y])]))).toEqual([expect.stringMatching(/the input B is missing/)]);
    expect(verifyGraph(graphOf([], [y]))).toEqual(["the output 'y' is not defined"]);
  });
});
