// The conv family: values from the specification, and decompositions against the reference.
import { describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { intTensor, tensorFrom } from '../../src/core/tensor.ts';
import { convUpgrades } from '../../src/formats/onnx/upgrade/conv.ts';
import { createSource, expectAgreement, numbers, reference } from './rules.ts';

const random = createSource(7);
const f32 = (shape: readonly number[], values: readonly number[]) => tensorFrom('f32', shape, values);
const count = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);

describe('values', () => {
  it('convolves with padding and stride', () => {
    const x = f32([1, 1, 5, 5], count(25));
    const w = f32(
      [1, 1, 3, 3],
      count(9).map(() => 1),
    );
    expect(numbers({ op: 'Conv', attrs: { strides: [2, 2], pads: [1, 1, 1, 1] }, inputs: [x, w, null] })).toEqual({
      shape: [1, 1, 3, 3],
      values: [12, 27, 24, 63, 108, 81, 72, 117, 84],
    });
    expect(numbers({ op: 'Conv', attrs: { strides: [2, 2], auto_pad: 'SAME_LOWER' }, inputs: [x, w, null] }).values).toEqual([12, 27, 24, 63, 108, 81, 72, 117, 84]);
  });
  it('scatters transposed convolutions', () => {
    const x = f32([1, 1, 2, 2], [1, 2, 3, 4]);
    const w = f32([1, 1, 2, 2], [1, 1, 1, 1]);
    expect(numbers({ op: 'ConvTranspose', attrs: { strides: [2, 2] }, inputs: [x, w, null] }).values).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
    expect(numbers({ op: 'ConvTranspose', attrs: { strides: [2, 2], output_shape: [5, 5] }, inputs: [x, w, null] }).shape).toEqual([1, 1, 5, 5]);
  });
  it('finds maxima and their places', () => {
    const x = f32([1, 1, 5, 5], count(25, 1));
    const call = { op: 'MaxPool', attrs: { kernel_shape: [2, 2], strides: [2, 2] }, inputs: [x], outputs: 2 } as const;
    expect(numbers(call).values).toEqual([7, 9, 17, 19]);
    expect(numbers(call, 1).values).toEqual([6, 8, 16, 18]);
    expect(numbers({ ...call, attrs: { ...call.attrs, storage_order: 1 } }, 1).values).toEqual([6, 16, 8, 18]);
  });
  it('drops windows of ceil_mode that start in the padding', () => {
    const x = f32([1, 1, 2, 2], [1, 2, 3, 4]);
    const attrs = { kernel_shape: [1, 1], strides: [2, 2], ceil_mode: 1 };
    expect(numbers({ op: 'MaxPool', attrs, inputs: [x] })).toEqual({ shape: [1, 1, 1, 1], values: [1] });
    expect(numbers({ op: 'AveragePool', attrs: { ...attrs, pads: [0, 0, 1, 1], count_include_pad: 1 }, inputs: [x] }).shape).toEqual([1, 1, 1, 1]);
  });
  it('counts padding only where the model asks for it', () => {
    const x = f32([1, 1, 2, 2], [1, 2, 3, 4]);
    const attrs = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
    expect(numbers({ op: 'AveragePool', attrs, inputs: [x] }).values).toEqual([2.5, 2.5, 2.5, 2.5]);
    expect(numbers({ op: 'AveragePool', attrs: { ...attrs, count_include_pad: 1 }, inputs: [x] }).values[0]).toBeCloseTo(10 / 9);
  });
  it('puts maxima back', () => {
    const x = f32([1, 1, 2, 2], [1, 2, 3, 4]);
    const places = intTensor([5, 7, 13, 15], [1, 1, 2, 2]);
    const attrs = { kernel_shape: [2, 2], strides: [2, 2] };
    expect(numbers({ op: 'MaxUnpool', attrs, inputs: [x, places, null] }).values).toEqual([0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 3, 0, 4]);
    const grown = numbers({ op: 'MaxUnpool', attrs, inputs: [x, places, intTensor([1, 1, 5, 5])] });
    expect(grown.values.flatMap((v, i) => (v === 0 ? [] : [i]))).toEqual([6, 8, 16, 18]);
  });
  it('adds columns into images', () => {
    const columns = f32([1, 4, 4], count(16, 1));
    expect(numbers({ op: 'Col2Im', inputs: [columns, intTensor([3, 3]), intTensor([2, 2])] })).toEqual({ shape: [1, 1, 3, 3], values: [1, 7, 6, 12, 34, 22, 11, 27, 16] });
  });
  it('deforms nothing by offsets of zero', () => {
    const [x, w] = [random('f32', [1, 2, 4, 4]), random('f32', [2, 2, 3, 3])];
    const plain = numbers({ op: 'Conv', attrs: { pads: [1, 1, 1, 1] }, inputs: [x, w, null] }).values;
    const deformed = numbers({
      op: 'DeformConv',
      attrs: { pads: [1, 1, 1, 1] },
      inputs: [
        x,
        w,
        f32(
          [1, 18, 4, 4],
          count(288).map(() => 0),
        ),
        null,
        null,
      ],
    }).values;
    plain.forEach((v, i) => expect(deformed[i]).toBeCloseTo(v, 5));
  });
});

describe('decompositions', () => {
  const places = [
    { group: 1, strides: [1, 1], dilations: [1, 1], pads: [1, 2, 0, 1] },
    { group: 2, strides: [2, 2], dilations: [1, 1], auto_pad: 'SAME_UPPER' },
    { group: 1, strides: [2, 1], dilations: [2, 2], auto_pad: 'SAME_LOWER' },
    { group: 2, strides: [3, 2], dilations: [1, 3], auto_pad: 'VALID' },
  ];
  // Taps that meet nothing but padding: at both ends of one axis, at the beginning of the other.
  const idle = [
    { group: 1, strides: [1, 1], dilations: [9, 10], pads: [9, 10, 9, 0] },
    { group: 2, strides: [2, 3], dilations: [12, 7], pads: [13, 2, 12, 9] },
  ];
  it.each([...places, ...idle])('Conv $strides $dilations', (attrs) => {
    for (const dtype of ['f32', 'f16'] as const)
      expectAgreement({ op: 'Conv', attrs, inputs: [random(dtype, [2, 4, 9, 8]), random(dtype, [6, 4 / attrs.group, 3, 2]), random(dtype, [6])] });
  });
  it.each([...places, { group: 1, strides: [3, 3], output_shape: [10, 8] }, { group: 1, strides: [2, 3], output_padding: [1, 2], pads: [0, 1, 1, 0] }])(
    'ConvTranspose $strides',
    (attrs) => {
      expectAgreement({ op: 'ConvTranspose', attrs, inputs: [random('f32', [2, 4, 4, 3]), random('f32', [4, 3, 3, 2]), random('f32', [3 * attrs.group])] });
    },
  );
  it('pools', () => {
    for (const ceil_mode of [0, 1]) {
      for (const flag of [0, 1]) {
        const attrs = { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 1, 1], dilations: [1, 2], ceil_mode };
        expectAgreement({ op: 'AveragePool', attrs: { ...attrs, count_include_pad: flag }, inputs: [random('f32', [1, 2, 8, 7])] });
        expectAgreement({ op: 'MaxPool', attrs: { ...attrs, storage_order: flag }, inputs: [random('i8', [1, 2, 8, 7], -99, 99)], outputs: 2 });
        expectAgreement({ op: 'MaxPool', attrs: { ...attrs, storage_order: flag }, inputs: [random('f16', [2, 2, 8, 7])], outputs: 2 });
        expectAgreement({ op: 'LpPool', attrs: { ...attrs, p: 1 + 2 * flag }, inputs: [random('f32', [1, 2, 8, 7])] });
      }
    }
  });
  it('pools over whole planes', () => {
    for (const dtype of ['f32', 'bf16', 'f64'] as const) {
      for (const op of ['GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool'] as const) expectAgreement({ op, inputs: [random(dtype, [2, 3, 4, 5])] });
    }
  });
  it('undoes pools and columns', () => {
    expectAgreement({
      op: 'MaxUnpool',
      attrs: { kernel_shape: [2, 2], strides: [2, 2] },
      inputs: [f32([1, 1, 2, 2], [1, 2, 3, 4]), intTensor([5, 7, 13, 15], [1, 1, 2, 2]), intTensor([1, 1, 5, 5])],
    });
    expectAgreement({ op: 'Col2Im', attrs: { pads: [1, 0, 1, 1], strides: [2, 1], dilations: [1, 2] }, inputs: [random('f32', [2, 8, 9]), intTensor([5, 4]), intTensor([2, 2])] });
    expectAgreement({ op: 'Col2Im', inputs: [random('f16', [1, 6, 8]), intTensor([3, 5]), intTensor([2, 2])].with(0, random('f16', [1, 8, 8])) });
  });
  it('deforms', () => {
    const inputs = [random('f32', [1, 4, 5, 5]), random('f32', [4, 2, 2, 2]), random('f32', [1, 16, 5, 5]), random('f32', [4]), random('f32', [1, 8, 5, 5])];
    expectAgreement({ op: 'DeformConv', attrs: { group: 2, offset_group: 2, pads: [1, 0, 0, 1] }, inputs });
  });
});

it('refuses shapes that do not fit', () => {
  const x = random('f32', [1, 3, 4, 4]);
  expect(() => reference({ op: 'Conv', inputs: [x, random('f32', [2, 2, 3, 3]), null] })).toThrow(AnychipError);
  expect(() => reference({ op: 'MaxPool', attrs: { kernel_shape: [9, 9] }, inputs: [x] })).toThrow(AnychipError);
  expect(() => reference({ op: 'Conv', attrs: { auto_pad: 'SOME' }, inputs: [x, random('f32', [2, 3, 3, 3]), null] })).toThrow(AnychipError);
});

it('upgrades the norms whose order was a float', () => {
  const node = { domain: '', op: 'LpPool', name: '', inputs: ['x'], outputs: ['y'], attrs: new Map([['p', { kind: 'float', value: 2 } as const]]) };
  const [upgraded] = convUpgrades['LpPool']!(node, { opset: 1, fresh: (hint) => hint, constant: () => 'c' });
  expect(upgraded!.attrs.get('p')).toEqual({ kind: 'int', value: 2 });
});

describe('CausalConvWithState', () => {
  const [x, w, bias] = [random('f32', [2, 3, 6]), random('f32', [3, 1, 4]), random('f32', [3])];
  it('is a depthwise Conv padded before, and may be run in pieces', () => {
    const whole = numbers({ op: 'CausalConvWithState', inputs: [x, w, bias], outputs: 2 });
    const conv = numbers({ op: 'Conv', attrs: { group: 3, pads: [3, 0] }, inputs: [x, w, bias] });
    expect(whole).toEqual(conv);
    const part = (start: number, end: number) => reference({ op: 'Slice', inputs: [x, intTensor([start]), intTensor([end]), intTensor([2])] })[0]!;
    const first = reference({ op: 'CausalConvWithState', inputs: [part(0, 2), w, bias], outputs: 2 });
    const second = reference({ op: 'CausalConvWithState', inputs: [part(2, 6), w, bias, first[1]!], outputs: 2 });
    expect(numbers({ op: 'Concat', attrs: { axis: 2 }, inputs: [first[0]!, second[0]!] })).toEqual(whole);
    expect(second[1]).toEqual(part(3, 6));
  });
  it('agrees, with and without activation, state and bias', () => {
    for (const activation of ['none', 'silu']) {
      expectAgreement({ op: 'CausalConvWithState', attrs: { activation }, inputs: [x, w, bias, random('f32', [2, 3, 3])], outputs: 2 });
      expectAgreement({ op: 'CausalConvWithState', attrs: { activation }, inputs: [x, random('f32', [3, 1, 1])], outputs: 2 });
    }
  });
});
