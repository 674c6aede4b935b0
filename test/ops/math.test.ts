// Arithmetic where the specification leaves the beaten path: shifts past the width, remainders of infinities, bits read as another dtype.
import { describe, expect, it } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import { isTensor } from '../../src/graph/graph.ts';
import { codeOfDType } from '../../src/graph/onnxTypes.ts';
import { createSource, decomposed, expectAgreement, numbers, reference } from './rules.ts';

const random = createSource(23);

describe('BitShift', () => {
  const counts = [0, 1, 3, 7, 8, 15, 16, 31, 32, 63, 64, 100];
  const shift = (dtype: NumericDType, direction: string, x: number, count: number) =>
    numbers({ op: 'BitShift', attrs: { direction }, inputs: [tensorFrom(dtype, [], [x]), tensorFrom(dtype, [], [count])] }).values[0];
  it('keeps the sign to the right, and fills with zeros to the left', () => {
    expect(shift('i8', 'RIGHT', -5, 1)).toBe(-3);
    expect(shift('i8', 'RIGHT', -5, 8)).toBe(-1);
    expect(shift('i32', 'RIGHT', -5, -1)).toBe(-1);
    expect(shift('i32', 'RIGHT', 5, 40)).toBe(0);
    expect(shift('i8', 'LEFT', 0x41, 1)).toBe(-126);
    expect(shift('i16', 'LEFT', 1, 16)).toBe(0);
    expect(shift('u8', 'RIGHT', 200, 3)).toBe(25);
  });
  it.each(['u8', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64'] as const)('agrees on %s', (dtype) => {
    const x = random(dtype, [5, 1], dtype.startsWith('u') ? 0 : -100, 100);
    const y = tensorFrom(dtype, [counts.length], counts);
    for (const direction of ['LEFT', 'RIGHT']) expectAgreement({ op: 'BitShift', attrs: { direction }, inputs: [x, y] });
  });
});

describe('Mod', () => {
  const [inf, nan] = [Infinity, NaN];
  const [a, b] = [
    [5, -5, 5, -5, 0, -0, 0, inf, 5, 5, -5, 5, 0, nan, 5.5, 6, -6],
    [3, 3, -3, -3, -2, 2, 2, 2, 0, inf, inf, -inf, -inf, 1, -2, -3, 3],
  ];
  const x = tensorFrom('f32', [a.length], a);
  const y = tensorFrom('f32', [b.length], b);
  it('by floors has the sign of the divisor, on zeros too', () => {
    expect(numbers({ op: 'Mod', inputs: [x, y] }).values).toEqual([2, 1, -1, -2, -0, 0, 0, nan, nan, 5, inf, -inf, -0, nan, -0.5, -0, 0]);
  });
  it('agrees with its decomposition on special values', () => {
    for (const fmod of [0, 1]) for (const dtype of ['f32', 'f64', 'f16'] as const) expectAgreement({ op: 'Mod', attrs: { fmod }, inputs: [tensorFrom(dtype, x.shape, a), tensorFrom(dtype, y.shape, b)] }); // prettier-ignore
    const signs = decomposed({ op: 'Mod', inputs: [tensorFrom('f32', [2], [6, -6]), tensorFrom('f32', [2], [-3, 3])] });
    expect(signs[0] !== null && typeof signs[0] === 'object' ? toNumbers(signs[0]) : signs).toEqual([-0, 0]);
  });
});

describe('BitCast', () => {
  const cast = (to: NumericDType, x: ReturnType<typeof tensorFrom>) => numbers({ op: 'BitCast', attrs: { to: codeOfDType(to) }, inputs: [x] }).values;
  it('reads the same bits as another dtype', () => {
    expect(cast('u32', tensorFrom('f32', [2], [1, -0]))).toEqual([0x3f800000, 0x80000000]);
    expect(cast('f16', tensorFrom('u16', [1], [0x3c00]))).toEqual([1]);
    expect(cast('i4', tensorFrom('u4', [2], [15, 7]))).toEqual([-1, 7]);
    expect(cast('u4', tensorFrom('i4', [2], [-1, 7]))).toEqual([15, 7]);
    expect(cast('u8', tensorFrom('bool', [2], [1, 0]))).toEqual([1, 0]);
  });
  it('agrees, there and back', () => {
    for (const [from, to] of [
      ['f32', 'i32'],
      ['i32', 'f32'],
      ['f64', 'i64'],
      ['u16', 'i16'],
      ['i8', 'u8'],
      ['bool', 'u8'],
    ] as const) {
      // prettier-ignore
      const x = random(from, [7], from === 'bool' ? 0 : -9, 2);
      const call = { op: 'BitCast', attrs: { to: codeOfDType(to) }, inputs: [x] } as const;
      expectAgreement(call);
      const there = reference(call)[0]!;
      expect(reference({ op: 'BitCast', attrs: { to: codeOfDType(from) }, inputs: [there] })[0]).toEqual(x);
      expect(isTensor(there) && there.dtype).toBe(to);
    }
    expect(() => cast('i16', tensorFrom('f32', [1], [1]))).toThrow(/f32 to i16/);
  });
});

describe('moves', () => {
  it('SpaceToDepth undoes DepthToSpace in both orders', () => {
    const x = random('f32', [2, 8, 3, 5]);
    for (const mode of ['DCR', 'CRD']) {
      const wide = reference({ op: 'DepthToSpace', attrs: { blocksize: 2, mode }, inputs: [x] });
      expect(reference({ op: 'SpaceToDepth', attrs: { blocksize: 2, mode }, inputs: wide })).toEqual([x]);
      expectAgreement({ op: 'SpaceToDepth', attrs: { blocksize: 2, mode }, inputs: wide });
    }
  });
  it('Range of half floats does not lose its steps', () => {
    const [start, limit, delta] = [2048, 2056, 2].map((value) => tensorFrom('f16', [], [value]));
    expectAgreement({ op: 'Range', inputs: [start!, limit!, delta!] });
    expect(numbers({ op: 'Range', inputs: [start!, limit!, delta!] }).values).toEqual([2048, 2050, 2052, 2054]);
  });
});

describe('Pow', () => {
  const x = [0, -0, 1, -1, 1.5, -2.25, 100, 1e-3, Infinity, -Infinity, NaN];
  it.each(['f32', 'f16', 'bf16', 'f64'] as const)('of %s by exponents that are known is what the function says', (dtype) => {
    for (const exponent of [-2, -1, 0, 0.5, 1, 2, 3, 4, 5]) expectAgreement({ op: 'Pow', inputs: [tensorFrom(dtype, [x.length], x), tensorFrom('f32', [], [exponent])] });
  });
});
