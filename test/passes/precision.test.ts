// Models whose floats are narrowed: what computes in which precision, that interfaces stay, that answers stay near those of f32, and that
// what a narrow float cannot hold is named.
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { elementCount } from '../../src/core/shape.ts';
import { numberReader, tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { compareValues } from '../../src/conformance/compare.ts';
import { runCase } from '../../src/conformance/runCase.ts';
import { listCases } from '../../src/conformance/suite.ts';
import { toleranceFor } from '../../src/conformance/tolerances.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import { constantOf, subgraphsOf, tensorType } from '../../src/graph/graph.ts';
import type { Constant, Graph, HostValue, Node, Value } from '../../src/graph/graph.ts';
import { verifyGraph } from '../../src/graph/verify.ts';
import { lowerPrecision } from '../../src/passes/precision/lowerPrecision.ts';
import { precisions } from '../../src/passes/precision/narrow.ts';
import { interpretGraph } from '../../src/reference/interpret.ts';
import { openModel } from '../../src/session/create.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { devices } from '../session/models.ts';

const f32 = (name: string, shape: readonly number[]): Value => ({ name, type: tensorType('f32', shape) });
const untyped = (name: string): Value => ({ name, type: undefined });
/** Numbers that no narrow float holds exactly. */
const input = (shape: readonly number[], seed = 5): NumericTensor =>
  tensorFrom(
    'f32',
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(seed * 1000 + i) / 2),
  );
const random = (seed: number, shape: readonly number[]): Constant => constantOf(input(shape, seed));

/** y = softmax(relu(x · w + b) · v, with a mask added), as an exporter writes it. */
function classifier(mask: number): Graph {
  const [x, y] = [f32('x', [4, 24]), f32('y', [4, 10])];
  const [w, b, v, m] = [untyped('w'), untyped('b'), untyped('v'), untyped('mask')];
  const [product, sum, hidden, scores, masked] = ['product', 'sum', 'hidden', 'scores', 'masked'].map(untyped);
  const nodes: Node[] = [
    { op: 'MatMul', name: 'first', attrs: {}, inputs: [x, w], outputs: [product!] },
    { op: 'Add', name: 'bias', attrs: {}, inputs: [product!, b], outputs: [sum!] },
    { op: 'Relu', name: '', attrs: {}, inputs: [sum!], outputs: [hidden!] },
    { op: 'MatMul', name: 'second', attrs: {}, inputs: [hidden!, v], outputs: [scores!] },
    { op: 'Add', name: 'hide', attrs: {}, inputs: [scores!, m], outputs: [masked!] },
    { op: 'Softmax', name: 'choose', attrs: { axis: -1 }, inputs: [masked!], outputs: [y] },
  ];
  const hides = constantOf(
    tensorFrom(
      'f32',
      [10],
      Array.from({ length: 10 }, (_, i) => (i === 3 ? mask : 0)),
    ),
  );
  const constants = new Map([
    [w, random(1, [24, 32])],
    [b, random(2, [32])],
    [v, random(3, [32, 10])],
    [m, hides],
  ]);
  return { name: 'classifier', inputs: [x], outputs: [y], nodes, constants };
}

/** y = exp(x · w) · w: of numbers beyond 11.1 too much for f16. */
function growing(): Graph {
  const [x, y] = [f32('x', [1, 2]), f32('y', [1, 2])];
  const [w, product, power] = [f32('w', [2, 2]), untyped('product'), untyped('power')];
  const nodes: Node[] = [
    { op: 'MatMul', name: 'scale', attrs: {}, inputs: [x, w], outputs: [product] },
    { op: 'Exp', name: 'powers', attrs: {}, inputs: [product], outputs: [power] },
    { op: 'MatMul', name: 'mix', attrs: {}, inputs: [power, w], outputs: [y] },
  ];
  return { name: 'growing', inputs: [x], outputs: [y], nodes, constants: new Map([[w, constantOf(tensorFrom('f32', [2, 2], [1, 0, 0, 1]))]]) };
}

/** y = x · w or x · w + x, by a condition that a run brings: w and the product are taken from around the bodies. */
function branching(): Graph {
  const [x, y, z, w, c, product] = [f32('x', [3, 3]), f32('y', [3, 3]), f32('z', [3, 3]), untyped('w'), { name: 'c', type: tensorType('bool', []) }, untyped('product')];
  const body = (name: string, node: (output: Value) => Node): Graph => {
    const output = f32(name, [3, 3]);
    return { name, inputs: [], outputs: [output], nodes: [node(output)], constants: new Map() };
  };
  const attrs = {
    then_branch: body('plain', (output) => ({ op: 'Identity', name: 'same', attrs: {}, inputs: [product], outputs: [output] })),
    else_branch: body('more', (output) => ({ op: 'Add', name: 'sum', attrs: {}, inputs: [product, x], outputs: [output] })),
  };
  const nodes: Node[] = [
    { op: 'MatMul', name: 'product', attrs: {}, inputs: [x, w], outputs: [product] },
    { op: 'If', name: 'choose', attrs, inputs: [c], outputs: [y] },
    { op: 'MatMul', name: 'again', attrs: {}, inputs: [y, w], outputs: [z] },
  ];
  return { name: 'branching', inputs: [x, c], outputs: [z], nodes, constants: new Map([[w, random(1, [3, 3])]]) };
}

const dtypesOf = (graph: Graph, precision: (typeof precisions)[number] = 'f16') =>
  Object.fromEntries(lowerPrecision(graph, precision).nodes.map(({ title, dtype, reason }) => [title, reason === '' ? dtype : `${dtype}: ${reason}`]));

const largest = (actual: HostValue, expected: HostValue): number => compareValues(actual, expected, () => ({ rtol: 0, atol: Infinity, scaled: 0, shapeOnly: false })).largest;

describe('a graph in a narrow float', () => {
  it('multiplies narrow, keeps what outgrows it wide, and lets the rest go along', () => {
    expect(dtypesOf(classifier(-1))).toEqual({
      'MatMul first': 'f16',
      'Add bias': 'f16',
      'Relu hidden': 'f16',
      'MatMul second': 'f16',
      'Add hide': 'f16',
      'Softmax choose': 'f32',
    });
    expect(dtypesOf(growing(), 'bf16')).toEqual({ 'MatMul scale': 'bf16', 'Exp powers': 'f32', 'MatMul mix': 'bf16' });
  });

  it('keeps f32 where a constant does not fit, and says which', () => {
    expect(dtypesOf(classifier(-1e9))).toMatchObject({
      'MatMul second': 'f16',
      'Add hide': "f32: its constant 'mask' reaches 1.00e+9, f16 no further than 65504",
      'Softmax choose': 'f32',
    });
    expect(dtypesOf(classifier(-1e9), 'bf16')).toMatchObject({ 'Add hide': 'bf16' });
  });

  it.each(precisions)('is valid, has its interface unchanged, and its weights narrow: %s', (precision) => {
    for (const graph of [classifier(-1e9), growing(), branching()]) {
      const lowered = lowerPrecision(graph, precision).graph;
      expect(verifyGraph(lowered)).toEqual([]);
      expect(lowered.inputs).toEqual(graph.inputs);
      expect(lowered.outputs).toEqual(graph.outputs);
      const used = new Set(lowered.nodes.flatMap((node) => [...node.inputs, ...subgraphsOf(node).flatMap((body) => body.nodes.flatMap(({ inputs }) => inputs))]));
      const weights = [...lowered.constants].filter(([value]) => used.has(value));
      expect(weights.filter(([, { dtype }]) => dtype === precision).length).toBeGreaterThan(0);
      for (const [, constant] of weights) expect(constant.read()).toMatchObject({ dtype: constant.dtype, shape: constant.shape, data: { byteLength: constant.bytes } });
    }
  });

  it('casts once what bodies of control flow take from around them, and gives the same answers', () => {
    const graph = branching();
    const lowered = lowerPrecision(graph, 'f16').graph;
    for (const condition of [0, 1]) {
      const feeds = [input([3, 3]), tensorFrom('bool', [], [condition])];
      const [expected] = interpretGraph(graph, feeds);
      expect(largest(interpretGraph(lowered, feeds)[0]!, expected!)).toBeLessThan(0.02);
    }
    // x, and y for the last product; the sum in the body takes x as it is and widens the product.
    expect(lowered.nodes.filter(({ op }) => op === 'Cast').map(({ name }) => name)).toEqual(['x as f16', 'y as f16', 'z as f32']);
  });

  it('reads what defaults bring as a constant only where nothing can be fed', () => {
    const graph = growing();
    const [w] = graph.constants.keys();
    const lowered = lowerPrecision({ ...graph, inputs: [...graph.inputs, w!] }, 'f16').graph;
    expect(lowered.nodes.map(({ name }) => name)).toContain('w as f16');
    expect(verifyGraph(lowered)).toEqual([]);
  });
});

const storageOf = (device: string): readonly string[] => (device === 'reference' ? precisions : resolveTarget(device).capabilities.storage);

it('is refused by a device that has no such floats', async () => {
  const without = devices.find((device) => !storageOf(device).includes('bf16'));
  if (without === undefined) return;
  await expect(openModel(importModel(exportModel(classifier(-1))), { executionProviders: [without], precision: 'bf16' })).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringMatching(/has no bf16/),
  });
});

describe.each(devices)('a narrowed model on %s', (device) => {
  const open = (graph: Graph, precision: (typeof precisions)[number]) => openModel(importModel(exportModel(graph)), { executionProviders: [device], precision });

  it.each(precisions.filter((precision) => storageOf(device).includes(precision)))('stays near f32, and takes and gives f32: %s', async (precision) => {
    const graph = classifier(-1e9);
    const x = input([4, 24]);
    const [expected] = interpretGraph(graph, [x]);
    const session = await open(graph, precision);
    const actual = (await session.runValues(new Map([['x', x]]))).get('y')!;
    expect(compareValues(actual, expected!, (tensor) => toleranceFor(new Set(['MatMul']), tensor.dtype, precision)).mismatch).toBeUndefined();
    // It is another sum than that of f32, or nothing was narrowed.
    expect(largest(actual, expected!)).toBeGreaterThan(1e-6);
    const [narrow] = interpretGraph(lowerPrecision(graph, precision).graph, [x]);
    expect(largest(actual, narrow!)).toBeLessThan(precision === 'f16' ? 1e-3 : 1e-2);
    await session.release();
  });

  it('keeps in f32 what a run finds beyond the range of f16, and says so', async () => {
    const session = await open(growing(), 'f16');
    const run = async (x: readonly number[]) => numberReader((await session.runValues(new Map([['x', tensorFrom('f32', [1, 2], x)]]))).get('y') as NumericTensor);
    expect((await run([1, 2]))(0)).toBeCloseTo(Math.E, 2);
    expect(session.widened).toEqual([]);
    expect((await run([1, 12]))(1) / Math.exp(12)).toBeCloseTo(1, 2);
    expect(session.widened.map(({ title }) => title)).toEqual(['Exp powers', 'MatMul mix']);
    expect(session.widened[0]!.reach).toBeCloseTo(Math.exp(12), -1);
    expect((await run([-1e5, 0]))(1)).toBeCloseTo(1, 2);
    expect(session.widened.map(({ title }) => title)).toEqual(['Exp powers', 'MatMul mix', "the input 'x'", 'MatMul scale']);
    // Infinite in f32 as well: the model's own.
    expect((await run([1, 100]))(1)).toBe(Infinity);
    await session.release();
  });

  it('keeps in f32 what runs side by side find', async () => {
    const session = await open(growing(), 'f16');
    const runs = [11.5, 12, 13, 14, 2].map(
      async (x) => numberReader((await session.runValues(new Map([['x', tensorFrom('f32', [1, 2], [1, x])]]))).get('y') as NumericTensor)(1) / Math.exp(x),
    );
    for (const ratio of await Promise.all(runs)) expect(ratio).toBeCloseTo(1, 1);
    await session.release();
  });
});

const suite = ['/usr/share/libonnx-testdata/data', '/usr/local/share/libonnx-testdata/data'].find((folder) => existsSync(folder));

/** Of ONNX's own suite every case that the reference passes, in f16: each operator's rule says the right dtypes. */
describe.skipIf(suite === undefined)("operators of ONNX's suite in f16", () => {
  it('give what they give in f32, within the bound of f16', async () => {
    const failed: string[] = [];
    for (const [i, test] of listCases(suite!, '*').entries()) {
      if (i % 2 > 0) continue;
      const [wide, narrow] = [await runCase(test, { device: 'reference' }), await runCase(test, { device: 'reference', precision: 'f16' })];
      if (wide.kind === 'passed' && narrow.kind !== 'passed') failed.push(`${test.name}: ${narrow.kind === 'failed' ? narrow.message : narrow.kind}`);
    }
    expect(failed).toEqual([]);
  }, 120_000);
});
