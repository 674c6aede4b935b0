// Axes of every length: whole vectors, narrower ones, vectors that begin earlier, and points one by one must meet without a gap, and
// borders of windows must not change what is inside.
import { describe, expect, it } from 'vitest';
import type { Shape } from '../../src/core/shape.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { createCapabilities, expectClose, interpretSchedule, problemsOf } from './machine.ts';

const EXTENTS = [1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 23, 31, 33, 40];

const softmax = (b: Builder, x: Operand, axis: number): Operand => {
  const e = b.exp(b.sub(x, b.reduce('max', x, [axis])));
  return b.div(e, b.reduce('sum', e, [axis]));
};
/** Extremes or sums of windows along the last two axes, with a border of what does not count. */
const windows = (b: Builder, x: Operand, fn: 'max' | 'sum', size: number, stride: number): Operand => {
  const border = size >> 1;
  const padded = b.pad(x, [0, border, border], [0, border, border], b.scalar('f32', fn === 'max' ? -Infinity : 0));
  const all = b.window(
    padded,
    [1, 2].map((axis) => ({ axis, size, stride, dilation: 1 })),
  );
  return b.reduce(fn, all, [3, 4]);
};

const graphs: Readonly<Record<string, { readonly shape: (extent: number) => Shape; readonly build: (b: Builder, x: Operand) => Operand }>> = {
  'softmax of rows': { shape: (n) => [5, n], build: (b, x) => softmax(b, x, 1) },
  'softmax of columns': { shape: (n) => [3, 5, n], build: (b, x) => softmax(b, x, 1) },
  'extremes of rows': { shape: (n) => [6, n], build: (b, x) => b.reduce('max', x, [1]) },
  'every second element': { shape: (n) => [3, 2 * n], build: (b, x) => b.neg(b.slice(x, [0, 1], [3, n(x)], [1, 2])) },
  'extremes of windows of 3': { shape: (n) => [2, 4, n], build: (b, x) => windows(b, x, 'max', 3, 1) },
  'extremes of every second window': { shape: (n) => [2, 6, n], build: (b, x) => windows(b, x, 'max', 3, 2) },
  'sums of windows of 5': { shape: (n) => [1, 5, n], build: (b, x) => windows(b, x, 'sum', 5, 1) },
};
const n = (x: Operand): number => x.shape.at(-1)! / 2;

describe.each([4, 8, 16])('with %i lanes', (vectorLanes) => {
  it.each(Object.entries(graphs))('%s of every length are whole', (name, { shape, build }) => {
    for (const extent of EXTENTS) {
      const random = createRandom(extent);
      const b = createBuilder(createFolder());
      const x = b.input({ dtype: 'f32', shape: shape(extent) }, 'x');
      const graph = b.finish(name, [x], [build(b, x)]);
      const value = randomTensor(random, 'f32', x.shape);
      const schedule = scheduleGraph(graph, createCapabilities({ vectorLanes }));
      expect(problemsOf(graph, schedule)).toEqual([]);
      const [expected] = interpretPrims(graph, [value]);
      expectClose(interpretSchedule(graph, schedule, [value])[0]!, expected!, `${name}, extent ${extent}`);
    }
  });

  it.each(['max', 'min'] as const)('NaN wins %s wherever it stands', (fn) => {
    for (const extent of [5, 17, 80]) {
      for (const at of [0, 3, extent - 1]) {
        const b = createBuilder(createFolder());
        const x = b.input({ dtype: 'f32', shape: [2, extent] }, 'x');
        const graph = b.finish(fn, [x], [b.reduce(fn, x, [1])]);
        const value = randomTensor(createRandom(extent), 'f32', x.shape);
        value.data[at] = Number.NaN;
        const [expected] = interpretPrims(graph, [value]);
        expect(Number(expected!.data[0])).toBeNaN();
        expectClose(interpretSchedule(graph, scheduleGraph(graph, createCapabilities({ vectorLanes })), [value])[0]!, expected!, `${fn} of ${extent}, NaN at ${at}`);
      }
    }
  });
});

describe.each([4, 16])('transposed tiles with %i lanes', (vectorLanes) => {
  it.each([
    [32, 48],
    [16, 24],
    [21, 26],
    [7, 64],
    [23, 40],
  ])('%i × %i elements are all moved, under what is fused with them', (rows, columns) => {
    const b = createBuilder(createFolder());
    const x = b.input({ dtype: 'f32', shape: [2, rows, columns] }, 'x');
    const y = b.input({ dtype: 'f32', shape: [2, columns, rows] }, 'y');
    const graph = b.finish('transposed', [x, y], [b.add(b.transpose(x, [0, 2, 1]), b.mul(y, y)), b.transpose(x, [2, 1, 0])]);
    const random = createRandom(rows);
    const values = [x, y].map((input) => randomTensor(random, 'f32', input.shape));
    const schedule = scheduleGraph(graph, createCapabilities({ vectorLanes }));
    expect(problemsOf(graph, schedule)).toEqual([]);
    for (const order of ['forward', 'backward'] as const) {
      const actual = interpretSchedule(graph, schedule, values, order);
      interpretPrims(graph, values).forEach((expected, i) => expectClose(actual[i]!, expected, `output ${i}, ${order}`));
    }
  });
});
