// Small floats against a slow definition: all values of a format written out from its field widths, and the nearest one searched for.
import { assert, constantFrom, double, float, integer, oneof, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeE8M0, decodeFloat, encodeE8M0, encodeFloat, floatFormats, narrowFloats } from '../../src/core/float.ts';
import type { FloatFormat, SmallFloat } from '../../src/core/float.ts';

/** By its sources: the largest finite number, the smallest above zero, the code of +∞ or undefined, a code of NaN or undefined. */
const anchors: { readonly [F in SmallFloat]: readonly [largest: number, least: number, infinity: number | undefined, nan: number | undefined] } = {
  f16: [65504, 2 ** -24, 0x7c00, 0x7e00],
  bf16: [255 * 2 ** 120, 2 ** -133, 0x7f80, 0x7fc0],
  f8e4m3: [448, 2 ** -9, undefined, 0x7f],
  f8e4m3fnuz: [240, 2 ** -10, undefined, 0x80],
  f8e5m2: [57344, 2 ** -16, 0x7c, 0x7e],
  f8e5m2fnuz: [57344, 2 ** -17, undefined, 0x80],
  f4e2m1: [6, 0.5, undefined, undefined],
};
const formats: readonly SmallFloat[] = ['f16', 'bf16', 'f8e4m3', 'f8e4m3fnuz', 'f8e5m2', 'f8e5m2fnuz', 'f4e2m1'];

/** The magnitudes that the codes from 0 up would have if none of them were special: they grow with the code. */
function ladder({ exponentBits, mantissaBits, bias }: FloatFormat): number[] {
  const fraction = 2 ** mantissaBits;
  return Array.from({ length: 2 ** exponentBits * fraction + 1 }, (_, code) => {
    const exponent = Math.floor(code / fraction);
    return exponent === 0 ? code * 2 ** (1 - bias - mantissaBits) : (1 + (code % fraction) / fraction) * 2 ** (exponent - bias);
  });
}

/** The code of the magnitude nearest to x, ties to the even one. */
function nearestCode(rungs: readonly number[], x: number): number {
  let [low, high] = [0, rungs.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (rungs[middle]! <= x) low = middle;
    else high = middle;
  }
  const [below, above] = [x - rungs[low]!, rungs[high]! - x];
  return below < above || (below === above && low % 2 === 0) ? low : high;
}

describe.each(formats)('%s', (dtype) => {
  const format: FloatFormat = floatFormats[dtype];
  const rungs = ladder(format);
  const [largest, least, infinity, nan] = anchors[dtype];
  const top = rungs.indexOf(largest);
  const signBit = 1 << (format.exponentBits + format.mantissaBits);

  it('decodes every code', () => {
    expect(top).toBeGreaterThan(0);
    expect(rungs[1]).toBe(least);
    for (let code = 0; code <= top; code++) {
      expect(decodeFloat(dtype, code)).toBe(rungs[code]);
      if (code > 0) expect(decodeFloat(dtype, code | signBit)).toBe(-rungs[code]!);
    }
    if (infinity !== undefined) expect([decodeFloat(dtype, infinity), decodeFloat(dtype, infinity | signBit)]).toEqual([Infinity, -Infinity]);
    if (nan !== undefined) expect(decodeFloat(dtype, nan)).toBeNaN();
  });

  it('encodes what it decodes', () => {
    for (let code = 0; code < 2 * signBit; code++) {
      const value = decodeFloat(dtype, code);
      if (!Number.isNaN(value)) expect(encodeFloat(dtype, value)).toBe(code);
    }
  });

  it('rounds to the nearest, ties to even, and overflows as its source says', () => {
    const between = tuple(integer({ min: 0, max: top }), constantFrom(0, 0.25, 0.5, 0.75, 0.5 - 2 ** -20, 0.5 + 2 ** -20)).map(
      ([code, part]) => rungs[code]! + part * ((rungs[code + 1] ?? 2 * largest) - rungs[code]!),
    );
    assert(
      property(oneof(between, float({ noNaN: true }), double({ noNaN: true, min: -2 * largest, max: 2 * largest })), (x) => {
        const magnitude = Math.abs(x);
        const code = magnitude === Infinity ? top + 1 : nearestCode(rungs, magnitude);
        const sign = x < 0 || Object.is(x, -0) ? signBit : 0;
        const isOver = code > top;
        const kept = isOver ? top : code;
        // The kinds without minus zero use its code for NaN.
        const signed = format.specials === 'fnuz' && kept === 0 ? 0 : kept | sign;
        const overflowed = infinity !== undefined ? infinity | sign : nan !== undefined ? (format.specials === 'fn' ? nan | sign : nan) : top | sign;
        expect(encodeFloat(dtype, x)).toBe(isOver ? overflowed : signed);
        if (magnitude !== Infinity) expect(encodeFloat(dtype, x, true)).toBe(signed);
      }),
      { numRuns: 500 },
    );
  });
});

describe.each(['f16', 'bf16'] as const)('many numbers at once, in %s,', (dtype) => {
  it('become what each would', () => {
    const bits = Uint32Array.from({ length: 1 << 17 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 0);
    const codes = Array.from({ length: 1 << 16 }, (_, code) => decodeFloat(dtype, code));
    const neighbours = codes.flatMap((x, code) => [x, (x + (codes[code + 1] ?? 0)) / 2]);
    const numbers = new Float32Array([...neighbours, ...new Float32Array(bits.buffer)]);
    const narrow = narrowFloats(dtype, numbers);
    const wrong = numbers.findIndex((x, i) => {
      const expected = encodeFloat(dtype, x);
      // A NaN keeps its sign here.
      return Number.isNaN(x) ? (narrow[i]! & 0x7fff) !== expected : narrow[i] !== expected;
    });
    expect(wrong, `of ${numbers[wrong]}`).toBe(-1);
  });
});

describe('f8e8m0', () => {
  it('holds powers of two', () => {
    for (let code = 0; code < 255; code++) expect(encodeE8M0(decodeE8M0(code), 'nearest')).toBe(code);
    expect(decodeE8M0(255)).toBeNaN();
  });

  it('rounds up, down and to the nearest', () => {
    assert(
      property(double({ min: 2 ** -100, max: 2 ** 100, noNaN: true }), (x) => {
        const [down, up, nearest] = (['down', 'up', 'nearest'] as const).map((rounding) => decodeE8M0(encodeE8M0(x, rounding)));
        expect(down! <= x && x < 2 * down!).toBe(true);
        expect(up! >= x && x > up! / 2).toBe(true);
        expect(Math.abs(nearest! - x)).toBe(Math.min(Math.abs(down! - x), Math.abs(2 * down! - x)));
      }),
    );
  });
});
