// The norm family: values from the specification, and decompositions against the reference.
import { describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { intTensor, scalar, tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { normUpgrades } from '../../src/formats/onnx/upgrade/norm.ts';
import type { RawAttr, RawNode } from '../../src/formats/onnx/upgrade/upgrade.ts';
import { createSource, decomposed, expectAgreement, numbers, reference } from './rules.ts';

const random = createSource(11);
const f32 = (shape: readonly number[], values: readonly number[]): NumericTensor => tensorFrom('f32', shape, values);
const close = (actual: readonly number[], expected: readonly number[]): void => {
  expect(actual.length).toBe(expected.length);
  actual.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 5));
};
const floats = ['f32', 'f16', 'bf16', 'f64'] as const;

describe('values', () => {
  it('of softmax, its logarithm and its limit', () => {
    const x = f32([1, 3], [-1, 0, 1]);
    close(numbers({ op: 'Softmax', inputs: [x] }).values, [0.09003058, 0.24472848, 0.66524094]);
    close(numbers({ op: 'LogSoftmax', inputs: [x] }).values, [-2.407606, -1.407606, -0.407606]);
    close(numbers({ op: 'Softmax', inputs: [f32([2, 2], [1e4, 1e4 + 1, -1e4, -1e4])] }).values, [0.26894143, 0.73105858, 0.5, 0.5]);
    expect(numbers({ op: 'Hardmax', inputs: [f32([2, 3], [1, 3, 3, -1, -1, -5])] }).values).toEqual([0, 1, 0, 1, 0, 0]);
  });
  it('of normalisations', () => {
    const x = f32([1, 2, 1, 2], [1, 3, 10, 30]);
    close(numbers({ op: 'InstanceNormalization', attrs: { epsilon: 0 }, inputs: [x, f32([2], [1, 2]), f32([2], [0, 5])] }).values, [-1, 1, 3, 7]);
    close(numbers({ op: 'LayerNormalization', attrs: { epsilon: 0 }, inputs: [f32([1, 2], [1, 3]), f32([2], [2, 2]), null] }).values, [-2, 2]);
    close(numbers({ op: 'LayerNormalization', attrs: { epsilon: 0 }, inputs: [f32([1, 2], [1, 5]), f32([2], [2, 2]), null], outputs: 3 }, 2).values, [0.5]);
    close(numbers({ op: 'RMSNormalization', attrs: { epsilon: 0 }, inputs: [f32([1, 2], [3, 4]), f32([2], [1, 1])] }).values, [3 / Math.sqrt(12.5), 4 / Math.sqrt(12.5)]);
    close(numbers({ op: 'LpNormalization', inputs: [f32([2, 2], [3, 4, 0, 0])] }).values, [0.6, 0.8, 0, 0]);
    close(numbers({ op: 'LpNormalization', attrs: { p: 1 }, inputs: [f32([1, 2], [-3, 1])] }).values, [-0.75, 0.25]);
  });
  it('of batch normalisation in inference and training', () => {
    const inputs = [f32([2, 1, 2], [1, 2, 3, 4]), f32([1], [2]), f32([1], [1]), f32([1], [2.5]), f32([1], [4])];
    close(numbers({ op: 'BatchNormalization', attrs: { epsilon: 0 }, inputs }).values, [-0.5, 0.5, 1.5, 2.5]);
    const training = { op: 'BatchNormalization', attrs: { epsilon: 0, training_mode: 1, momentum: 0.9 }, inputs, outputs: 3 } as const;
    close(numbers(training, 1).values, [2.5]);
    close(numbers(training, 2).values, [4 * 0.9 + 1.25 * 0.1]);
  });
  it('of losses', () => {
    const logs = f32([2, 3], [-1, -2, -3, -4, -5, -6]);
    const call = { op: 'NegativeLogLikelihoodLoss', inputs: [logs, intTensor([2, 0]), f32([3], [1, 1, 3])] } as const;
    close(numbers(call).values, [(9 + 4) / 4]);
    close(numbers({ ...call, attrs: { reduction: 'sum' } }).values, [13]);
    close(numbers({ ...call, attrs: { reduction: 'none' } }).values, [9, 4]);
    close(numbers({ ...call, attrs: { ignore_index: 2 } }).values, [4]);
    close(numbers({ op: 'SoftmaxCrossEntropyLoss', inputs: [f32([1, 3], [-1, 0, 1]), intTensor([2])] }).values, [0.407606]);
  });
});

describe('decompositions', () => {
  it('of softmax and its kin', () => {
    for (const op of ['Softmax', 'LogSoftmax', 'Hardmax'] as const) {
      for (const dtype of floats) for (const axis of [0, 1, -1]) expectAgreement({ op, attrs: { axis }, inputs: [random(dtype, [3, 4, 5], -5, 5)] });
    }
    expectAgreement({ op: 'Softmax', inputs: [f32([1, 3], [1e30, -Infinity, 0])] });
  });
  it('of normalisations', () => {
    for (const dtype of floats) {
      const x = random(dtype, [2, 6, 3, 2]);
      const [scale, bias] = [random(dtype, [6]), random(dtype, [6])];
      expectAgreement({ op: 'InstanceNormalization', inputs: [x, scale, bias] });
      expectAgreement({ op: 'GroupNormalization', attrs: { num_groups: 3, epsilon: 1e-3 }, inputs: [x, scale, bias] });
      expectAgreement({ op: 'MeanVarianceNormalization', inputs: [x] });
      expectAgreement({ op: 'MeanVarianceNormalization', attrs: { axes: [-1, 1] }, inputs: [x] });
      for (const p of [1, 2]) expectAgreement({ op: 'LpNormalization', attrs: { p, axis: 1 }, inputs: [x] });
      for (const size of [1, 2, 3, 5, 9]) expectAgreement({ op: 'LRN', attrs: { size, alpha: 0.5, beta: 0.6, bias: 2 }, inputs: [x] });
      for (const axis of [0, 2, -1]) {
        const shape = [2, 6, 3, 2].slice(axis);
        expectAgreement({ op: 'LayerNormalization', attrs: { axis }, inputs: [x, random(dtype, shape), random(dtype, shape)], outputs: 3 });
        expectAgreement({ op: 'RMSNormalization', attrs: { axis }, inputs: [x, random(dtype, shape.slice(-1))] });
      }
    }
  });
  it('of batch normalisation, with parameters of another dtype', () => {
    for (const [dtype, other] of [
      ['f32', 'f32'],
      ['f16', 'f32'],
      ['f64', 'f64'],
    ] as const) {
      for (const shape of [[4, 3, 2, 2], [5, 3], [6]]) {
        const channels = [shape[1] ?? 1];
        const inputs = [random(dtype, shape), random(other, channels), random(other, channels), random(other, channels), random(other, channels, 0.5, 1)];
        expectAgreement({ op: 'BatchNormalization', inputs });
        expectAgreement({ op: 'BatchNormalization', attrs: { training_mode: 1, momentum: 0.7 }, inputs, outputs: 3 });
      }
    }
  });
  it('of losses, with weights and labels that do not count', () => {
    for (const dtype of ['f32', 'f16'] as const) {
      for (const spatial of [[], [4], [2, 3]]) {
        const count = spatial.reduce((a, b) => a * b, 2);
        const labels = tensorFrom(
          'i32',
          [2, ...spatial],
          Array.from({ length: count }, (_, i) => (i % 3 === 1 ? -1 : i % 5)),
        );
        for (const reduction of ['none', 'sum', 'mean']) {
          for (const weights of [null, random(dtype, [5], 0.1, 1)]) {
            const inputs = [random(dtype, [2, 5, ...spatial]), labels, weights];
            expectAgreement({ op: 'NegativeLogLikelihoodLoss', attrs: { reduction, ignore_index: -1 }, inputs });
            expectAgreement({ op: 'SoftmaxCrossEntropyLoss', attrs: { reduction, ignore_index: -1 }, inputs, outputs: 2 });
          }
        }
      }
    }
  });
});

describe('dropout', () => {
  const x = random('f32', [50, 40]);
  it('changes nothing in inference', () => {
    expectAgreement({ op: 'Dropout', inputs: [x, scalar('f32', 0.5), scalar('bool', 0)], outputs: 2 });
    expectAgreement({ op: 'Dropout', inputs: [x], outputs: 2 });
    expectAgreement({ op: 'Dropout', inputs: [x, null, null], outputs: 2 });
  });
  it('drops and scales in training, on the host', () => {
    const call = { op: 'Dropout', attrs: { seed: 3 }, inputs: [x, scalar('f32', 0.25), scalar('bool', 1)], outputs: 2 } as const;
    expect(decomposed(call)).toMatch(/random/);
    const [y, mask] = [numbers(call).values, numbers(call, 1).values];
    toNumbers(x).forEach((v, i) => expect(y[i]).toBeCloseTo(mask[i] === 1 ? v / 0.75 : 0, 5));
    const kept = mask.filter((m) => m === 1).length / mask.length;
    expect(Math.abs(kept - 0.75)).toBeLessThan(0.05);
  });
});

it('refuses what does not fit', () => {
  const x = random('f32', [2, 3, 4]);
  expect(() => reference({ op: 'Softmax', attrs: { axis: 3 }, inputs: [x] })).toThrow(AnychipError);
  expect(() => decomposed({ op: 'Softmax', attrs: { axis: 3 }, inputs: [x] })).toThrow(AnychipError);
  expect(() => decomposed({ op: 'InstanceNormalization', inputs: [x, random('f32', [4]), random('f32', [3])] })).toThrow(/scale/);
  expect(() => reference({ op: 'GroupNormalization', attrs: { num_groups: 2 }, inputs: [x, random('f32', [3]), random('f32', [3])] })).toThrow(/groups/);
  expect(() => reference({ op: 'NegativeLogLikelihoodLoss', inputs: [x, intTensor([9, 0, 0, 0, 0, 0, 0, 0], [2, 4]), null] })).toThrow(/label 9/);
  expect(() => decomposed({ op: 'NegativeLogLikelihoodLoss', attrs: { reduction: 'most' }, inputs: [x, intTensor([0, 0], [2, 1]), null] })).toThrow(AnychipError);
});

describe('upgrades', () => {
  const upgrade = (op: string, opset: number, node: Partial<RawNode>): readonly RawNode[] => {
    const full: RawNode = { domain: '', op, name: '', inputs: ['x'], outputs: ['y'], attrs: new Map(), ...node };
    return normUpgrades[op]!(full, { opset, fresh: (hint) => hint, constant: () => 'c' });
  };
  const int = (value: number): RawAttr => ({ kind: 'int', value });
  it('of softmax flatten', () => {
    expect(upgrade('Softmax', 11, {}).map((n) => n.op)).toEqual(['Shape', 'Flatten', 'Softmax', 'Reshape']);
    expect(upgrade('Softmax', 13, {}).map((n) => n.op)).toEqual(['Softmax']);
  });
  it('of batch normalisation tell training by the outputs', () => {
    const attrs = new Map([
      ['is_test', int(1)],
      ['spatial', int(1)],
    ]);
    const [inference] = upgrade('BatchNormalization', 7, { attrs });
    expect([...inference!.attrs]).toEqual([['training_mode', int(0)]]);
    const [training] = upgrade('BatchNormalization', 9, { outputs: ['y', 'm', 'v', 'sm', 'sv'] });
    expect(training!.outputs).toEqual(['y', 'm', 'v']);
    expect(training!.attrs.get('training_mode')).toEqual(int(1));
  });
  it('of group normalisation repeat the parameters of a group', () => {
    const nodes = upgrade('GroupNormalization', 18, { inputs: ['x', 's', 'b'], attrs: new Map([['num_groups', int(2)]]) });
    expect(nodes.at(-1)!.inputs).toEqual(['x', 'vector', 'vector']);
  });
  it('of dropout lose the ratio', () => {
    const [node] = upgrade('Dropout', 7, { attrs: new Map<string, RawAttr>([['ratio', { kind: 'float', value: 0.5 }]]) });
    expect(node!.attrs.size).toBe(0);
  });
});
