// Programs on the processor: any number of threads, runs at the same time, and devices that are closed while their threads sleep or spin.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { elementCount } from '../../src/core/shape.ts';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { WordParts } from '../../src/core/words.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { integerConv, integerMatmul } from '../../src/passes/decompose/integerProducts.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { ProgramRunner } from '../../src/session/programRunner.ts';
import { createCpuTarget } from '../../src/targets/cpu/target.ts';
import { stepOf } from '../schedule/step.ts';

const target = createCpuTarget();
const { ok: works } = await target.probe();
const ROWS = 96;
const COLUMNS = 1024;

/** Softmax of rows: many grid steps, each with scratch memory of its own. */
function softmaxGraph(): PrimGraph {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: [ROWS, COLUMNS] }, 'x');
  const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
  return b.finish('softmax', [x], [b.div(e, b.reduce('sum', e, [1]))]);
}
const graph = softmaxGraph();
const inputOf = (seed: number): NumericTensor =>
  tensorFrom(
    'f32',
    [ROWS, COLUMNS],
    Array.from({ length: ROWS * COLUMNS }, (_, i) => ((i * 37 + seed * 101) % 113) / 16),
  );
function expectSoftmax(actual: NumericTensor, input: NumericTensor): void {
  const expected = toNumbers(interpretPrims(graph, [input])[0]!);
  const wrong = toNumbers(actual).findIndex((x, i) => !(Math.abs(x - expected[i]!) <= 1e-6));
  expect(wrong).toBe(-1);
}

/** A product and a convolution of words, whatever the processor has for them. */
function wordsGraph(words: WordParts): PrimGraph {
  const b = createBuilder(createFolder(), words);
  const [x, y, zero] = [b.input({ dtype: 'u8', shape: [37, 70] }, 'x'), b.input({ dtype: 'i8', shape: [70, 83] }, 'y'), b.input({ dtype: 'u8', shape: [] }, 'zero')];
  const [image, filters] = [b.input({ dtype: 'i8', shape: [1, 10, 9, 23] }, 'image'), b.input({ dtype: 'u8', shape: [12, 10, 3, 3] }, 'filters')];
  const window = { strides: [1, 2], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 1 };
  const outputs = [integerMatmul(b, { values: x, zero }, { values: y, zero: undefined }), integerConv(b, { values: image, zero: undefined }, { values: filters, zero }, window)];
  return b.finish('words', [x, y, zero, image, filters], outputs);
}

describe.runIf(works)('the cpu device', () => {
  it.each(['bytes', 'shorts'] as const)('multiplies words of %s', async (words) => {
    const device = await target.openDevice({ threads: 2 });
    const quantised = wordsGraph(words);
    const runner = await ProgramRunner.load(device, await stepOf(quantised, target), 2 ** 30);
    const inputs = quantised.inputs.map(({ dtype, shape }, at) =>
      tensorFrom(
        dtype,
        shape,
        Array.from({ length: elementCount(shape) }, (_, i) => ((i * 113 + at * 57) % 256) - (dtype === 'i8' ? 128 : 0)),
      ),
    );
    const outputs = await runner.run(inputs);
    expect(outputs.map(toNumbers)).toEqual(interpretPrims(quantised, inputs).map(toNumbers));
    runner.dispose();
    device.dispose();
  });

  it.each([1, 2, 3, 17, 64])('runs with %i threads', async (threads) => {
    const device = await target.openDevice({ threads });
    const runner = await ProgramRunner.load(device, await stepOf(graph, target), 2 ** 30);
    for (let seed = 0; seed < 3; seed++) {
      const input = inputOf(seed);
      expectSoftmax((await runner.run([input]))[0]!, input);
    }
    runner.dispose();
    device.dispose();
  });

  it('runs several programs of one device at the same time, in any order', async () => {
    const device = await target.openDevice({ threads: 3 });
    const step = await stepOf(graph, target);
    const runners = await Promise.all(Array.from({ length: 3 }, () => ProgramRunner.load(device, step, 2 ** 30)));
    const inputs = Array.from({ length: 12 }, (_, i) => inputOf(i));
    const outputs = await Promise.all(inputs.map((input, i) => runners[i % 3]!.run([input])));
    outputs.forEach((output, i) => expectSoftmax(output[0]!, inputs[i]!));
    for (const runner of runners) runner.dispose();
    device.dispose();
  });

  it('is closed while its threads spin, and while they sleep', async () => {
    for (const millis of [0, 30]) {
      const device = await target.openDevice({ threads: 4 });
      const runner = await ProgramRunner.load(device, await stepOf(graph, target), 2 ** 30);
      const input = inputOf(millis);
      expectSoftmax((await runner.run([input]))[0]!, input);
      await sleep(millis);
      runner.dispose();
      device.dispose();
      device.dispose();
    }
  });

  it('refuses programs made for another machine', async () => {
    const device = await target.openDevice({ threads: 1 });
    const step = await stepOf(graph, target);
    const foreign = { ...step, binary: { ...step.binary, format: 'another-machine' } };
    await expect(ProgramRunner.load(device, foreign, 2 ** 30)).rejects.toMatchObject({ code: 'device' });
    device.dispose();
  });
});
