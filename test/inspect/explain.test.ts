// What `explain` shows is what a run compiles: the same allowances, the same choices.
import { expect, it } from 'vitest';
import { tensorType } from '../../src/graph/graph.ts';
import type { Graph, Value } from '../../src/graph/graph.ts';
import { explain, kernelSource } from '../../src/inspect/explain.ts';
import { createCudaTarget } from '../../src/targets/cuda/target.ts';

const SIZE = 256;
const value = (name: string): Value => ({ name, type: tensorType('f32', [SIZE, SIZE]) });
const [a, b, product] = [value('a'), value('b'), value('product')];
const graph: Graph = {
  name: 'product',
  inputs: [a, b],
  outputs: [product],
  nodes: [{ op: 'MatMul', name: 'multiply', attrs: {}, inputs: [a, b], outputs: [product] }],
  constants: new Map(),
};
const bindings = graph.inputs.map(() => ({ type: { dtype: 'f32', shape: [SIZE, SIZE] } as const, value: undefined }));

it('shows the kernels that an allowance gives', () => {
  const target = createCudaTarget();
  const { kernel } = explain(graph, target, bindings).programs[0]!.calls[0]!;
  expect(kernelSource(graph, target, bindings, kernel)).not.toMatch(/tf32/);
  const allowed = { allow: ['tf32'] } as const;
  const named = explain(graph, target, bindings, allowed).programs[0]!.calls[0]!.kernel;
  expect(kernelSource(graph, target, bindings, named, allowed)).toMatch(/tf32/);
});

it('asks the same of whoever decides what schedules leave open', () => {
  const asked: string[] = [];
  const decide = ({ key, ways }: { readonly key: string; readonly ways: readonly string[] }): number => {
    asked.push(key);
    return ways.length - 1;
  };
  const target = createCudaTarget();
  const [first, last] = [explain(graph, target, bindings), explain(graph, target, bindings, { decide })];
  expect(asked.length).toBeGreaterThan(0);
  const sources = [
    kernelSource(graph, target, bindings, first.programs[0]!.calls[0]!.kernel),
    kernelSource(graph, target, bindings, last.programs[0]!.calls[0]!.kernel, { decide }),
  ];
  expect(sources[0]).not.toBe(sources[1]);
});
