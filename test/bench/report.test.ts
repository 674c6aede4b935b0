// What the bench says of what it measured: ratios, parts of peaks, and the pages and pictures of them.
import { describe, expect, it } from 'vitest';
import { disagreements, sampleOf } from '../../bench/agreement.ts';
import { markdownOf } from '../../bench/report/markdown.ts';
import { fitted, svgOf } from '../../bench/report/svg.ts';
import { terminalTable } from '../../bench/report/terminal.ts';
import { geometricMean, ownBytes, partsOfPeak, ratioOf, startMillis } from '../../bench/results.ts';
import type { Entry, Race, Results, Row } from '../../bench/results.ts';
import { takeTurns } from '../../bench/timing.ts';

const entry = (runner: string, medianMillis: number, rest: Partial<Entry> = {}): Entry => ({ runner, timing: { medianMillis, minMillis: medianMillis, runs: 5 }, ...rest });
const start = (firstMillis: number) => ({ createMillis: 1, firstMillis, emptyBytes: 40 * 2 ** 20, peakBytes: 100 * 2 ** 20 });
const race = (device: Entry, ...peers: Entry[]): Race => ({ device, peers });
const peaks = (scale: number) => ({ flopsPerSecond: 100e9 * scale, bytesPerSecond: 10e9 * scale });

const ahead: Row = {
  name: 'net <a|b>',
  group: 'nets',
  work: { flops: 1e9, bytes: 5e7 },
  probes: { before: peaks(1), after: peaks(0.5) },
  races: [
    race(entry('cpu', 20, { start: { cold: start(1020), warm: start(120) } }), entry('onnxruntime-node', 30, { start: { cold: start(230), warm: start(90) } })),
    race(entry('wasm', 40), entry('onnxruntime-web', 100), { runner: 'tfjs-wasm', problem: 'the tfjs peer has no Erf' }),
  ],
};
const behind: Row = { name: 'slow', group: 'nets', races: [race(entry('cpu', 50), entry('onnxruntime-node', 40))] };
const wrong: Row = { name: 'wrong', group: 'bytes', races: [race(entry('cpu', 1, { problem: 'differs in y' }), entry('onnxruntime-node', 40))] };
const lost: Row = { name: 'lost', group: 'bytes', races: [], problem: 'no memory' };
const results: Results = {
  date: '2026-01-02',
  machine: { processor: 'Some & Processor', cores: 2, vectors: 'AVX2', memoryBytes: 2 ** 33, system: 'linux', load: { before: 0.1, after: 2 } },
  versions: { node: '20.0.0' },
  threads: 2,
  clock: 'wall',
  seconds: 90,
  rows: [ahead, behind, wrong, lost],
};

describe('results', () => {
  it('a ratio is the first peer’s time by the device’s, where both computed the same', () => {
    expect(ratioOf(ahead.races[0]!)).toBe(1.5);
    expect(ratioOf(ahead.races[1]!)).toBe(2.5);
    expect(ratioOf(wrong.races[0]!)).toBeUndefined();
    expect(geometricMean([1, 4, 16])).toBeCloseTo(4, 12);
    expect(geometricMean([])).toBeUndefined();
  });

  it('parts of peaks are those of the better probe beside the case', () => {
    // 1e9 operations in 20 ms are 50 of 100 GFLOP/s; 5e7 bytes 2.5 of 10 GB/s.
    expect(partsOfPeak(ahead, ahead.races[0]!.device)).toEqual({ flops: 0.5, bytes: 0.25 });
    expect(partsOfPeak(behind, behind.races[0]!.device)).toBeUndefined();
  });

  it('a start is what is needed before a run, and memory what is added to an empty process', () => {
    const { start: starts, timing } = ahead.races[0]!.device;
    expect(startMillis(starts!.cold, timing!)).toBe(1000);
    expect(ownBytes(starts!.cold)).toBe(60 * 2 ** 20);
  });
});

describe('takeTurns', () => {
  it('begins each round with another one, and stops at the bounds that it was given', async () => {
    const order: number[] = [];
    const slices = [0, 1, 2].map((i) => () => {
      order.push(i);
      return Promise.resolve([i + 1, i + 3]);
    });
    const timings = await takeTurns(slices, { rounds: 5, least: 2, millis: 0 });
    expect(order).toEqual([0, 1, 2, 1, 2, 0]);
    expect(timings[1]).toEqual({ medianMillis: 3, minMillis: 2, runs: 4 });
  });
});

describe('agreement', () => {
  const samples = (...values: number[]) => new Map([['y', sampleOf(values)]]);
  it('finds other numbers, other lengths and missing outputs, and lets rounding pass', () => {
    expect(disagreements(samples(1, 100, NaN), samples(1.5, 100.5, NaN))).toEqual([]);
    expect(disagreements(samples(1, 100), samples(1, 102))).toEqual(['y']);
    expect(disagreements(samples(1, 100), samples(1, NaN))).toEqual(['y']);
    expect(disagreements(samples(1, 100), samples(1, 100, 1))).toEqual(['y']);
    expect(disagreements(samples(1, 100), new Map())).toEqual(['y']);
    expect(disagreements(samples(Infinity, 1), samples(Infinity, 1))).toEqual([]);
    expect(disagreements(samples(Infinity, 1), samples(1, 1))).toEqual(['y']);
  });

  it('keeps elements of all of a large output', () => {
    const large = Float32Array.from({ length: 200_000 }, (_, i) => i);
    const { length, values } = sampleOf(large);
    expect(length).toBe(200_000);
    expect(values.length).toBeLessThanOrEqual(1 << 16);
    expect(values.at(-1)).toBeGreaterThan(199_990);
  });
});

describe('pages', () => {
  it('Markdown has every case once, its ratio, and what did not run', () => {
    const page = markdownOf(results, 'bench.svg');
    expect(page).toContain('| net <a\\|b> | 30.0 | 20.0 | **1.50** | 50 % | 25 % | 100 | – | 40.0 | **2.50** |');
    expect(page).toContain('| slow | 40.0 | 50.0 | **0.80** |');
    expect(page).toContain('| wrong | 40.0 | 1.00 (!) |  |');
    // The mean of 1.5 and 0.8.
    expect(page).toContain('| nets | 1.10 | 2.50 | 2 |');
    expect(page).toContain('- net <a|b>, tfjs-wasm: the tfjs peer has no Erf');
    expect(page).toContain('- lost: no memory');
    expect(page).toContain('| net <a\\|b> | onnxruntime-node | 200 | 60 | 60 | 60 | 40 |');
    expect(page).toContain('50 to 100 GFLOP/s');
    // As many cells in each line of a table as in its head.
    for (const table of page.split('\n\n').filter((part) => part.startsWith('|'))) {
      const widths = table.trim().split('\n').map((row) => row.replaceAll('\\|', '').split('|').length); // prettier-ignore
      expect(new Set(widths).size).toBe(1);
    }
  });

  it('the picture is well formed, with a bar for each ratio, to the right where anychip is ahead', () => {
    const picture = svgOf(results);
    const opened = [...picture.matchAll(/<([a-z]+)\b[^>]*?(\/)?>/g)];
    const closed = [...picture.matchAll(/<\/([a-z]+)>/g)];
    expect(opened.filter(([, , self]) => self === undefined)).toHaveLength(closed.length);
    expect(picture).toContain('net &lt;a|b&gt;');
    expect(picture).toContain('Some &amp; Processor');
    const one = Number(/<line x1="([\d.]+)"[^>]*class="one"/.exec(picture)![1]);
    const bars = [...picture.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="\d+" class="d\d[^"]*"><title>([^<]*)</g)];
    expect(bars.map((bar) => bar[3])).toEqual(['net &lt;a|b&gt;, cpu: 1.50', 'net &lt;a|b&gt;, wasm: 2.50', 'slow, cpu: 0.80']);
    expect(bars.map((bar) => Number(bar[1]) >= one)).toEqual([true, true, false]);
    expect(Number(bars[2]![1]) + Number(bars[2]![2])).toBeCloseTo(one, 0);
    expect(fitted('abcdefghij', 30, 10)).toBe('abcd…');
  });

  it('a terminal gets a line for each runner', () => {
    expect(terminalTable(results).split('\n')).toHaveLength(2 + 5 + 2 + 2 + 1);
  });
});
