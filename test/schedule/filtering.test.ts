// Minimal filtering: its matrices convolve exactly, along one axis and along both, and it is about as exact in f32 as a plain sum.
import { describe, expect, it } from 'vitest';
import { filteringAt, filteringsFor } from '../../src/schedule/simd/contractions/filtering.ts';
import type { Filtering, Matrix, PlaneFiltering } from '../../src/schedule/simd/contractions/filtering.ts';
import { createRandom } from './randomGraph.ts';

type Round = (x: number) => number;
const exact: Round = (x) => x;

function product(a: Matrix, b: Matrix, round: Round): number[][] {
  return a.map((row) => b[0]!.map((_, column) => row.reduce((sum, x, k) => round(sum + round(x * b[k]![column]!)), 0)));
}
const turned = (a: Matrix): number[][] => a[0]!.map((_, i) => a.map((row) => row[i]!));
const both = (high: Matrix, wide: Matrix, values: Matrix, round: Round): number[][] => product(product(high, values, round), turned(wide), round);
const zeros = (rows: number, columns: number): number[][] => Array.from({ length: rows }, () => Array.from({ length: columns }, () => 0));

/** Channels of an input tile and a filter each, convolved and added up by filtering. */
function filtered({ high, wide }: PlaneFiltering, tiles: readonly Matrix[], filters: readonly Matrix[], round: Round): number[][] {
  const sums = zeros(high.side, wide.side);
  tiles.forEach((tile, c) => {
    const [x, w] = [both(high.input, wide.input, tile, round), both(high.weights, wide.weights, filters[c]!, round)];
    for (let i = 0; i < high.side; i++) for (let k = 0; k < wide.side; k++) sums[i]![k] = round(sums[i]![k]! + round(x[i]![k]! * w[i]![k]!));
  });
  return both(high.output, wide.output, sums, round);
}

function plain({ high, wide }: PlaneFiltering, tiles: readonly Matrix[], filters: readonly Matrix[], round: Round): number[][] {
  return zeros(high.results, wide.results).map((line, y) =>
    line.map((_, x) =>
      tiles.reduce((sum, tile, c) => filters[c]!.reduce((inner, row, ky) => row.reduce((total, w, kx) => round(total + round(w * tile[y + ky]![x + kx]!)), inner), sum), 0),
    ),
  );
}

function furthest(a: Matrix, b: Matrix): number {
  return Math.max(...a.flatMap((row, y) => row.map((x, i) => Math.abs(x - b[y]![i]!))));
}

function randomMatrices(count: number, rows: number, columns: number, seed: number): number[][][] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => zeros(rows, columns).map((row) => row.map(() => Math.fround(random(2001) / 1000 - 1))));
}

const tapsOf = ({ side, results }: Filtering): number => side - results + 1;
const nameOf = ({ high, wide }: PlaneFiltering): string => `F(${high.results}×${wide.results}, ${tapsOf(high)}×${tapsOf(wide)})`;
const named = (filterings: readonly PlaneFiltering[]): { readonly name: string; readonly f: PlaneFiltering }[] => filterings.map((f) => ({ name: nameOf(f), f }));

const taps = Array.from({ length: 7 }, (_, i) => i + 1);
const used = taps.flatMap((high) => taps.flatMap((wide) => filteringsFor(high, wide)));
const square = (f: Filtering): PlaneFiltering => ({ high: f, wide: f });

describe('minimal filtering', () => {
  it('is there for one axis and for both', () => {
    const names = used.map(nameOf);
    for (const name of ['F(2×2, 3×3)', 'F(4×4, 3×3)', 'F(2×2, 5×5)', 'F(1×3, 1×7)', 'F(3×1, 7×1)', 'F(1×4, 1×3)']) expect(names).toContain(name);
    expect(filteringsFor(1, 1)).toEqual([]);
  });

  it.each(named([...used, square(filteringAt([0, 1, -1, 2, -2, 0.5], 3)), square(filteringAt([0, 1, -1, 2], 2))]))('convolves: $name', ({ f }) => {
    const [tiles, filters] = [randomMatrices(3, f.high.side, f.wide.side, 1), randomMatrices(3, tapsOf(f.high), tapsOf(f.wide), 2)];
    expect(furthest(filtered(f, tiles, filters, exact), plain(f, tiles, filters, exact))).toBeLessThan(1e-12);
  });

  it.each(named(used))('is about as exact as a plain sum in f32: $name', ({ f }) => {
    let [error, plainError, largest] = [0, 0, 0];
    for (let seed = 0; seed < 12; seed++) {
      const [tiles, filters] = [randomMatrices(256, f.high.side, f.wide.side, seed * 2 + 3), randomMatrices(256, tapsOf(f.high), tapsOf(f.wide), seed * 2 + 4)];
      const truth = plain(f, tiles, filters, exact);
      error = Math.max(error, furthest(filtered(f, tiles, filters, Math.fround), truth));
      plainError = Math.max(plainError, furthest(plain(f, tiles, filters, Math.fround), truth));
      largest = Math.max(largest, ...truth.flat().map(Math.abs));
    }
    expect(error).toBeLessThan(5 * plainError);
    expect(error / largest).toBeLessThan(8e-6);
  });
});
