// Shapes and elements: broadcasting by its definition, row-major order, and conversions of integers that wrap.
import { array, assert, bigInt, constantFrom, integer, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dtypes, integerRange } from '../../src/core/dtype.ts';
import type { NumericDType } from '../../src/core/dtype.ts';
import { broadcastShapes, commonRefinement, elementCount, forEachIndex, normalizeAxes, normalizeAxis, stridesOf } from '../../src/core/shape.ts';
import { bigintReader, createTensor, elementWriter, filledTensor, toNumbers } from '../../src/core/tensor.ts';

const shapes = array(integer({ min: 0, max: 5 }), { maxLength: 4 });
/** One dimension from those that meet there; undefined where they do not fit. */
const meet = (dims: readonly number[]): number | undefined => {
  const wide = [...new Set(dims.filter((d) => d !== 1))];
  return wide.length === 0 ? 1 : wide.length === 1 ? wide[0] : undefined;
};

describe('broadcasting', () => {
  it('is what NumPy says, or an error', () => {
    assert(
      property(array(array(constantFrom(1, 1, 2, 3, 0), { maxLength: 4 }), { minLength: 1, maxLength: 3 }), (list) => {
        const rank = Math.max(...list.map((s) => s.length));
        const expected = Array.from({ length: rank }, (_, axis) => meet(list.map((s) => s[axis - rank + s.length] ?? 1)));
        if (expected.includes(undefined)) expect(() => broadcastShapes(...list)).toThrow(expect.objectContaining({ code: 'shape' }));
        else expect(broadcastShapes(...list)).toEqual(expected);
      }),
    );
  });
});

describe('row-major order', () => {
  it('visits every index once, at the offset its strides say', () => {
    assert(
      property(shapes, (shape) => {
        const strides = stridesOf(shape);
        let count = 0;
        forEachIndex(shape, (index, flat) => {
          expect(flat).toBe(count++);
          expect(index.reduce((sum, x, i) => sum + x * strides[i]!, 0)).toBe(flat);
        });
        expect(count).toBe(elementCount(shape));
      }),
    );
  });

  it('counts axes from either end', () => {
    assert(
      property(
        integer({ min: 1, max: 6 }).chain((rank) => tuple(constantFrom(rank), integer({ min: -8, max: 8 }))),
        ([rank, axis]) => {
          if (axis < -rank || axis >= rank) expect(() => normalizeAxis(axis, rank)).toThrow(expect.objectContaining({ code: 'shape' }));
          else expect(normalizeAxes([axis, axis < 0 ? axis + rank : axis - rank], rank)).toEqual([axis < 0 ? axis + rank : axis]);
        },
      ),
    );
  });
});

describe('elements', () => {
  const names = (Object.keys(dtypes) as NumericDType[]).filter((name) => dtypes[name].class === 'int' || dtypes[name].class === 'uint');

  it.each(names)('of %s wrap modulo their width', (dtype) => {
    const wrap = (x: bigint): bigint => (dtypes[dtype].class === 'int' ? BigInt.asIntN(dtypes[dtype].bits, x) : BigInt.asUintN(dtypes[dtype].bits, x));
    const tensor = createTensor(dtype, [1]);
    const [write, read] = [elementWriter(tensor), bigintReader(tensor)];
    const written = (x: bigint | number): bigint => {
      write(0, x);
      return read(0);
    };
    assert(property(bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (x) => written(x) === wrap(x)));
    assert(property(integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (x) => written(x) === wrap(BigInt(x))));
    const { min, max } = integerRange(dtype);
    expect([written(min), written(max), written(max + 1n)]).toEqual([min, max, min]);
  });

  it('fill a tensor', () => {
    expect(toNumbers(filledTensor('f16', [3], 1 / 3))).toEqual([0.333251953125, 0.333251953125, 0.333251953125]);
    expect(filledTensor('i64', [2], -5n).data).toEqual(BigInt64Array.of(-5n, -5n));
    expect(toNumbers(filledTensor('bool', [2], 7))).toEqual([1, 1]);
  });
});

describe('common refinements', () => {
  it('have the axes of both as products of neighbours', () => {
    expect(commonRefinement([1, 256, 10], [1, 1, 2560])).toEqual({ shape: [256, 10], parts: [2, 2] });
    expect(commonRefinement([2, 12, 5], [2, 4, 15])).toEqual({ shape: [2, 4, 3, 5], parts: [0, 1, 2, 2] });
    expect(commonRefinement([6, 4], [2, 3, 4])).toEqual({ shape: [2, 3, 4], parts: [0, 1, 2] });
  });
  it('are not there where axes cross', () => {
    expect(commonRefinement([4, 6], [3, 8])).toBeUndefined();
    expect(commonRefinement([0, 3], [3, 0])).toBeUndefined();
    expect(commonRefinement([2, 3], [7])).toBeUndefined();
  });
});
