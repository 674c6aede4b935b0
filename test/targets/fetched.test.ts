// Products whose tiles are fetched while others are multiplied, on a virtual GPU: right for every way that factors can lie in memory, and
// what goes wrong where a wait is left out is named.
import { describe, expect, it } from 'vitest';
import { numeric, toNumbers } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createCudaTarget } from '../../src/targets/cuda/target.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { expectClose, run, withText } from './onTarget.ts';

const target = createCudaTarget().virtual!.open('h100', 'cuda:virtual')!;
const { ok } = await target.probe();

interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly turnA?: boolean;
  readonly turnB?: boolean;
}
function product({ m, n, k, turnA = false, turnB = false }: Shape): PrimGraph {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: turnA ? [k, m] : [m, k] }, 'x');
  const y = b.input({ dtype: 'f32', shape: turnB ? [n, k] : [k, n] }, 'y');
  const bias = b.input({ dtype: 'f32', shape: [n] }, 'bias');
  const turned = (v: typeof x, turn: boolean): typeof x => (turn ? b.transpose(v, [1, 0]) : v);
  return b.finish('product', [x, y, bias], [b.max(b.add(b.matmul(turned(x, turnA), turned(y, turnB), 'f32'), bias), b.scalar('f32', 0))]);
}
function convolution(): PrimGraph {
  const b = createBuilder(createFolder());
  const [x, w] = [b.input({ dtype: 'f32', shape: [1, 24, 19, 17] }, 'x'), b.input({ dtype: 'f32', shape: [40, 24, 3, 3] }, 'w')];
  return b.finish('convolution', [x, w], [b.conv(x, w, { strides: [1, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 1, acc: 'f32' })]);
}

const problems: Readonly<Record<string, PrimGraph>> = {
  whole: product({ m: 128, n: 256, k: 96 }),
  'ends that fill no tile': product({ m: 77, n: 90, k: 61 }),
  'ends in whole runs': product({ m: 100, n: 92, k: 84 }),
  'both turned': product({ m: 64, n: 96, k: 128, turnA: true, turnB: true }),
  'b turned': product({ m: 50, n: 44, k: 60, turnB: true }),
  'one step': product({ m: 64, n: 64, k: 8 }),
  'a small result of a long sum': product({ m: 64, n: 64, k: 2048 }),
  convolution: convolution(),
};
const inputsOf = (graph: PrimGraph) => graph.inputs.map(({ shape }, i) => randomTensor(createRandom(i + 1), 'f32', shape));

describe.skipIf(!ok)('tiles that are fetched ahead', () => {
  for (const [name, graph] of Object.entries(problems)) {
    it(
      name,
      async () => {
        expect(JSON.stringify(scheduleGraph(graph, target.capabilities).module)).toContain('"fetch"');
        const inputs = inputsOf(graph);
        const expected = interpretPrims(graph, inputs).map(numeric);
        (await run(target, graph, inputs)).forEach((got, i) => expectClose(got, expected[i]!, name));
      },
      120_000,
    );
  }

  const broken = (change: (text: string) => string): Promise<unknown> => run(withText(target, change), problems['whole']!, inputsOf(problems['whole']!));
  it('are not read before they are awaited', async () => {
    await expect(broken((text) => text.replace(/^ *fetch_await<.*$/m, ''))).rejects.toThrow(/fetches and has not awaited/);
  });
  it('are seen by other threads after a barrier alone', async () => {
    await expect(broken((text) => text.replace(/(fetch_await<\d+>\(\);\s*)__syncthreads\(\);/, '$1'))).rejects.toThrow(/no thread of the block wrote/);
  });
  it('begin at multiples of what is fetched together', async () => {
    await expect(broken((text) => text.replace(/fetch<16>\(s0 \+ /, 'fetch<16>(s0 + 1 + '))).rejects.toThrow(/no multiple/);
  });
});

/** As if the chip had few multiprocessors: small problems get large tiles. */
const { capabilities } = target;
const few = capabilities.family === 'simt' ? { ...target, capabilities: { ...capabilities, simt: { ...capabilities.simt, units: 1 } } } : target;
const inRegisters: Readonly<Record<string, PrimGraph>> = {
  'as they lie': product({ m: 256, n: 384, k: 80 }),
  'both turned': product({ m: 256, n: 256, k: 64, turnA: true, turnB: true }),
  'b turned, ends that fill no tile': product({ m: 228, n: 260, k: 68, turnB: true }),
};
describe.skipIf(!ok)('tiles that come through registers', () => {
  for (const [name, graph] of Object.entries(inRegisters)) {
    it(
      name,
      async () => {
        expect(JSON.stringify(scheduleGraph(graph, few.capabilities).module)).toContain('"name":"next0"');
        const inputs = inputsOf(graph);
        const expected = interpretPrims(graph, inputs).map(numeric);
        (await run(few, graph, inputs)).forEach((got, i) => expectClose(got, expected[i]!, name));
      },
      120_000,
    );
  }
});

type Half = 'f16' | 'bf16';
function halves(dtype: Half, { m, n, k, turnA = false, turnB = false }: Shape, work = false): PrimGraph {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype, shape: turnA ? [k, m] : [m, k] }, 'x');
  const y = b.input({ dtype, shape: turnB ? [n, k] : [k, n] }, 'y');
  const turned = (v: typeof x, turn: boolean): typeof x => (turn ? b.transpose(v, [1, 0]) : v);
  return b.finish('product', [x, y], [b.cast(b.matmul(work ? b.mul(x, x) : turned(x, turnA), turned(y, turnB), 'f32'), dtype)]);
}
const onUnits: Readonly<Record<string, readonly [dtype: Half, graph: PrimGraph]>> = {
  'halves in whole tiles': ['f16', halves('f16', { m: 128, n: 256, k: 512 })],
  'bf16 in whole tiles, b turned': ['bf16', halves('bf16', { m: 128, n: 256, k: 448, turnB: true })],
  'both turned': ['f16', halves('f16', { m: 128, n: 128, k: 320, turnA: true, turnB: true })],
  'ends that fill no tile': ['bf16', halves('bf16', { m: 99, n: 133, k: 291 })],
  'computed factors': ['f16', halves('f16', { m: 96, n: 72, k: 256 }, true)],
};

describe.skipIf(!ok)('products on matrix units that read memory themselves', () => {
  for (const [name, [dtype, graph]] of Object.entries(onUnits)) {
    it(
      name,
      async () => {
        expect(JSON.stringify(scheduleGraph(graph, few.capabilities).module)).toContain('"begin"');
        const inputs = graph.inputs.map(({ shape }, i) => randomTensor(createRandom(i + 1), dtype, shape));
        const expected = interpretPrims(graph, inputs).map(numeric);
        const [got] = await run(few, graph, inputs);
        const [a, b] = [toNumbers(got!), toNumbers(expected[0]!)];
        const largest = Math.max(...b.map(Math.abs));
        expect(a.findIndex((x, i) => !(Math.abs(x - b[i]!) <= largest * (dtype === 'f16' ? 2 ** -10 : 2 ** -7)))).toBe(-1);
      },
      120_000,
    );
  }

  it.each([{ turnB: false }, { turnB: true }])(
    'floats, where it is allowed: %o',
    async ({ turnB }) => {
      const source = product({ m: 140, n: 128, k: 260, turnB });
      const inputs = inputsOf(source);
      const [got] = await run(few, source, inputs, ['tf32']);
      const expected = toNumbers(numeric(interpretPrims(source, inputs)[0]!));
      const largest = Math.max(...expected.map(Math.abs));
      const actual = toNumbers(got!);
      expect(actual.findIndex((x, i) => !(Math.abs(x - expected[i]!) <= largest * 2 ** -8))).toBe(-1);
      expect(JSON.stringify(scheduleGraph(source, few.capabilities, ['tf32']).module)).toContain('"in":"tf32"');
    },
    120_000,
  );

  const [, whole] = onUnits['halves in whole tiles']!;
  const broken = (change: (text: string) => string): Promise<unknown> =>
    run(
      withText(few, change),
      whole,
      whole.inputs.map(({ shape }, i) => randomTensor(createRandom(i + 1), 'f16', shape)),
    );
  it.each<readonly [string, (text: string) => string, RegExp]>([
    ['are told of what threads stored', (text) => text.replace('matrix_publish();', ''), /published to no matrix unit/],
    ['keep their factors until they are settled', (text) => text.replace('matrix_settle<1>();', ''), /a product of thread 0 and those beside it reads that is not settled/],
    ['read no tile that is on its way', (text) => text.replace('fetch_await<1>();', 'fetch_await<3>();'), /no thread of the block wrote|has not awaited/],
    ['read tiles where they lie', (text) => text.replace(/swizzled_2\(\(t \* 8\)\)/g, '(t * 8 + 64)'), /no thread of the block wrote|bytes .* of the/],
  ])('%s', async (_, change, reason) => {
    await expect(broken(change)).rejects.toThrow(reason);
  });
});
