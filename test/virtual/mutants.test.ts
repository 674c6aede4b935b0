// The virtual chip of CUDA under mutation: of rendered kernels that are in order and break one rule, it names the rule.
import { describe, it } from 'vitest';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { createCudaTarget } from '../../src/targets/cuda/target.ts';
import { constant, expectNamed, graph, softmax } from './judge.ts';
import type { Bench } from './judge.ts';
import { mutations } from './mutate.ts';

const target = createCudaTarget().virtual!.open('h100', 'cuda:virtual')!;
const { ok } = await target.probe();

const problems: Readonly<Record<string, PrimGraph>> = {
  elements: graph('f32', [301], (b, x) => [b.add(b.neg(b.abs(x)), b.scalar('f32', 1))]),
  halves: graph('f16', [3, 70], (b, x) => [b.mul(x, x), b.reduce('max', x, [1])]),
  'long rows': graph('f32', [2, 200], softmax),
  'rows of several subgroups': graph('f32', [2, 900], softmax),
  'short rows': graph('f32', [9, 12], softmax),
  columns: graph('f32', [130, 20], (b, x) => [b.div(b.reduce('sum', b.abs(x), [0]), b.reduce('max', x, [0]))]),
  product: graph('f32', [20, 24], (b, x) => [b.max(b.matmul(x, constant(b, 3, [24, 40])), b.scalar('f32', 0))]),
  attention: graph('f32', [24, 8], (b, x) => {
    const [weights] = softmax(b, b.matmul(x, constant(b, 5, [8, 40])));
    return [b.matmul(weights!, constant(b, 6, [40, 8]))];
  }),
  convolution: graph('f32', [1, 4, 9, 7], (b, x) => [
    b.conv(x, constant(b, 4, [8, 2, 3, 3]), { strides: [2, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 2, acc: 'f32' }),
  ]),
  'first of rows': graph('f32', [2, 60], (b, x) => b.topK(x, 1, 20, true)),
  'positions of extremes': graph('f32', [3, 700], (b, x) => [b.argReduce('max', x, 1, false)]),
  'positions of two extremes': graph('f32', [3, 90], (b, x) => [b.argReduce('max', x, 1, false), b.argReduce('min', x, 1, true)]),
};

describe.skipIf(!ok)('mutants of kernels on a virtual chip', () => {
  it('have the broken rule named', async () => {
    const bench: Bench = { target, mutations, every: Number(process.env['ANYCHIP_MUTANTS'] ?? 2) };
    await expectNamed(bench, Object.values(problems), 200);
  }, 600_000);
});
