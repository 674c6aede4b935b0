// Reductions of nothing, and of integers whose sums leave their width.
import { expect, it } from 'vitest';
import { integerRange } from '../../src/core/dtype.ts';
import { bigintReader, numeric, stringTensor, tensorFrom } from '../../src/core/tensor.ts';
import { isTensor } from '../../src/graph/graph.ts';
import { expectAgreement, numbers, reference } from './rules.ts';

it.each(['i64', 'u64', 'i32', 'u8'] as const)('the extreme of no %s is the other end of its range', (dtype) => {
  const nothing = tensorFrom(dtype, [2, 0], []);
  for (const [op, end] of [
    ['ReduceMax', 'min'],
    ['ReduceMin', 'max'],
  ] as const) {
    // prettier-ignore
    const y = reference({ op, inputs: [nothing, tensorFrom('i64', [1], [1])] })[0]!;
    if (!isTensor(y)) throw new Error('not a tensor');
    expect(bigintReader(numeric(y))(1)).toBe(integerRange(dtype)[end]);
    expectAgreement({ op, inputs: [nothing, tensorFrom('i64', [1], [1])] });
  }
});

it('sums of integers wrap, whatever they pass through', () => {
  const x = tensorFrom('u32', [3], [4294967295, 4294967294, 3]);
  // (−1)² + (−2)² + 3² modulo 2^32.
  expect(numbers({ op: 'ReduceSumSquare', inputs: [x] }).values).toEqual([14]);
  expect(numbers({ op: 'ReduceProd', inputs: [x] }).values).toEqual([6]);
  for (const op of ['ReduceSum', 'ReduceProd', 'ReduceSumSquare', 'ReduceL1', 'ReduceMax'] as const) expectAgreement({ op, inputs: [x] });
});

it('NonZero of texts finds those that are not empty', () => {
  expect(numbers({ op: 'NonZero', inputs: [stringTensor([2, 2], ['', 'a', 'b', ''])] })).toEqual({ shape: [2, 2], values: [0, 1, 1, 0] });
});
