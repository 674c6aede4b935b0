// What the simt family does with reductions that have too few rows for a machine, and with rows whose neighbours lie side by side:
// interpreted, against the reference; and how it chooses tiles.
import { describe, expect, it } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { SimtFacts } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { listTiles, rankTiles, sharedElements, timeOf } from '../../src/schedule/simt/tileShape.ts';
import { createRandom, randomTensor } from './randomGraph.ts';
import { createSimtCapabilities, expectClose, interpretSchedule, problemsOf } from '../kernel/machine.ts';

const capabilities = createSimtCapabilities({ units: 8 });

interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly build: (b: Builder, inputs: readonly Operand[]) => Operand;
  /** Blocks of each kernel. */
  readonly blocks: readonly number[];
}

const cases: Readonly<Record<string, Case>> = {
  'a sum of everything is dealt out to blocks, and joined': { shapes: [[24, 1000]], build: (b, [x]) => b.reduce('sum', x!, [0, 1]), blocks: [5, 1] },
  'parts that do not divide a row are cut at its end': { shapes: [[16_411]], build: (b, [x]) => b.reduce('max', x!, [0]), blocks: [4, 1] },
  'each reduction of a long row is dealt out, and what stores it too': {
    shapes: [[1, 10_000]],
    build: (b, [x]) => {
      const e = b.exp(b.sub(x!, b.reduce('max', x!, [1])));
      return b.div(e, b.reduce('sum', e, [1]));
    },
    blocks: [2, 1, 79, 2, 1, 79],
  },
  'a row times a matrix is summed by threads of neighbouring columns': {
    shapes: [
      [1, 300],
      [300, 72],
    ],
    build: (b, [x, y]) => b.matmul(x!, y!),
    blocks: [9],
  },
  'columns are summed by threads of neighbouring columns': { shapes: [[200, 33]], build: (b, [x]) => b.reduce('sum', b.mul(x!, x!), [0]), blocks: [5] },
  'a sum that lands where an operand of what is fused behind it lies': {
    shapes: [
      [1, 300],
      [300, 72],
      [72, 8],
    ],
    build: (b, [x, y, z]) => b.matmul(b.add(b.matmul(x!, y!), b.matmul(b.neg(x!), y!)), z!),
    blocks: [9, 3, 9, 1],
  },
  'short rows share a block, the last one not full': { shapes: [[43, 40]], build: (b, [x]) => b.reduce('sum', x!, [1]), blocks: [11] },
};

describe('reductions', () => {
  it.each(Object.entries(cases))(
    '%s',
    (name, { shapes, build, blocks }) => {
      const b = createBuilder(createFolder());
      const inputs = shapes.map((shape, i) => b.input({ dtype: 'f32', shape }, `x${i}`));
      const graph = b.finish('reductions', inputs, [build(b, inputs)]);
      const schedule = scheduleGraph(graph, capabilities);
      expect(problemsOf(graph, schedule)).toEqual([]);
      expect(schedule.module.run.map((call) => schedule.module.kernels[call.kernel]!.grid.extent)).toEqual(blocks);
      const values: NumericTensor[] = shapes.map((shape, i) => randomTensor(createRandom(i + name.length), 'f32', shape));
      expectClose(interpretSchedule(graph, schedule, values, 'backward')[0]!, interpretPrims(graph, values)[0]!, name, 1e-3);
    },
    120_000,
  );
});

describe('neighbouring sums of one thread', () => {
  const conv = (channels: number, filters: number, groups: number, size: readonly [number, number], kernel: number) => {
    const b = createBuilder(createFolder());
    const x = b.input({ dtype: 'f32', shape: [1, channels, ...size] }, 'x');
    const w = b.input({ dtype: 'f32', shape: [filters, channels / groups, kernel, kernel] }, 'w');
    const y = b.conv(x, w, { strides: [1, 1], dilations: [1, 1], low: [0, 0], high: [0, 0], groups, acc: 'f32' });
    return b.finish('conv', [x, w], [b.max(y, b.scalar('f32', 0))]);
  };
  const count = (text: string, part: string): number => text.split(part).length - 1;

  it.each([
    ['a depthwise convolution', conv(6, 6, 6, [18, 14], 3), 9],
    ['one whose ends fill no thread', conv(5, 5, 5, [15, 13], 3), 9],
    ['a short sum of channels', conv(3, 16, 1, [9, 11], 1), 3],
  ])('%s: each loads less than it would alone', (name, graph, taps) => {
    for (const turns of [undefined, { registers: 80, loadCost: 16, stridedCost: 1 }]) {
      const schedule = scheduleGraph(graph, createSimtCapabilities({ units: 1, subgroupThreads: 8, shuffleThreads: 8, ...(turns === undefined ? {} : { turns }) }));
      expect(problemsOf(graph, schedule)).toEqual([]);
      const { kernels } = schedule.module;
      expect(kernels).toHaveLength(1);
      const text = JSON.stringify(kernels[0]!.body);
      const sums = count(text, '"kind":"store"');
      expect(sums).toBeGreaterThan(1);
      expect(count(text, '"kind":"load"')).toBeLessThan(2 * taps * sums * 0.8);
      const values = graph.inputs.map((x, i) => randomTensor(createRandom(i + name.length), 'f32', x.shape));
      expectClose(interpretSchedule(graph, schedule, values, 'backward')[0]!, interpretPrims(graph, values)[0]!, name);
    }
  });
});

describe('tiles', () => {
  const facts = (units: number): SimtFacts => ({ maxThreads: 1024, subgroupThreads: 32, shuffleThreads: 32, sharedBytes: 48 << 10, vectorLanes: 1, matrixUnits: [], units });
  const square = { a: 4096, b: 4096, sum: 4096, batch: 1, dtype: 'f32' } as const;

  it('fit the machine and are filled by the problem', () => {
    for (const size of [square, { ...square, a: 3, b: 70 }, { ...square, a: 1000, b: 2, sum: 9 }]) {
      const tiles = listTiles(size, facts(16));
      expect(tiles.length).toBeGreaterThan(0);
      for (const t of tiles) {
        expect(t.threadsA * t.threadsB).toBeLessThanOrEqual(1024);
        expect(sharedElements(t) * 4).toBeLessThanOrEqual(48 << 10);
        expect(t.threadsA * t.rows).toBeLessThan(2 * size.a);
      }
    }
  });

  it('are large where there is much to do, and leave no unit idle where there is little', () => {
    const [large] = rankTiles(square, facts(100), 1);
    expect(large!.rows * large!.vectors).toBeGreaterThanOrEqual(16);
    expect(large!.parts).toBe(1);
    const small = { ...square, a: 64, b: 64 };
    const [split] = rankTiles(small, facts(100), 1);
    expect(split!.parts).toBeGreaterThan(1);
    expect(timeOf(small, split!, facts(100))).toBeLessThan(timeOf(small, { ...split!, parts: 1 }, facts(100)));
  });
});
