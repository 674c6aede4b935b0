// Sequences and optionals: positions from both ends, parts and joins that undo each other, and what the specification forbids.
import { describe, expect, it } from 'vitest';
import { intTensor, scalar, stringTensor, tensorFrom } from '../../src/core/tensor.ts';
import type { HostValue } from '../../src/graph/graph.ts';
import { expectAgreement, reference } from './rules.ts';

const [a, b, c] = [10, 20, 30].map((value) => tensorFrom('f32', [2], [value, value + 1]));
const list = [a!, b!, c!];
const at = (position: number): HostValue => scalar('i64', position);

describe('sequences', () => {
  it('are built, grown and shrunk at positions from either end', () => {
    expect(reference({ op: 'SequenceConstruct', inputs: list })).toEqual([list]);
    expect(reference({ op: 'SequenceInsert', inputs: [[a!, b!], c!, at(-2)] })).toEqual([[c, a, b]]);
    expect(reference({ op: 'SequenceInsert', inputs: [[a!, b!], c!, at(2)] })).toEqual([list]);
    expect(reference({ op: 'SequenceInsert', inputs: [[], c!] })).toEqual([[c]]);
    expect(reference({ op: 'SequenceErase', inputs: [list, at(-3)] })).toEqual([[b, c]]);
    expect(reference({ op: 'SequenceErase', inputs: [list, null] })).toEqual([[a, b]]);
    expect(reference({ op: 'SequenceAt', inputs: [list, at(-1)] })).toEqual([c]);
    expect(reference({ op: 'SequenceLength', inputs: [list] })).toEqual([scalar('i64', 3)]);
  });

  it('refuse positions outside and mixed dtypes', () => {
    for (const position of [3, -4]) expect(() => reference({ op: 'SequenceAt', inputs: [list, at(position)] })).toThrow(/position/);
    expect(() => reference({ op: 'SequenceInsert', inputs: [list, a!, at(4)] })).toThrow(/position/);
    expect(() => reference({ op: 'SequenceErase', inputs: [[]] })).toThrow(/position/);
    expect(() => reference({ op: 'SequenceConstruct', inputs: [a!, intTensor([1])] })).toThrow(/f32 and i64/);
  });

  it('split a tensor and join it again', () => {
    const x = tensorFrom('i32', [2, 5], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    for (const split of [at(2), intTensor([1, 0, 4]), null]) {
      const parts = reference({ op: 'SplitToSequence', attrs: { axis: -1 }, inputs: [x, split] })[0]!;
      expect(reference({ op: 'ConcatFromSequence', attrs: { axis: 1 }, inputs: [parts] })).toEqual([x]);
    }
    const columns = reference({ op: 'SplitToSequence', attrs: { axis: 1, keepdims: 0 }, inputs: [x, null] })[0]!;
    expect(columns).toHaveLength(5);
    expect(reference({ op: 'ConcatFromSequence', attrs: { axis: -1, new_axis: 1 }, inputs: [columns] })).toEqual([x]);
    expect(() => reference({ op: 'SplitToSequence', attrs: { axis: 1 }, inputs: [x, intTensor([1, 1])] })).toThrow();
  });

  it('hold texts too', () => {
    const texts = stringTensor([2, 2], ['a', 'b', 'c', 'd']);
    const parts = reference({ op: 'SplitToSequence', inputs: [texts] })[0]!;
    expect(parts).toEqual([stringTensor([1, 2], ['a', 'b']), stringTensor([1, 2], ['c', 'd'])]);
    expect(reference({ op: 'ConcatFromSequence', attrs: { axis: 1 }, inputs: [parts] })).toEqual([stringTensor([1, 4], ['a', 'b', 'c', 'd'])]);
  });
});

describe('optionals', () => {
  it('are there or not', () => {
    for (const value of [a!, list, null]) {
      expect(reference({ op: 'Optional', inputs: [value] })).toEqual([value]);
      expect(reference({ op: 'OptionalHasElement', inputs: [value] })).toEqual([scalar('bool', value === null ? 0 : 1)]);
    }
    expect(reference({ op: 'OptionalGetElement', inputs: [list] })).toEqual([list]);
    expect(() => reference({ op: 'OptionalGetElement', inputs: [null] })).toThrow(/empty/);
  });

  it('that are tensors cost a device nothing', () => {
    expectAgreement({ op: 'OptionalGetElement', inputs: [a!] });
    expectAgreement({ op: 'OptionalHasElement', inputs: [a!] });
    expectAgreement({ op: 'OptionalHasElement', inputs: [null] });
  });
});
