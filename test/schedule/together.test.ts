// Reductions along axes that are far apart in memory, with what is computed of them, against the reference: lengths that groups of
// vectors fill, and lengths that leave vectors and single elements.
import { describe, expect, it } from 'vitest';
import { createBuilder } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createCapabilities, expectClose, interpretSchedule, problemsOf } from '../kernel/machine.ts';
import { createRandom, randomTensor } from './randomGraph.ts';

const capabilities = createCapabilities({ vectorLanes: 4 });
const shapes = [
  { shape: [40, 64], axis: 0 },
  { shape: [19, 77], axis: 0 },
  { shape: [3, 21, 46], axis: 1 },
  { shape: [2, 600, 35], axis: 1 },
];

describe('reductions of neighbours side by side', () => {
  it.each(shapes.flatMap((s) => (['sum', 'max', 'prod'] as const).map((fn) => ({ ...s, fn }))))('$fn of $shape along $axis', ({ shape, axis, fn }) => {
    const b = createBuilder(createFolder());
    const random = createRandom(shape.length + axis);
    const x = b.input({ dtype: 'f32', shape }, 'x');
    const reduced = b.reduce(fn, x, [axis]);
    const bias = b.input({ dtype: 'f32', shape: reduced.shape }, 'bias');
    // The same of every result, and something of each.
    const y = b.add(b.mul(reduced, b.full('f32', reduced.shape, 0.25)), b.max(reduced, bias));
    const values = [randomTensor(random, 'f32', shape), randomTensor(random, 'f32', reduced.shape)];
    const graph = b.finish('together', [x, bias], [y]);
    const schedule = scheduleGraph(graph, capabilities);
    expect(problemsOf(graph, schedule)).toEqual([]);
    const loops = JSON.stringify(schedule.module.kernels, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    expect(loops.match(/"step":16\b/g)?.length).toBe(1);
    for (const order of ['forward', 'backward'] as const) expectClose(interpretSchedule(graph, schedule, values, order)[0]!, interpretPrims(graph, values)[0]!, order);
  });
});
