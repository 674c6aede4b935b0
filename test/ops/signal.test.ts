// The signal family: transforms of signals whose spectra are known, windows from their formulas, and decompositions against the reference.
import { describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { scalar, tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import { signalUpgrades } from '../../src/formats/onnx/upgrade/signal.ts';
import { createSource, expectAgreement, numbers, primitivesOf, reference } from './rules.ts';

const random = createSource(13);
const f64 = (shape: readonly number[], values: readonly number[]) => tensorFrom('f64', shape, values);
const int = (value: number) => scalar('i64', value);

function expectClose(actual: readonly number[], wanted: readonly number[]): void {
  expect(actual).toHaveLength(wanted.length);
  wanted.forEach((v, i) => expect(actual[i], `element ${i}`).toBeCloseTo(v, 6));
}

describe('DFT', () => {
  const ramp = f64([1, 4, 1], [1, 2, 3, 4]);
  const spectrum = [10, 0, -2, 2, -2, 0, -2, -2];
  it('transforms', () => {
    expectClose(numbers({ op: 'DFT', inputs: [ramp, null, null] }).values, spectrum);
    expectClose(numbers({ op: 'DFT', inputs: [f64([4, 1], [1, 2, 3, 4]), null, int(0)] }).values, spectrum);
    expect(numbers({ op: 'DFT', attrs: { onesided: 1 }, inputs: [ramp, null, null] })).toMatchObject({ shape: [1, 3, 2] });
    expect(numbers({ op: 'DFT', inputs: [ramp, int(6), int(-2)] }).shape).toEqual([1, 6, 2]);
    expectClose(numbers({ op: 'DFT', inputs: [ramp, int(2), null] }).values, [3, 0, -1, 0]);
  });
  it('undoes itself', () => {
    const both = f64([1, 4, 2], spectrum);
    expectClose(numbers({ op: 'DFT', attrs: { inverse: 1 }, inputs: [both, null, null] }).values, [1, 0, 2, 0, 3, 0, 4, 0]);
    const half = f64([1, 3, 2], spectrum.slice(0, 6));
    expect(numbers({ op: 'DFT', attrs: { inverse: 1, onesided: 1 }, inputs: [half, null, null] }).shape).toEqual([1, 4, 1]);
    expectClose(numbers({ op: 'DFT', attrs: { inverse: 1, onesided: 1 }, inputs: [half, null, null] }).values, [1, 2, 3, 4]);
  });
  it('refuses axes that hold parts', () => {
    expect(() => reference({ op: 'DFT', inputs: [ramp, null, int(2)] })).toThrow(AnychipError);
    expect(() => reference({ op: 'DFT', inputs: [random('f32', [2, 8, 3]), null, null] })).toThrow(AnychipError);
    expect(() => reference({ op: 'DFT', inputs: [ramp, int(0), null] })).toThrow(AnychipError);
  });
  it('agrees, cut or padded', () => {
    for (const onesided of [0, 1]) {
      for (const inverse of [0, 1]) {
        for (const parts of [1, 2]) {
          for (const length of [undefined, 1, 5, 12]) {
            const call = { op: 'DFT', attrs: { onesided, inverse } } as const;
            expectAgreement({ ...call, inputs: [random('f32', [2, 8, 3, parts]), length === undefined ? null : int(length), int(1)] });
            expectAgreement({ ...call, inputs: [random('f16', [3, 6, parts]), length === undefined ? null : int(length), null] });
          }
        }
      }
    }
  });
  // Even and odd splits, a prime, and twice a prime: every way a long transform is written.
  it.each([1024, 900, 521, 1042])('agrees over %i elements', (length) => {
    expectAgreement({ op: 'DFT', inputs: [random('f64', [1, length, 2]), null, null] }, 1e-7);
    expectAgreement({ op: 'DFT', attrs: { onesided: 1 }, inputs: [random('f32', [1, length, 1]), null, null] }, 1e-3);
  });
  it('is one matrix product when it is short', () => {
    expect(primitivesOf({ op: 'DFT', inputs: [random('f32', [4, 16, 2]), null, null] }).filter((op) => op !== 'reshape')).toEqual(['matmul']);
  });
});

describe('STFT', () => {
  it('transforms every frame', () => {
    const signal = f64([1, 6, 1], [1, 2, 3, 4, 5, 6]);
    const framed = numbers({ op: 'STFT', inputs: [signal, int(2), null, int(4)] });
    expect(framed.shape).toEqual([1, 2, 3, 2]);
    expectClose(framed.values, [10, 0, -2, 2, -2, 0, 18, 0, -2, 2, -2, 0]);
    expectClose(numbers({ op: 'STFT', inputs: [signal, int(2), f64([4], [1, 0, 0, 0]), null] }).values, [1, 0, 1, 0, 1, 0, 3, 0, 3, 0, 3, 0]);
  });
  it('agrees', () => {
    for (const parts of [1, 2]) {
      for (const onesided of [0, 1]) {
        expectAgreement({ op: 'STFT', attrs: { onesided }, inputs: [random('f32', [2, 30, parts]), int(4), random('f32', [8]), null] });
        expectAgreement({ op: 'STFT', attrs: { onesided }, inputs: [random('f16', [2, 30, parts]), int(5), null, int(7)] });
      }
    }
  });
  it('refuses frames longer than the signal', () => {
    expect(() => reference({ op: 'STFT', inputs: [random('f32', [1, 6, 1]), int(2), null, int(8)] })).toThrow(AnychipError);
  });
});

describe('windows', () => {
  it('follow their formulas', () => {
    const window = (op: 'HannWindow' | 'HammingWindow' | 'BlackmanWindow', periodic: number) =>
      numbers({ op, attrs: { periodic, output_datatype: 11 }, inputs: [scalar('i32', 4)] }).values;
    expectClose(window('HannWindow', 1), [0, 0.5, 1, 0.5]);
    expectClose(window('HannWindow', 0), [0, 0.75, 0.75, 0]);
    expectClose(window('HammingWindow', 1), [4 / 46, 25 / 46, 1, 25 / 46]);
    expectClose(window('BlackmanWindow', 1), [0, 0.34, 1, 0.34]);
    expectClose(numbers({ op: 'HannWindow', attrs: { periodic: 0 }, inputs: [scalar('i64', 1)] }).values, [1]);
  });
  it('agree', () => {
    for (const op of ['HannWindow', 'HammingWindow', 'BlackmanWindow'] as const) {
      for (const output_datatype of [1, 10, 11]) expectAgreement({ op, attrs: { output_datatype }, inputs: [int(10)] });
    }
  });
  it('refuse a negative size', () => {
    for (const size of [-3, 2 ** 50]) expect(() => reference({ op: 'HannWindow', inputs: [int(size)] })).toThrow(AnychipError);
  });
});

describe('MelWeightMatrix', () => {
  const inputs = [int(8), int(16), int(8192), scalar('f32', 0), scalar('f32', 4096)];
  it('lays triangles over the spectrum', () => {
    const { shape, values } = numbers({ op: 'MelWeightMatrix', inputs });
    expect(shape).toEqual([9, 8]);
    const ones = values.flatMap((v, i) => (v === 0 ? [] : [[Math.floor(i / 8), i % 8, v]]));
    expect(ones).toEqual([
      [0, 0, 1],
      [0, 1, 1],
      [1, 2, 1],
      [1, 3, 1],
      [2, 4, 1],
      [3, 5, 1],
      [4, 6, 1],
      [5, 7, 1],
    ]);
  });
  it('agrees', () => {
    expectAgreement({ op: 'MelWeightMatrix', inputs });
    expectAgreement({ op: 'MelWeightMatrix', attrs: { output_datatype: 11 }, inputs: [int(5), int(64), int(16000), scalar('f32', 20), scalar('f32', 7600)] });
  });
});

it('upgrades DFT, whose axis was an attribute', () => {
  const constants: number[][] = [];
  const context = { opset: 17, fresh: (hint: string) => hint, constant: (tensor: Parameters<typeof toNumbers>[0]) => `c${constants.push(toNumbers(tensor)) - 1}` };
  const node = { domain: '', op: 'DFT', name: '', inputs: ['x'], outputs: ['y'], attrs: new Map([['axis', { kind: 'int', value: 2 } as const]]) };
  expect(signalUpgrades['DFT']!(node, context)).toMatchObject([{ inputs: ['x', '', 'c0'] }]);
  signalUpgrades['DFT']!({ ...node, attrs: new Map() }, context);
  expect(constants).toEqual([[2], [1]]);
  expect(signalUpgrades['DFT']!({ ...node, attrs: new Map() }, { ...context, opset: 20 })).toMatchObject([{ inputs: ['x'] }]);
});
