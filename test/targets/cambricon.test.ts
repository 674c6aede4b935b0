// MLU chips on a virtual one: rendered BANG C, compiled and launched through the chip's driver interface, computes what the reference
// computes; the chip names the rule that a kernel breaks.
import { describe, expect, it } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Operand, PrimGraph } from '../../src/graph/builder.ts';
import { allStatements } from '../../src/kernel/statements.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createCambriconTarget } from '../../src/targets/cambricon/target.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { expectClose, expectRandomGraphs, run, withText } from './onTarget.ts';

const target = createCambriconTarget().virtual!.open('mlu370', 'cambricon:virtual')!;
const works = (await target.probe()).ok;

/** Vector functions of 1000 numbers, halves among them. */
function vectorGraph(): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const b = createBuilder(createFolder());
  const [x, y] = [b.input({ dtype: 'f32', shape: [1000] }, 'x'), b.input({ dtype: 'f16', shape: [1000] }, 'y')];
  const graph = b.finish('vectors', [x, y], [b.sqrt(b.abs(b.add(b.mul(x, b.cast(y, 'f32')), b.scalar('f32', 0.5))))]);
  const random = createRandom(3);
  return { graph, inputs: [randomTensor(random, 'f32', [1000]), randomTensor(random, 'f16', [1000])] };
}

/** Sides of which none is a multiple of what the unit has, wide enough for it to be used. */
const sides = { m: 77, n: 141, k: 203 } as const;
type Turned = 'as it is' | 'turned';

/** a · b with a bias along columns and a matrix added, its positive part, as `to`. */
function productGraph(
  dtype: 'f32' | 'f16',
  [turnA, turnB]: readonly [Turned, Turned],
  to: 'f32' | 'f16',
  isPlain = false,
): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const { m, n, k } = sides;
  const b = createBuilder(createFolder());
  const shapes = [turnA === 'turned' ? [k, m] : [m, k], turnB === 'turned' ? [n, k] : [k, n], [n], [m, n]] as const;
  const inputs = shapes.map((shape, i) => b.input({ dtype: i < 2 ? dtype : to, shape }, `x${i}`));
  const [x, y, bias, other] = inputs;
  const turned = (e: Operand, turn: Turned): Operand => (turn === 'turned' ? b.transpose(e, [1, 0]) : e);
  const sum = b.cast(b.matmul(turned(x!, turnA), turned(y!, turnB), 'f32'), to);
  const graph = b.finish('product', inputs, [isPlain ? sum : b.max(b.add(b.add(sum, bias!), other!), b.scalar(to, 0))]);
  const random = createRandom(9);
  return { graph, inputs: shapes.map((shape, i) => randomTensor(random, i < 2 ? dtype : to, shape)) };
}

describe.skipIf(!works)('cambricon:virtual', () => {
  it.each([
    ['f32', ['as it is', 'as it is'], 'f32'],
    ['f32', ['turned', 'turned'], 'f16'],
    ['f16', ['as it is', 'turned'], 'f32'],
    ['f16', ['turned', 'as it is'], 'f16'],
  ] as const)(
    'multiplies %s, %s, on the matrix unit, with what follows in %s',
    async (dtype, turns, to) => {
      for (const isPlain of [false, true]) {
        const { graph, inputs } = productGraph(dtype, turns, to, isPlain);
        const { module } = scheduleGraph(graph, target.capabilities);
        expect(module.kernels.map(({ name }) => name)).toEqual(['matmul_0']);
        const [text] = target.createRenderer().render(module).units;
        for (const word of ['__bang_matmul(', '__bang_reshape_filter(', 'NRAM2WRAM', '__sync_move();']) expect(text).toContain(word);
        expectClose((await run(target, graph, inputs))[0]!, interpretPrims(graph, inputs)[0]!, `${dtype} ${turns.join()}`, to === 'f16' ? 4e-3 : 1e-4);
      }
    },
    180_000,
  );

  it.each(['i32', 'f32'] as const)(
    'multiplies bytes as f32 on the matrix unit, exactly, with what follows in %s',
    async (to) => {
      const { m, n, k } = sides;
      const b = createBuilder(createFolder());
      const [x, y] = [b.input({ dtype: 'i8', shape: [m, k] }, 'x'), b.input({ dtype: 'i8', shape: [k, n] }, 'y')];
      const sum = b.matmul(x, y, 'i32');
      const graph = b.finish('bytes', [x, y], [to === 'i32' ? sum : b.mul(b.cast(sum, 'f32'), b.scalar('f32', 0.25))]);
      const inputs = graph.inputs.map((operand, i) => randomTensor(createRandom(i + 1), 'i8', operand.shape));
      const { module } = scheduleGraph(graph, target.capabilities);
      expect(target.createRenderer().render(module).units[0]).toContain('__bang_matmul(');
      expectClose((await run(target, graph, inputs))[0]!, interpretPrims(graph, inputs)[0]!, 'bytes', 0);
    },
    60_000,
  );

  it('does not use it for bytes of which sums could be more than f32 holds', () => {
    const b = createBuilder(createFolder());
    const [x, y] = [b.input({ dtype: 'i8', shape: [64, 1025] }, 'x'), b.input({ dtype: 'i8', shape: [1025, 64] }, 'y')];
    const { module } = scheduleGraph(b.finish('bytes', [x, y], [b.matmul(x, y, 'i32')]), target.capabilities);
    expect(target.createRenderer().render(module).units[0]).not.toContain('__bang_matmul(');
  });

  it('convolves on the matrix unit, with windows of images before it and what follows on its tiles', async () => {
    const b = createBuilder(createFolder());
    const x = b.input({ dtype: 'f32', shape: [1, 19, 23, 21] }, 'x');
    const w = b.constant(randomTensor(createRandom(4), 'f32', [70, 19, 3, 3]));
    const bias = b.constant(randomTensor(createRandom(5), 'f32', [1, 70, 1, 1]));
    const y = b.conv(x, w, { strides: [1, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 1, acc: 'f32' });
    const graph = b.finish('convolution', [x], [b.max(b.add(y, bias), b.scalar('f32', 0))]);
    const inputs = [randomTensor(createRandom(6), 'f32', [1, 19, 23, 21])];
    const { kernels } = scheduleGraph(graph, target.capabilities).module;
    expect(kernels.some(({ body }) => allStatements(body).some((s) => s.kind === 'matrix'))).toBe(true);
    expect(kernels.map(({ name }) => name)).not.toContain('finish_0');
    expectClose((await run(target, graph, inputs))[0]!, interpretPrims(graph, inputs)[0]!, 'convolution');
  }, 120_000);

  it('computes random graphs as the reference does', () => expectRandomGraphs(target, 3), 120_000);

  it('computes in vector functions, halves too', async () => {
    const { graph, inputs } = vectorGraph();
    const [text] = target.createRenderer().render(scheduleGraph(graph, target.capabilities).module).units;
    for (const word of ['__nram__', '__memcpy_async(', '__bang_half2float(', '__bang_mul(', '__bang_add_scalar(', '__sync_io();', '__sync_compute();'])
      expect(text).toContain(word);
    const [expected] = interpretPrims(graph, inputs);
    expectClose((await run(target, graph, inputs))[0]!, expected!, 'vectors');
  }, 60_000);
});

const mutants: readonly (readonly [string, (text: string) => string, RegExp])[] = [
  ['copies in that nothing waits for', (t) => t.replaceAll('__sync_io();', ''), /missing order: .*has not waited for the IO pipe/],
  ['results that nothing waits for', (t) => t.replaceAll('__sync_compute();', ''), /missing order: .*has not waited for the compute pipe/],
  ['more memory than a core has', (t) => t.replace(/float tile0\[\d+\]/, 'float tile0[200000]'), /limit of the chip: .*bytes of scratchpad/],
  ['a vector at an odd place', (t) => t.replace(/__bang_mul\((\w+),/, '__bang_mul($1 + 3,'), /misaligned|out of bounds/],
  ['a length that is no multiple of 64', (t) => t.replace(/(__bang_mul\([^;]*), \d+\);/, '$1, 100);'), /granularity/],
  ['a copy past the end', (t) => t.replaceAll(/, (\d+) \* 4, NRAM2GDRAM/g, ', 100000 * 4, NRAM2GDRAM'), /out of bounds/],
  ['a tail that is not filled', (t) => t.replaceAll(/__bang_write_value\([^;]*;/g, ''), /never-written/],
];

describe.skipIf(!works)('cambricon:virtual names', () => {
  it.each(mutants)(
    '%s',
    async (_, mutate, message) => {
      const { graph, inputs } = vectorGraph();
      await expect(run(withText(target, mutate), graph, inputs)).rejects.toThrow(message);
    },
    60_000,
  );
});
