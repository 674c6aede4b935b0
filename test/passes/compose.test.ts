// Primitives written as operators of ONNX mean the same: written to a file of an early opset, read back and run by the reference, they give
// what the primitives give. Nodes of a model stay whole where the opset has them.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { specializeFor } from '../../src/compile.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { isIn } from '../../src/formats/onnx/forms.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { binaryFns, compareFns, unaryFns } from '../../src/graph/prims.ts';
import { compose } from '../../src/passes/compose/compose.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretGraph } from '../../src/reference/interpret.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { bindingsFor } from '../../src/session/bindings.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { createRandom, randomGraph, randomTensor } from '../schedule/randomGraph.ts';

const OPSET = 18;
const written = (graph: PrimGraph) =>
  importModel(
    exportModel(
      compose({ graph, origins: new Map(), wholes: [] }, () => false),
      { opset: OPSET },
    ),
  );

function expectSame(graph: PrimGraph, inputs: readonly NumericTensor[]): void {
  const model = written(graph);
  expect(model.opsets.get('')).toBe(OPSET);
  const actual = interpretGraph(model.graph, inputs);
  expect(actual).toEqual(interpretPrims(graph, inputs));
}

function graphOf(types: readonly Parameters<Builder['input']>[0][], build: (b: Builder, ...xs: Operand[]) => readonly Operand[]): PrimGraph {
  const b = createBuilder(createFolder());
  const inputs = types.map((type, i) => b.input(type, `x${i}`));
  return b.finish('problem', inputs, build(b, ...inputs));
}
const random = createRandom(7);
const expectBuilt = (types: readonly Parameters<Builder['input']>[0][], build: (b: Builder, ...xs: Operand[]) => readonly Operand[]): void =>
  expectSame(
    graphOf(types, build),
    types.map(({ dtype, shape }) => randomTensor(random, dtype, shape)),
  );

describe('primitives as operators', () => {
  it('of random graphs give what the primitives give', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const { graph, inputs } = randomGraph(seed, 14);
      expectSame(graph, inputs);
    }
  });

  const floats = { dtype: 'f32', shape: [3, 4] } as const;
  it.each(unaryFns.filter((fn) => fn !== 'not' && fn !== 'bitNot'))('%s', (fn) => expectBuilt([floats], (b, x) => [b[fn](x)]));
  it('not, bitNot, neg of dtypes of their own', () => {
    expectBuilt([{ dtype: 'bool', shape: [5] }], (b, x) => [b.not(x)]);
    expectBuilt([{ dtype: 'u8', shape: [5] }], (b, x) => [b.bitNot(x), b.neg(x)]);
  });
  it.each(binaryFns.filter((fn) => !['and', 'or', 'xor', 'shl', 'shr'].includes(fn)))('%s', (fn) => {
    expectBuilt([floats, { dtype: 'f32', shape: [4] }], (b, x, y) => [b[fn](b.add(x, b.scalar('f32', 10)), b.add(y, b.scalar('f32', 5)))]);
    expectBuilt([floats, { dtype: 'f32', shape: [4] }], (b, x, y) => (fn === 'pow' ? [x] : [b[fn](x, b.add(y, b.scalar('f32', 0.5)))]));
    expectBuilt(
      [
        { dtype: 'i32', shape: [3, 4] },
        { dtype: 'i32', shape: [1] },
      ],
      (b, x, y) => [b[fn](x, b.add(b.abs(y), b.scalar('i32', 1)))],
    );
    expectBuilt(
      [
        { dtype: 'u8', shape: [3, 4] },
        { dtype: 'u8', shape: [1] },
      ],
      (b, x, y) => [b[fn](x, b.add(y, b.scalar('u8', 1)))],
    );
  });
  it.each(['and', 'or', 'xor'] as const)('%s', (fn) => {
    expectBuilt(
      [
        { dtype: 'bool', shape: [9] },
        { dtype: 'bool', shape: [9] },
      ],
      (b, x, y) => [b[fn](x, y)],
    );
    expectBuilt(
      [
        { dtype: 'u16', shape: [9] },
        { dtype: 'u16', shape: [1] },
      ],
      (b, x, y) => [b[fn](x, y), b.shl(x, y), b.shr(x, y)],
    );
  });
  it.each(compareFns)('%s', (fn) => {
    for (const dtype of ['f32', 'i8', 'bool'] as const)
      expectBuilt(
        [
          { dtype, shape: [9] },
          { dtype, shape: [9] },
        ],
        (b, x, y) => [b[fn](x, y)],
      );
  });
  it.each(['sum', 'prod', 'max', 'min'] as const)('reduce %s', (fn) => {
    for (const dtype of ['f32', 'i64', 'u8', 'i16'] as const) expectBuilt([{ dtype, shape: [2, 3, 4] }], (b, x) => [b.reduce(fn, x, [0, 2])]);
    if (fn === 'max' || fn === 'min') expectBuilt([{ dtype: 'bool', shape: [2, 3] }], (b, x) => [b.reduce(fn, x, [1])]);
  });
  it('running sums, extremes, order', () => {
    expectBuilt([{ dtype: 'i8', shape: [3, 5] }], (b, x) => [b.scan('sum', x, 1, { exclusive: true }), b.scan('sum', x, 0, { reverse: true })]);
    expectBuilt([floats], (b, x) => [b.argReduce('max', x, 1, true), b.argReduce('min', x, 0), ...b.topK(x, 1, 2, false)]);
  });
  it('products and convolutions of floats and integers, with sums of another dtype', () => {
    for (const dtype of ['f32', 'i32'] as const) {
      expectBuilt(
        [
          { dtype, shape: [2, 3, 4] },
          { dtype, shape: [1, 4, 5] },
        ],
        (b, x, y) => [b.matmul(x, y)],
      );
      const place = { strides: [2, 1], dilations: [1, 2], low: [1, 0], high: [0, 1], groups: 2 };
      expectBuilt(
        [
          { dtype, shape: [1, 4, 7, 6] },
          { dtype, shape: [6, 2, 3, 2] },
        ],
        (b, x, w) => [b.conv(x, w, { ...place, acc: dtype })],
      );
    }
    expectBuilt(
      [
        { dtype: 'i8', shape: [3, 4] },
        { dtype: 'i8', shape: [4, 5] },
      ],
      (b, x, y) => [b.matmul(x, y, 'i32')],
    );
  });
  it('windows, pads, steps backwards, coordinates', () => {
    expectBuilt([{ dtype: 'f32', shape: [2, 7, 6] }], (b, x) => [
      b.window(x, [
        { axis: 1, size: 3, stride: 2, dilation: 1 },
        { axis: 2, size: 2, stride: 1, dilation: 3 },
      ]),
      b.pad(x, [0, 1, 2], [1, 0, 0], b.scalar('f32', 9)),
      b.slice(x, [1, 6, 0], [2, 3, 3], [-1, -3, 2]),
      b.iota('f32', [3, 2], 0),
    ]);
  });
  it('gathers and scatters of rows, points and scalars', () => {
    const at = (b: Builder, values: readonly number[]): Operand => b.constant(tensorFrom('i32', [values.length, 1], values));
    expectBuilt([{ dtype: 'f32', shape: [5, 4] }], (b, x) => [b.gather(x, [{ index: 0 }, { axis: 1 }], [at(b, [4, -1, 0])], [3, 4])]);
    expectBuilt(
      [
        { dtype: 'i32', shape: [5, 4] },
        { dtype: 'i32', shape: [2, 4] },
      ],
      (b, x, y) => [b.scatter('add', x, y, [{ index: 0 }, { axis: 1 }], [at(b, [3, 3])]), b.scatter('replace', x, y, [{ index: 0 }, { axis: 1 }], [at(b, [1, -2])])],
    );
  });

  it('are refused, all at once, where the opset has no form for them', () => {
    const graph = graphOf([floats], (b, x) => [b.bitcast(x, 'i32'), b.scan('prod', x, 0)]);
    expect(() => written(graph)).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringMatching(/2 nodes have no form in opset 18:\n.*BitCast.*26\n.*CumProd.*26/) }),
    );
  });
});

describe('nodes of a model', () => {
  it('stay whole where the opset has them', async () => {
    const { graph } = importModel(readFileSync('examples/models/digits.onnx'));
    const image = randomTensor(random, 'f32', [1, 1, 32, 32]);
    const values = new Map([['image', image]]);
    const [step] = specializeFor(graph, resolveTarget('cpu'), bindingsFor(graph, values)).steps;
    if (step?.kind !== 'device') throw new Error('no device program');
    const whole = compose(step, (node) => isIn(node, OPSET));
    expect(whole.nodes.map(({ op }) => op)).toEqual(graph.nodes.map(({ op }) => op));
    const again = importModel(exportModel(whole, { opset: OPSET })).graph;
    expect(interpretGraph(again, [image])).toEqual(interpretGraph(graph, [image]));
  });
});
