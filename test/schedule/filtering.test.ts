// Minimal filtering: its matrices convolve exactly, and F(4×4) is about as exact in f32 as a plain sum.
import { describe, expect, it } from 'vitest';
import { filteringAt } from '../../src/schedule/simd/contractions/filtering.ts';
import type { Filtering, Matrix } from '../../src/schedule/simd/contractions/filtering.ts';
import { FILTERINGS } from '../../src/schedule/simd/contractions/winograd.ts';
import { createRandom } from './randomGraph.ts';

type Round = (x: number) => number;
const exact: Round = (x) => x;

function product(a: Matrix, b: Matrix, round: Round): number[][] {
  return a.map((row) => b[0]!.map((_, column) => row.reduce((sum, x, k) => round(sum + round(x * b[k]![column]!)), 0)));
}
const turned = (a: Matrix): number[][] => a[0]!.map((_, i) => a.map((row) => row[i]!));
const both = (matrix: Matrix, values: Matrix, round: Round): number[][] => product(product(matrix, values, round), turned(matrix), round);

/** Channels of an input tile and a filter each, convolved and added up by filtering. */
function filtered({ input, weights, output, side }: Filtering, tiles: readonly Matrix[], filters: readonly Matrix[], round: Round): number[][] {
  const sums = Array.from({ length: side }, () => Array.from({ length: side }, () => 0));
  tiles.forEach((tile, c) => {
    const [x, w] = [both(input, tile, round), both(weights, filters[c]!, round)];
    for (let i = 0; i < side; i++) for (let k = 0; k < side; k++) sums[i]![k] = round(sums[i]![k]! + round(x[i]![k]! * w[i]![k]!));
  });
  return both(output, sums, round);
}

function plain({ results }: Filtering, tiles: readonly Matrix[], filters: readonly Matrix[], round: Round): number[][] {
  return Array.from({ length: results }, (_, y) =>
    Array.from({ length: results }, (_, x) =>
      tiles.reduce((sum, tile, c) => filters[c]!.reduce((inner, row, ky) => row.reduce((total, w, kx) => round(total + round(w * tile[y + ky]![x + kx]!)), inner), sum), 0),
    ),
  );
}

function furthest(a: Matrix, b: Matrix): number {
  return Math.max(...a.flatMap((row, y) => row.map((x, i) => Math.abs(x - b[y]![i]!))));
}

function randomMatrices(count: number, side: number, seed: number): number[][][] {
  const random = createRandom(seed);
  return Array.from({ length: count }, () => Array.from({ length: side }, () => Array.from({ length: side }, () => Math.fround(random(2001) / 1000 - 1))));
}

describe('minimal filtering', () => {
  it.each([...FILTERINGS, filteringAt([0, 1, -1, 2, -2, 0.5], 3), filteringAt([0, 1, -1, 2], 2)].map((f) => ({ f, taps: f.side - f.results + 1 })))(
    'convolves: F($f.results, $taps)',
    ({ f, taps }) => {
      const [tiles, filters] = [randomMatrices(3, f.side, 1), randomMatrices(3, taps, 2)];
      expect(furthest(filtered(f, tiles, filters, exact), plain(f, tiles, filters, exact))).toBeLessThan(1e-12);
    },
  );

  it.each(FILTERINGS.map((f) => ({ f })))('is about as exact as a plain sum in f32: F($f.results, 3)', ({ f }) => {
    let [error, plainError, largest] = [0, 0, 0];
    for (let seed = 0; seed < 12; seed++) {
      const [tiles, filters] = [randomMatrices(256, f.side, seed * 2 + 3), randomMatrices(256, 3, seed * 2 + 4)];
      const truth = plain(f, tiles, filters, exact);
      error = Math.max(error, furthest(filtered(f, tiles, filters, Math.fround), truth));
      plainError = Math.max(plainError, furthest(plain(f, tiles, filters, Math.fround), truth));
      largest = Math.max(largest, ...truth.flat().map(Math.abs));
    }
    expect(error).toBeLessThan(4 * plainError);
    expect(error / largest).toBeLessThan(8e-6);
  });
});
