// A graph with every kind of kernel that schedules of threads make: what a vendor's compiler is shown where there is no chip to run on.
import { expect } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { MachineCompiler } from '../../src/driver/compiler.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';

const constant = (b: Builder, seed: number, shape: readonly number[], dtype: NumericTensor['dtype'] = 'f32'): Operand => b.constant(randomTensor(createRandom(seed), dtype, shape));
/** Part of a graph, with an input of its own. */
type Kind = (b: Builder) => { readonly input: Operand; readonly outputs: readonly Operand[] };
const kind =
  (dtype: NumericTensor['dtype'], shape: readonly number[], build: (b: Builder, x: Operand) => readonly Operand[]): Kind =>
  (b) => {
    const input = b.input({ dtype, shape }, `x${b.mark()}`);
    return { input, outputs: build(b, input) };
  };
const softmax = (b: Builder, x: Operand, axis = 1): Operand => {
  const e = b.exp(b.sub(x, b.reduce('max', x, [axis])));
  return b.div(e, b.reduce('sum', e, [axis]));
};
/** x [heads, rows, width] attends to itself. */
const attention = (b: Builder, x: Operand): Operand => {
  const scores = b.mul(b.matmul(x, b.transpose(x, [0, 2, 1]), 'f32'), b.scalar('f32', 0.125));
  return b.cast(b.matmul(b.cast(softmax(b, scores, 2), x.dtype), x, 'f32'), x.dtype);
};
const relu = (b: Builder, x: Operand): Operand => b.max(x, b.scalar(x.dtype, 0));
const conv = (b: Builder, x: Operand, w: Operand, groups: number, stride = 1): Operand =>
  b.conv(x, w, { strides: [stride, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups, acc: 'f32' });

const kinds: Readonly<Record<string, Kind>> = {
  elements: kind('f32', [10_001], (b, x) => [b.add(b.exp(b.neg(b.abs(x))), b.scalar('f32', 1))]),
  halves: kind('f16', [3, 700], (b, x) => [b.mul(x, x), b.reduce('max', x, [1])]),
  doubles: kind('f64', [300], (b, x) => [b.exp(x)]),
  'long rows': kind('f32', [5, 700], (b, x) => [softmax(b, x)]),
  'short rows': kind('f32', [512, 12], (b, x) => [softmax(b, x)]),
  product: kind('f32', [70, 90], (b, x) => [relu(b, b.matmul(x, constant(b, 3, [90, 130])))]),
  'product of doubles': kind('f64', [40, 24], (b, x) => [b.matmul(x, constant(b, 3, [24, 50], 'f64'), 'f64')]),
  'convolution in groups': kind('f32', [2, 6, 19, 17], (b, x) => [conv(b, x, constant(b, 4, [16, 3, 3, 3]), 2, 2)]),
  'depthwise convolution': kind('f32', [1, 24, 15, 15], (b, x) => [relu(b, conv(b, x, constant(b, 5, [24, 1, 3, 3]), 24))]),
  scatter: kind('f32', [40, 8], (b, x) => [b.scatter('add', x, constant(b, 6, [12, 8]), [{ index: 0 }, { axis: 1 }], [b.reshape(b.iota('i64', [12], 0), [12, 1])])]),
  'first of rows': kind('f32', [3, 300], (b, x) => b.topK(x, 1, 200, true)),
  'positions of extremes': kind('f32', [7, 900], (b, x) => [b.argReduce('max', x, 1, false), b.argReduce('min', x, 1, true)]),
  'running sums': kind('f32', [6, 50], (b, x) => [b.scan('sum', x, 1)]),
  'product of halves': kind('f16', [256, 200], (b, x) => [b.cast(relu(b, b.matmul(x, constant(b, 7, [200, 320], 'f16'), 'f32')), 'f16')]),
  'product of brain floats': kind('bf16', [256, 200], (b, x) => [b.matmul(b.mul(x, x), constant(b, 8, [200, 320], 'bf16'), 'f32')]),
  'product of bytes': kind('i8', [256, 200], (b, x) => [b.matmul(x, constant(b, 9, [200, 320], 'i8'), 'i32')]),
  'large product': kind('f32', [256, 200], (b, x) => [b.matmul(x, constant(b, 10, [200, 320]))]),
  'convolution of halves': kind('f16', [1, 32, 30, 30], (b, x) => [conv(b, x, constant(b, 11, [64, 32, 3, 3], 'f16'), 1)]),
  attention: kind('f32', [4, 33, 64], (b, x) => [attention(b, x)]),
  'attention of halves': kind('f16', [4, 64, 64], (b, x) => [attention(b, x)]),
};

function graphOf(name: string, parts: readonly Kind[]): PrimGraph {
  const b = createBuilder(createFolder());
  const made = parts.map((part) => part(b));
  return b.finish(
    name,
    made.map(({ input }) => input),
    made.flatMap(({ outputs }) => outputs),
  );
}

/** Every kind by its name, and all of them in one graph, which a compiler takes at once. */
export const kernelKinds = new Map(Object.entries(kinds).map(([name, part]) => [name, graphOf(name, [part])]));
export const allKinds = graphOf('all', Object.values(kinds));

const ELF = [0x7f, 0x45, 0x4c, 0x46];

/** That a compiler takes the text and makes an ELF file of it. */
export async function expectMachineCode(compiler: MachineCompiler, text: string, architecture: string): Promise<void> {
  expect([...(await compiler.compile(text, architecture)).subarray(0, 4)]).toEqual(ELF);
}
