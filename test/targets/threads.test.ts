// Results do not depend on the number of threads, to the last bit: random graphs of kernels that are dealt out to threads, and the model of
// the demo. Their numbers are no round ones, so that another order of sums would show.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { elementCount } from '../../src/core/shape.ts';
import { bytesOf, numeric, tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { Shape } from '../../src/core/shape.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { isTensor } from '../../src/graph/graph.ts';
import { InferenceSession } from '../../src/index.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { ProgramRunner } from '../../src/session/programRunner.ts';
import { requireKernels } from '../../src/runtime/device.ts';
import { createRandom } from '../schedule/randomGraph.ts';
import type { Random } from '../schedule/randomGraph.ts';
import { stepOf } from '../schedule/step.ts';
import { devices } from '../session/models.ts';

/** Threads of wasm are slow to start. */
const cases = [
  { name: 'cpu', counts: [1, 2, 3, 5], graphs: 4 },
  { name: 'wasm', counts: [1, 3], graphs: 2 },
];
const STEPS = 5;

/** Between −1 and 1. */
const fractions = (random: Random, shape: Shape): NumericTensor =>
  tensorFrom(
    'f32',
    shape,
    Array.from({ length: elementCount(shape) }, () => (random(2_000_001) - 1_000_000) / 1_000_003),
  );

interface Maker {
  readonly b: Builder;
  readonly random: Random;
}
const weights = ({ b, random }: Maker, ...shape: number[]): Operand => b.constant(fractions(random, shape));
const softmax = (b: Builder, x: Operand, axis: number): Operand => {
  const e = b.exp(b.sub(x, b.reduce('max', x, [axis])));
  return b.div(e, b.reduce('sum', e, [axis]));
};

/** From an image [1, channels, height, width] to another. */
const makers: readonly ((m: Maker, x: Operand) => Operand)[] = [
  (m, x) => {
    const [, channels = 1, height = 1, width = 1] = x.shape;
    const [filters, taps, stride] = [8 + m.random(40), [1, 3, 5][m.random(3)]!, 1 + m.random(2)];
    if (height < 2 * taps || width < 2 * taps) return m.b.neg(x);
    const pads = [taps >> 1, taps >> 1];
    return m.b.conv(x, weights(m, filters, channels, taps, taps), { strides: [stride, stride], dilations: [1, 1], low: pads, high: pads, groups: 1, acc: 'f32' });
  },
  (m, x) => {
    const [, channels = 1, height = 1, width = 1] = x.shape;
    const columns = 8 + m.random(60);
    const product = m.b.matmul(m.b.reshape(x, [channels * height, width]), weights(m, width, columns));
    return m.b.reshape(product, [1, channels, height, columns]);
  },
  ({ b, random }, x) => softmax(b, x, 1 + random(3)),
  ({ b, random }, x) => b.sub(x, b.reduce('sum', x, [1 + random(3)])),
  ({ b }, x) => b.transpose(b.exp(b.sub(x, b.reduce('max', x, [2, 3]))), [0, 1, 3, 2]),
  ({ b, random }, x) => b.scan('sum', x, 1 + random(3)),
];

function graphOf(seed: number): { readonly graph: PrimGraph; readonly input: NumericTensor } {
  const random = createRandom(seed);
  const b = createBuilder(createFolder());
  const shape = [1, 8 + random(24), 24 + random(40), 24 + random(40)];
  const x = b.input({ dtype: 'f32', shape }, 'x');
  const made = [x];
  for (let i = 0; i < STEPS; i++) made.push(makers[random(makers.length)]!({ b, random }, made.at(-1)!));
  return { graph: b.finish(`seed ${seed}`, [x], made.slice(1)), input: fractions(random, shape) };
}

const bitsOf = (tensors: readonly NumericTensor[]): Buffer[] => tensors.map((tensor) => Buffer.from(bytesOf(tensor)));

describe.each(cases.filter(({ name }) => devices.includes(name)))('$name', ({ name, counts, graphs }) => {
  const target = requireKernels(resolveTarget(name));

  it.each(Array.from({ length: graphs }, (_, i) => i + 1))('gives the same bits with any number of threads: seed %i', async (seed) => {
    const { graph, input } = graphOf(seed);
    const step = await stepOf(graph, target);
    const opened = await Promise.all(
      counts.map(async (threads) => {
        const device = await target.openDevice({ threads });
        return { device, runner: await ProgramRunner.load(device, step, 2 ** 30) };
      }),
    );
    const alone: Buffer[][] = [];
    for (const { runner } of opened) alone.push(bitsOf(await runner.run([input])));
    // All at once too, where threads are many more than cores.
    const together = await Promise.all(opened.map(async ({ runner }) => bitsOf(await runner.run([input]))));
    for (const { device, runner } of opened) {
      runner.dispose();
      device.dispose();
    }
    for (const [i, bits] of [...alone, ...together].entries())
      expect(
        bits.every((output, at) => output.equals(alone[0]![at]!)),
        `${counts[i % counts.length]} threads`,
      ).toBe(true);
  });

  it('reads digits alike with any number of threads', async () => {
    const model = readFileSync(new URL('../../examples/models/digits.onnx', import.meta.url));
    const bits: Buffer[][] = [];
    for (const intraOpNumThreads of counts) {
      const session = await InferenceSession.create(model, { executionProviders: [name], intraOpNumThreads, freeDimensionOverrides: { n: 37 } });
      const [input] = session.model.graph.inputs;
      const shape = input?.type?.kind === 'tensor' ? (input.type.shape ?? []).map((dim) => (typeof dim === 'number' ? dim : 37)) : [];
      const outputs = await session.runValues(new Map([[input!.name, fractions(createRandom(1), shape)]]));
      bits.push(bitsOf([...outputs.values()].filter(isTensor).map(numeric)));
      await session.release();
    }
    expect(bits.every((outputs) => outputs.every((output, i) => output.equals(bits[0]![i]!)))).toBe(true);
    expect(bits[0]!.length).toBeGreaterThan(0);
  });
});
