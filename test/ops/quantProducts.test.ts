// Products of quantised tensors: decompositions against the reference, with every place that zero points may have, exact in 32 bits.
import { describe, expect, it } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { createSource, expectAgreement, lowerOne, numbers, reference } from './rules.ts';

const random = createSource(11);
const ranges = { u8: [0, 255], i8: [-128, 127] } as const;
const bytes = (dtype: 'u8' | 'i8', shape: readonly number[]): NumericTensor => random(dtype, shape, ...ranges[dtype]);
const pairs = [
  ['u8', 'i8'],
  ['u8', 'u8'],
  ['i8', 'i8'],
  ['i8', 'u8'],
] as const;
const scale = (value: number): NumericTensor => tensorFrom('f32', [], [value]);

/** Machines that multiply matrices of i8, and those that multiply words. */
const machines = ['matrices', 'bytes', 'shorts'] as const;
/** And those that have nothing for small integers. */
const allMachines = [undefined, ...machines] as const;

describe.each(pairs.flatMap(([x, w]) => allMachines.map((integers) => [x, w, integers] as const)))('%s by %s, %s', (x, w, integers) => {
  it.each([
    [[5, 7], [7, 6], [], []],
    [[5, 7], [7, 6], [5], [6]],
    [[2, 5, 7], [7, 6], [], [6]],
    [
      [2, 5, 7],
      [7, 6],
      [2, 5, 1],
      [1, 6],
    ],
    [
      [2, 5, 7],
      [2, 7, 6],
      [2, 5, 1],
      [2, 1, 6],
    ],
    [[7], [7, 6], [], []],
    [[5, 7], [7], [], []],
    [[7], [7], [], []],
  ])('MatMulInteger of %j and %j, zero points %j and %j', (a, b, atA, atB) => {
    expectAgreement({ integers, op: 'MatMulInteger', inputs: [bytes(x, a), bytes(w, b), bytes(x, atA), bytes(w, atB)] });
    expectAgreement({ integers, op: 'MatMulInteger', inputs: [bytes(x, a), bytes(w, b), null, bytes(w, atB)] });
    expectAgreement({ integers, op: 'MatMulInteger', inputs: [bytes(x, a), bytes(w, b), bytes(x, atA), null] });
    expectAgreement({ integers, op: 'MatMulInteger', inputs: [bytes(x, a), bytes(w, b)] });
  });

  it.each([
    [[1, 3, 8, 7], [4, 3, 3, 3], { pads: [1, 1, 1, 1] }, []],
    [[2, 4, 8, 7], [6, 2, 3, 2], { pads: [0, 1, 2, 1], strides: [2, 1], group: 2 }, [6]],
    [[1, 4, 9], [4, 1, 3], { pads: [2, 2], dilations: [2], group: 4 }, [4]],
    [[1, 3, 5, 5], [2, 3, 1, 1], {}, []],
    [[1, 2, 4, 4, 4], [3, 2, 2, 2, 2], { auto_pad: 'SAME_UPPER' }, [3]],
  ] as const)('ConvInteger of %j and %j, %j', (data, filter, attrs, at) => {
    for (const inputs of [[bytes(x, []), bytes(w, at)], [null, bytes(w, at)], [bytes(x, [])], []])
      expectAgreement({ integers, op: 'ConvInteger', attrs, inputs: [bytes(x, data), bytes(w, filter), ...inputs] });
  });

  it('QLinearMatMul and QLinearConv', () => {
    const y: NumericDType = x;
    expectAgreement({
      integers,
      op: 'QLinearMatMul',
      inputs: [bytes(x, [4, 9]), scale(0.01), bytes(x, []), bytes(w, [9, 5]), scale(0.02), bytes(w, []), scale(0.5), bytes(y, [])],
    });
    expectAgreement({
      integers,
      op: 'QLinearConv',
      attrs: { pads: [1, 1, 1, 1] },
      inputs: [
        bytes(x, [1, 3, 6, 6]),
        scale(0.01),
        bytes(x, []),
        bytes(w, [4, 3, 3, 3]),
        tensorFrom('f32', [4], [0.01, 0.02, 0.03, 0.04]),
        bytes(w, [4]),
        scale(0.25),
        bytes(y, []),
        random('i32', [4], -999, 999),
      ],
    });
  });
});

/** Integers and what dequantises them, per tensor or along an axis. */
interface Quantised {
  readonly values: NumericTensor;
  readonly scale: NumericTensor;
  readonly zero: NumericTensor;
  readonly axis: number;
}
const quantised = (dtype: 'u8' | 'i8', shape: readonly number[], axis?: number): Quantised => {
  const at = axis === undefined ? [] : [shape[axis]!];
  return { values: bytes(dtype, shape), scale: random('f32', at, 0.01, 0.1), zero: bytes(dtype, at), axis: axis ?? 0 };
};
describe('what was dequantised', () => {
  const cases = {
    'MatMul, both per tensor': { op: 'MatMul', x: quantised('u8', [2, 5, 40]), y: quantised('i8', [40, 9]) },
    'MatMul, rows and columns': { op: 'MatMul', x: quantised('i8', [5, 40], 0), y: quantised('u8', [40, 9], 1) },
    'MatMul, scales along the sum': { op: 'MatMul', x: quantised('i8', [5, 40], 1), y: quantised('u8', [40, 9], 0), floats: true },
    'Gemm, turned': { op: 'Gemm', attrs: { transB: 1, alpha: 0.5 }, x: quantised('u8', [5, 40]), y: quantised('i8', [9, 40], 0) },
    'Conv, per filter': { op: 'Conv', attrs: { pads: [1, 1, 1, 1], strides: [2, 1] }, x: quantised('u8', [1, 6, 9, 8]), y: quantised('i8', [7, 6, 3, 3], 0) },
    'Conv in groups': { op: 'Conv', attrs: { pads: [2, 0], group: 2 }, x: quantised('i8', [2, 6, 17]), y: quantised('u8', [4, 3, 3]) },
    'Conv of one channel in each group': { op: 'Conv', attrs: { group: 3 }, x: quantised('u8', [1, 3, 9, 9]), y: quantised('i8', [3, 1, 3, 3], 0), floats: true },
    'more products than 32 bits hold': { op: 'MatMul', x: quantised('u8', [1, 33_100]), y: quantised('u8', [33_100, 2]), floats: true },
  } as const;

  it.each(Object.entries(cases))('is multiplied as integers where that is exact: %s', (_, one) => {
    const attrs = 'attrs' in one ? one.attrs : {};
    const { x, y } = one;
    const floats = [x, y].map(({ values, scale, zero, axis }) => reference({ op: 'DequantizeLinear', attrs: { axis }, inputs: [values, scale, zero] })[0]!);
    const expected = numbers({ op: one.op, attrs, inputs: floats });
    for (const integers of machines) {
      const b = createBuilder(createFolder(), integers);
      const tensors = [x, y].flatMap(({ values, scale, zero }) => [values, scale, zero]);
      const operands = tensors.map((t, i) => b.input(t, `x${i}`));
      const inputs = [x, y].map(({ axis }, i) => lowerOne(b, { op: 'DequantizeLinear', attrs: { axis } }, operands.slice(3 * i, 3 * i + 3)));
      const graph = b.finish('dequantised', operands, [lowerOne(b, { op: one.op, attrs }, inputs)]);
      const sums = graph.nodes.filter(({ op }) => op === 'matmul' || op === 'conv').map(({ outputs }) => outputs[0]!.dtype);
      expect(sums.every((dtype) => dtype === ('floats' in one ? 'f32' : 'i32'))).toBe(true);
      const [actual] = interpretPrims(graph, tensors);
      expect(actual!.shape).toEqual(expected.shape);
      const largest = Math.max(...expected.values.map(Math.abs));
      toNumbers(actual!).forEach((value, i) => expect(Math.abs(value - expected.values[i]!)).toBeLessThanOrEqual(1e-6 * largest));
    }
  });
});
