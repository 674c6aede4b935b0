// Ascend on a virtual chip: rendered Ascend C, compiled by the chip's compiler and launched through the ACL runtime, computes what the
// reference computes; the chip names the rule that a kernel breaks.
import { describe, expect, it } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Target } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createAscendTarget } from '../../src/targets/ascend/target.ts';
import { ascendChips } from '../../src/targets/ascend/facts.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { expectClose, expectRandomGraphs, run, withText } from './onTarget.ts';

const open = (chip: string): Target => createAscendTarget().virtual!.open(chip, `ascend:virtual/${chip}`)!;
const target = open('910b4');
const works = (await target.probe()).ok;

/** f(x) of 1000 numbers, as vector instructions. */
function vectorGraph(): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: [1000] }, 'x');
  const y = b.input({ dtype: 'f16', shape: [1000] }, 'y');
  const graph = b.finish('vectors', [x, y], [b.where(b.lt(x, b.cast(y, 'f32')), b.exp(b.mul(x, b.scalar('f32', 0.5))), b.floor(x)), b.mul(y, y)]);
  const random = createRandom(3);
  return { graph, inputs: [randomTensor(random, 'f32', [1000]), randomTensor(random, 'f16', [1000])] };
}

describe.skipIf(!works)('ascend:virtual', () => {
  it('computes random graphs as the reference does', () => expectRandomGraphs(target, 0), 120_000);

  it('computes in vector instructions, halves too', async () => {
    const { graph, inputs } = vectorGraph();
    const [text] = target.createRenderer().render(scheduleGraph(graph, target.capabilities).module).units;
    for (const word of ['DataCopyPad(', 'Compare(', 'Select(', 'Cast(', 'Muls(', 'SetFlag<HardEvent::MTE2_V>', 'WaitFlag<HardEvent::V_MTE3>', 'PipeBarrier<PIPE_V>()'])
      expect(text).toContain(word);
    const expected = interpretPrims(graph, inputs);
    const actual = await run(target, graph, inputs);
    expected.forEach((tensor, i) => expectClose(actual[i]!, tensor, `output ${i}`));
  }, 60_000);

  it('computes a softmax of rows in the unified buffer', async () => {
    const b = createBuilder(createFolder());
    const x = b.input({ dtype: 'f32', shape: [9, 130] }, 'x');
    const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
    const graph = b.finish('softmax', [x], [b.div(e, b.reduce('sum', e, [1]))]);
    const inputs = [randomTensor(createRandom(5), 'f32', [9, 130])];
    const [text] = target.createRenderer().render(scheduleGraph(graph, target.capabilities).module).units;
    for (const word of ['ReduceMax(', 'ReduceSum(', 'WaitFlag<HardEvent::V_S>']) expect(text).toContain(word);
    expectClose((await run(target, graph, inputs))[0]!, interpretPrims(graph, inputs)[0]!, 'softmax');
  }, 60_000);

  const matrices = (['f16', 'bf16', 'f32', 'i8'] as const).flatMap((dtype) =>
    [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ].map(([a, b]) => [dtype, a!, b!] as const),
  );
  it.each(matrices)(
    'multiplies %s on cube cores (factors turned: %s, %s)',
    async (dtype, turnA, turnB) => {
      const [m, k, n] = [70, 140, 90];
      const b = createBuilder(createFolder());
      const matrix = (name: string, rows: number, columns: number, isTurned: boolean) => b.input({ dtype, shape: isTurned ? [columns, rows] : [rows, columns] }, name);
      const [x, y] = [matrix('x', m, k, turnA), matrix('y', k, n, turnB)];
      const turned = (operand: typeof x, isTurned: boolean) => (isTurned ? b.transpose(operand, [1, 0]) : operand);
      const graph = b.finish('product', [x, y], [b.matmul(turned(x, turnA), turned(y, turnB), dtype === 'i8' ? 'i32' : 'f32')]);
      const [text] = target.createRenderer().render(scheduleGraph(graph, target.capabilities).module).units;
      for (const word of ['KERNEL_TYPE_AIC_ONLY', 'Mmad(', 'Fixpipe<', turnA ? 'any_turn_a(a' : 'any_fill_a(a', turnB ? 'any_fill_b(b' : 'any_turn_b(b'])
        expect(text).toContain(word);
      const inputs = graph.inputs.map((operand, i) => randomTensor(createRandom(i + 1), operand.dtype, operand.shape));
      expectClose((await run(target, graph, inputs))[0]!, interpretPrims(graph, inputs)[0]!, 'product');
    },
    60_000,
  );

  it.each(['f16', 'bf16'] as const)(
    'rounds sums to %s as they are stored',
    async (dtype) => {
      const b = createBuilder(createFolder());
      const [x, y] = [b.input({ dtype, shape: [70, 140] }, 'x'), b.input({ dtype, shape: [140, 90] }, 'y')];
      const graph = b.finish('product', [x, y], [b.cast(b.matmul(x, y, 'f32'), dtype)]);
      const { module } = scheduleGraph(graph, target.capabilities);
      expect(module.kernels).toHaveLength(1);
      expect(target.createRenderer().render(module).units[0]).toContain(`QuantMode_t::F322${dtype.toUpperCase()}`);
      const inputs = graph.inputs.map((operand, i) => randomTensor(createRandom(i + 1), operand.dtype, operand.shape));
      expectClose((await run(target, graph, inputs))[0]!, interpretPrims(graph, inputs)[0]!, 'product', dtype === 'f16' ? 2e-3 : 1e-2);
    },
    60_000,
  );

  it('convolves on cube cores, with work before and behind by vector cores', async () => {
    const b = createBuilder(createFolder());
    const x = b.input({ dtype: 'f32', shape: [2, 24, 14, 14] }, 'x');
    const [w, bias] = [b.constant(randomTensor(createRandom(2), 'f32', [64, 24, 3, 3])), b.constant(randomTensor(createRandom(3), 'f32', [1, 64, 1, 1]))];
    const y = b.conv(x, w, { strides: [1, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 1, acc: 'f32' });
    const graph = b.finish('convolution', [x], [b.max(b.add(y, bias), b.scalar('f32', 0))]);
    const [text] = target.createRenderer().render(scheduleGraph(graph, target.capabilities).module).units;
    for (const word of ['Mmad(', 'KERNEL_TYPE_AIV_ONLY']) expect(text).toContain(word);
    const inputs = [randomTensor(createRandom(5), 'f32', x.shape)];
    expectClose((await run(target, graph, inputs))[0]!, interpretPrims(graph, inputs)[0]!, 'convolution');
  }, 60_000);

  it.each(Object.keys(ascendChips))('has a virtual %s', (name) => {
    expect(open(name).capabilities).toMatchObject({ family: 'tile', tile: { cores: ascendChips[name as keyof typeof ascendChips].attributes!.units } });
  });

  it('lets no f64 on the device', () => expect(target.capabilities.storage).not.toContain('f64'));
});

/** One rule broken at a time, in the text of a kernel, and what the chip says. */
const mutants: readonly (readonly [string, (text: string) => string, RegExp])[] = [
  ['a wait that is left out', (t) => t.replaceAll(/(Set|Wait)Flag<HardEvent::MTE2_V>\(EVENT_ID\d\);/g, ''), /missing order: .*has not waited for the MTE2 pipe/],
  ['a barrier that is left out', (t) => t.replaceAll(' PipeBarrier<PIPE_V>();', ''), /missing order: .*no barrier between/],
  ['a flag that nothing waits for', (t) => t.replace(/WaitFlag<HardEvent::V_MTE3>\(EVENT_ID\d\);/, ''), /missing order/],
  ['a buffer larger than the core has', (t) => t.replace(/InitBuffer\((\w+), \d+/, 'InitBuffer($1, 100000'), /limit of the chip: .*of scratchpad/],
  ['a vector at an odd place', (t) => t.replace(/Muls\((\w+),/, 'Muls($1[3],'), /misaligned|out of bounds/],
  ['a copy past the end', (t) => t.replace(/\(uint32_t\)\((\d+) \* 4\)/, '(uint32_t)(100000 * 4)'), /out of bounds/],
  ['a count that is no whole repeat', (t) => t.replace(/(Compare\w*\([^;]*), \d+\);/, '$1, 100);'), /granularity/],
  ['a tail that is not filled', (t) => t.replaceAll(/Duplicate\([^;]*;/g, ''), /never-written/],
  [
    'scalar stores that stay in the cache',
    (t) => t.replace('const i64 g = GetBlockIdx();', `$& if (g == 0) ${/DataCopyPad\((b\d+)/.exec(t)![1]!}.SetValue(0, 0);`),
    /missing order: .*cache/,
  ],
];

describe.skipIf(!works)('ascend:virtual names', () => {
  it.each(mutants)(
    '%s',
    async (_, mutate, message) => {
      const { graph, inputs } = vectorGraph();
      const changed = withText(target, mutate);
      await expect(run(changed, graph, inputs)).rejects.toThrow(message);
    },
    60_000,
  );
});
