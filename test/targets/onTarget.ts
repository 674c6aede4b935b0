// Graphs run on one target, for tests, and targets whose kernels are changed before they are compiled.
import { expect } from 'vitest';
import { toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import type { Source, Target } from '../../src/runtime/device.ts';
import type { Allowance } from '../../src/core/allowance.ts';
import { ProgramRunner } from '../../src/session/programRunner.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { randomGraph } from '../schedule/randomGraph.ts';
import { stepOf } from '../schedule/step.ts';

/** The graph's outputs, on a device of the target that is closed after. */
export async function run(on: Target, graph: PrimGraph, inputs: readonly NumericTensor[], allow: readonly Allowance[] = []): Promise<NumericTensor[]> {
  const device = await on.openDevice();
  try {
    const runner = await ProgramRunner.load(device, await stepOf(graph, on, allow), 2 ** 30);
    const outputs = await runner.run(inputs);
    runner.dispose();
    return outputs;
  } finally {
    device.dispose();
  }
}

export function expectClose(actual: NumericTensor, expected: NumericTensor, what: string, within = 1e-4): void {
  const [a, b] = [toNumbers(actual), toNumbers(expected)];
  const wrong = a.findIndex((x, i) => !(Object.is(x, b[i]) || x === b[i] || Math.abs(x - b[i]!) <= within * (1 + Math.abs(b[i]!))));
  if (wrong >= 0) expect.fail(`${what}: element ${wrong} is ${a[wrong]} instead of ${b[wrong]}`);
}

/** The first three random graphs from this seed on that the target has dtypes for, against the reference. */
export async function expectRandomGraphs(target: Target, firstSeed: number): Promise<void> {
  for (let [seed, left] = [firstSeed, 3]; left > 0; seed++) {
    const { graph, inputs } = randomGraph(seed, 14);
    if ([...graph.inputs, ...graph.outputs].some((x) => !target.capabilities.storage.includes(x.dtype))) continue;
    left--;
    const expected = interpretPrims(graph, inputs);
    const actual = await run(target, graph, inputs);
    expected.forEach((tensor, i) => expectClose(actual[i]!, tensor, `seed ${seed}, output ${i}`));
  }
}

/** The target with its kernels' text changed. */
export const withText = (target: Target, change: (text: string) => string): Target => ({
  ...target,
  capabilities: target.capabilities,
  createRenderer: () => ({
    ...target.createRenderer(),
    render: (module): Source => {
      const source = target.createRenderer().render(module);
      const text = String(source.units[0]);
      const next = change(text);
      expect(next).not.toBe(text);
      return { ...source, units: [next] };
    },
  }),
});
