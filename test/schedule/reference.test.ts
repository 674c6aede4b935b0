// Random primitive graphs, scheduled and run, against the reference: fusion, vectors, memory and in-place work must not change results.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/core/tensor.ts';
import { toNumbers } from '../../src/core/tensor.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { ProgramRunner } from '../../src/session/programRunner.ts';
import { takesModels } from '../../src/runtime/device.ts';
import type { Device } from '../../src/runtime/device.ts';
import { createTargets } from '../../src/targets/targets.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { randomGraph } from './randomGraph.ts';
import { stepOf } from './step.ts';

const targets = await Promise.all(
  createTargets()
    .flatMap((engine) => (takesModels(engine) ? [] : [engine]))
    .map(async (target) => ({ name: target.name, target, works: (await target.probe()).ok })),
);

function expectClose(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [toNumbers(actual), toNumbers(expected)];
  for (const [i, x] of a.entries()) {
    const y = b[i]!;
    if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    expect(Math.abs(x - y), `element ${i}: ${x} instead of ${y}`).toBeLessThanOrEqual(1e-4 * (1 + Math.abs(y)));
  }
}

it('works on at least one device here', () => expect(targets.some((t) => t.works)).toBe(true));

describe.each(targets.filter((t) => t.works))('schedules of random graphs on $name', ({ target }) => {
  let device: Device;
  beforeAll(async () => {
    device = await target.openDevice({ threads: 2 });
    return () => device.dispose();
  });

  const run = async (graph: PrimGraph, inputs: readonly NumericTensor[]): Promise<NumericTensor[]> => {
    const runner = await ProgramRunner.load(device, await stepOf(graph, target), 2 ** 30);
    const outputs = await runner.run(inputs);
    runner.dispose();
    return outputs;
  };

  for (let first = 0; first < 40; first += 10) {
    it(`compute what the reference computes (seeds ${first} to ${first + 9})`, async () => {
      for (let seed = first; seed < first + 10; seed++) {
        const { graph, inputs } = randomGraph(seed, 14);
        const expected = interpretPrims(graph, inputs);
        const actual = await run(graph, inputs);
        expected.forEach((tensor, i) => expectClose(actual[i]!, tensor));
      }
    }, 60_000);
  }
});
