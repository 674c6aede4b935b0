// Random graphs, scheduled for several machines: their kernels pass the verifier, and interpreted give what the reference gives,
// whatever the order of grid steps, without reading memory that nobody wrote.
import { describe, expect, it } from 'vitest';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createRandom, randomGraph, randomTensor } from '../schedule/randomGraph.ts';
import type { Random } from '../schedule/randomGraph.ts';
import { createCapabilities, createSimtCapabilities, createTileCapabilities, expectClose, interpretSchedule, lowered, problemsOf } from './machine.ts';

const SEEDS = 40;
const machines = {
  'four lanes, 32-bit addresses': createCapabilities({ vectorLanes: 4, pointerBytes: 4 }),
  'eight lanes': createCapabilities({ vectorLanes: 8 }),
  'sixteen lanes, small caches': createCapabilities({ vectorLanes: 16, vectorRegisters: 32, l1Bytes: 4 << 10, l2Bytes: 32 << 10 }),
  'no vectors': createCapabilities({ vectorLanes: 1 }),
  'blocks of threads': createSimtCapabilities(),
  'small blocks, little shared memory': createSimtCapabilities({ maxThreads: 16, subgroupThreads: 4, shuffleThreads: 4, sharedBytes: 2 << 10, units: 1 }),
  'threads with vectors': createSimtCapabilities({ vectorLanes: 8, subgroupThreads: 8, shuffleThreads: 1, units: 2 }),
  'threads that take turns': createSimtCapabilities({ subgroupThreads: 4, shuffleThreads: 4, turns: { registers: 80, loadCost: 16, stridedCost: 1 } }),
  'cores with scratchpads': createTileCapabilities(),
  'many cores with small scratchpads': createTileCapabilities({ scratchBytes: 2 << 10, alignBytes: 64, countMultiple: 16 }, 40),
};

/** Enough work for several grid steps each. */
const wide: Readonly<Record<string, (b: Builder, random: Random) => { readonly inputs: readonly Operand[]; readonly output: Operand }>> = {
  'softmax over the last axis': (b) => {
    const x = b.input({ dtype: 'f32', shape: [48, 130] }, 'x');
    const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
    return { inputs: [x], output: b.div(e, b.reduce('sum', e, [1])) };
  },
  'normalised columns': (b) => {
    const x = b.input({ dtype: 'f32', shape: [70, 800] }, 'x');
    const centred = b.sub(x, b.div(b.reduce('sum', x, [0]), b.scalar('f32', 70)));
    return { inputs: [x], output: b.mul(centred, b.add(b.reduce('max', b.abs(centred), [0]), b.scalar('f32', 1))) };
  },
  'a product with a packed constant': (b, random) => {
    const x = b.input({ dtype: 'f32', shape: [67, 70] }, 'x');
    const w = b.constant(randomTensor(random, 'f32', [70, 110]));
    return { inputs: [x], output: b.max(b.add(b.matmul(x, w), b.constant(randomTensor(random, 'f32', [110]))), b.scalar('f32', 0)) };
  },
  'a padded convolution in groups': (b, random) => {
    const x = b.input({ dtype: 'f32', shape: [1, 6, 27, 31] }, 'x');
    const w = b.constant(randomTensor(random, 'f32', [8, 3, 3, 3]));
    return { inputs: [x], output: b.conv(x, w, { strides: [1, 2], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 2, acc: 'f32' }) };
  },
  'a transposed quotient of halves': (b) => {
    const x = b.input({ dtype: 'f16', shape: [220, 350] }, 'x');
    return { inputs: [x], output: b.max(b.transpose(x, [1, 0]), b.reshape(b.div(x, b.add(b.mul(x, x), b.scalar('f16', 1))), [350, 220])) };
  },
  'the first of each row': (b) => {
    const x = b.input({ dtype: 'i32', shape: [60, 64] }, 'x');
    return { inputs: [x], output: b.topK(x, 1, 30, true)[1] };
  },
  'running sums of every second element': (b) => {
    const x = b.input({ dtype: 'i64', shape: [170, 2, 300] }, 'x');
    return { inputs: [x], output: b.scan('sum', b.slice(x, [0, 0, 1], [170, 2, 150], [1, 1, 2]), 2, { reverse: true }) };
  },
};

describe.each(Object.entries(machines))('schedules for %s', (_, capabilities) => {
  it('are valid, and compute what the reference computes', () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const { graph, inputs } = randomGraph(seed, 14);
      const schedule = scheduleGraph(graph, capabilities);
      expect(problemsOf(graph, schedule), `seed ${seed}`).toEqual([]);
      const expected = interpretPrims(graph, inputs);
      for (const [order, module] of [
        ['forward', schedule.module],
        ['backward', lowered(schedule.module)],
      ] as const) {
        const actual = interpretSchedule(graph, schedule, inputs, order, module);
        expected.forEach((tensor, i) => expectClose(actual[i]!, tensor, `seed ${seed}, ${order}, output ${i}`));
      }
    }
  });
});

describe.each(Object.entries(machines).slice(0, 2))('schedules for %s', (_, capabilities) => {
  it.each(Object.entries(wide))('deal out %s to grid steps that do not meet', (name, build) => {
    const random = createRandom(name.length);
    const b = createBuilder(createFolder());
    const { inputs, output } = build(b, random);
    const graph = b.finish(name, inputs, [output]);
    const values = inputs.map((x) => randomTensor(random, x.dtype, x.shape));
    const schedule = scheduleGraph(graph, capabilities);
    expect(problemsOf(graph, schedule)).toEqual([]);
    expect(Math.max(...schedule.module.kernels.map((kernel) => kernel.grid.extent))).toBeGreaterThan(1);
    const [expected] = interpretPrims(graph, values);
    for (const order of ['forward', 'backward'] as const) expectClose(interpretSchedule(graph, schedule, values, order)[0]!, expected!, order);
  });
});
