// Positions of extremes, the first k of a row and running sums, in vectors along rows and across them, with equals and NaN among the values,
// held to the reference.
import { describe, expect, it } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Capabilities } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createCapabilities, interpretSchedule, lowered, problemsOf } from '../kernel/machine.ts';
import { createRandom } from './randomGraph.ts';
import type { Random } from './randomGraph.ts';

const machines = {
  'vectors of 4, 32-bit addresses': createCapabilities({ vectorLanes: 4, pointerBytes: 4 }),
  'vectors of 16': createCapabilities({ vectorLanes: 16, vectorRegisters: 32 }),
};

/** Few different values, so that there are equals, and NaN where floats may be. */
function valuesOf(random: Random, dtype: NumericDType, shape: readonly number[]): NumericTensor {
  const levels = [5, 40, 1000][random(3)]!;
  const hasNaN = dtype !== 'i32' && dtype !== 'i64' && random(2) === 0;
  const values = Array.from({ length: elementCount(shape) }, () => (hasNaN && random(30) === 0 ? NaN : random(levels) - 2));
  return tensorFrom(dtype, shape, dtype === 'i64' ? values.map(BigInt) : values);
}

type Make = (b: Builder, random: Random, x: Operand, axis: number) => readonly Operand[];
const dtypes = ['f32', 'f32', 'i32', 'i64', 'f16'] as const;
/** Sums in these are exact. */
const EXACT = 4;
const kinds: Readonly<Record<string, Make>> = {
  'positions of extremes': (b, random, x, axis) => [b.argReduce(random(2) === 0 ? 'max' : 'min', x, axis, random(2) === 0)],
  'the first k': (b, random, x, axis) => b.topK(x, axis, Math.min(1 + random([4, 20, 60][random(3)]!), x.shape[axis]!), random(2) === 0),
  'running sums': (b, random, x, axis) => [b.scan('sum', x, axis, { exclusive: random(2) === 0, reverse: random(2) === 0 })],
};

function check(capabilities: Capabilities, make: Make, seed: number): void {
  const random = createRandom(seed * 29 + 3);
  const dtype = dtypes[random(make === kinds['running sums'] ? EXACT : dtypes.length)]!;
  const shape = [[1 + random(4), 1 + random(330)], [1 + random(3), 1 + random(40), 1 + random(90)], [200 + random(200)]][random(3)]!;
  const b = createBuilder(createFolder());
  const x = b.input({ dtype, shape }, 'x');
  const graph = b.finish('extremes', [x], make(b, random, x, random(shape.length)));
  const schedule = scheduleGraph(graph, capabilities);
  expect(problemsOf(graph, schedule), `seed ${seed}`).toEqual([]);
  const inputs = [valuesOf(random, dtype, shape)];
  const actual = interpretSchedule(graph, schedule, inputs, seed % 2 === 0 ? 'forward' : 'backward', seed % 3 === 0 ? lowered(schedule.module) : schedule.module);
  interpretPrims(graph, inputs).forEach((expected, i) => expect(toNumbers(actual[i]!), `seed ${seed}, ${dtype} [${shape.join()}]`).toEqual(toNumbers(expected)));
}

describe.each(Object.entries(machines))('with %s', (_, capabilities) => {
  it.each(Object.entries(kinds))(
    '%s are what the reference says',
    (__, make) => {
      for (let seed = 0; seed < 40; seed++) check(capabilities, make, seed);
    },
    120_000,
  );
});
