// Random primitive graphs, scheduled and run, against the reference: fusion, vectors, memory and in-place work must not change results.
import { beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/core/tensor.ts';
import { toNumbers } from '../../src/core/tensor.ts';
import type { Operand, PrimGraph } from '../../src/graph/builder.ts';
import type { DeviceStep } from '../../src/plan.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Device } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { ProgramRunner } from '../../src/session/programRunner.ts';
import { createCpuTarget } from '../../src/targets/cpu/target.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { randomGraph } from './randomGraph.ts';

const target = createCpuTarget();
const availability = await target.probe();

async function stepOf(graph: PrimGraph): Promise<DeviceStep> {
  const schedule = scheduleGraph(graph, target.capabilities);
  const { binary } = await target.createCompiler().compile(target.createRenderer().render(schedule.module));
  const constant = (x: Operand) => graph.constants.get(x)!;
  const port = (x: Operand, slot: number) => ({ slot, dtype: x.dtype, shape: x.shape });
  return {
    kind: 'device',
    binary,
    memory: schedule.memory,
    loads: schedule.loads.map((l) => ({ constant: constant(l.constant), offsetBytes: l.offsetBytes })),
    staged: schedule.staged.map((list) => list.map(constant)),
    inputs: graph.inputs.map(port),
    outputs: graph.outputs.map(port),
    report: schedule.report,
    unfusedBytes: schedule.unfusedBytes,
  };
}

function expectClose(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  const [a, b] = [toNumbers(actual), toNumbers(expected)];
  for (const [i, x] of a.entries()) {
    const y = b[i]!;
    if (Object.is(x, y) || x === y || (Number.isNaN(x) && Number.isNaN(y))) continue;
    expect(Math.abs(x - y), `element ${i}: ${x} instead of ${y}`).toBeLessThanOrEqual(1e-4 * (1 + Math.abs(y)));
  }
}

describe.skipIf(!availability.ok)('schedules of random graphs', () => {
  let device: Device;
  beforeAll(async () => {
    device = await target.openDevice({ threads: 2 });
    return () => device.dispose();
  });

  const run = async (graph: PrimGraph, inputs: readonly NumericTensor[]): Promise<NumericTensor[]> => {
    const runner = await ProgramRunner.load(device, await stepOf(graph), 2 ** 30);
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
