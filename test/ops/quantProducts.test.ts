// Products of quantised tensors: decompositions against the reference, with every place that zero points may have, exact in 32 bits.
import { describe, it } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createSource, expectAgreement } from './rules.ts';

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
const machines = [undefined, 'bytes', 'shorts'] as const;

describe.each(pairs.flatMap(([x, w]) => machines.map((words) => [x, w, words] as const)))('%s by %s, words of %s', (x, w, words) => {
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
    expectAgreement({ words, op: 'MatMulInteger', inputs: [bytes(x, a), bytes(w, b), bytes(x, atA), bytes(w, atB)] });
    expectAgreement({ words, op: 'MatMulInteger', inputs: [bytes(x, a), bytes(w, b), null, bytes(w, atB)] });
    expectAgreement({ words, op: 'MatMulInteger', inputs: [bytes(x, a), bytes(w, b), bytes(x, atA), null] });
    expectAgreement({ words, op: 'MatMulInteger', inputs: [bytes(x, a), bytes(w, b)] });
  });

  it.each([
    [[1, 3, 8, 7], [4, 3, 3, 3], { pads: [1, 1, 1, 1] }, []],
    [[2, 4, 8, 7], [6, 2, 3, 2], { pads: [0, 1, 2, 1], strides: [2, 1], group: 2 }, [6]],
    [[1, 4, 9], [4, 1, 3], { pads: [2, 2], dilations: [2], group: 4 }, [4]],
    [[1, 3, 5, 5], [2, 3, 1, 1], {}, []],
    [[1, 2, 4, 4, 4], [3, 2, 2, 2, 2], { auto_pad: 'SAME_UPPER' }, [3]],
  ] as const)('ConvInteger of %j and %j, %j', (data, filter, attrs, at) => {
    for (const inputs of [[bytes(x, []), bytes(w, at)], [null, bytes(w, at)], [bytes(x, [])], []])
      expectAgreement({ words, op: 'ConvInteger', attrs, inputs: [bytes(x, data), bytes(w, filter), ...inputs] });
  });

  it('QLinearMatMul and QLinearConv', () => {
    const y: NumericDType = x;
    expectAgreement({
      words,
      op: 'QLinearMatMul',
      inputs: [bytes(x, [4, 9]), scale(0.01), bytes(x, []), bytes(w, [9, 5]), scale(0.02), bytes(w, []), scale(0.5), bytes(y, [])],
    });
    expectAgreement({
      words,
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
