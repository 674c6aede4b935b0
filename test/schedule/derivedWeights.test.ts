// Weights that follow from something smaller: integers of a few bits with scales and zero points for blocks, columns or all, halves. Products
// with them are held to the reference, and what is kept of them in memory is what they are made of.
import { describe, expect, it } from 'vitest';
import { integerRange, isFloat } from '../../src/core/dtype.ts';
import type { NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { constantOf } from '../../src/graph/graph.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Capabilities } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { lowerOne } from '../ops/rules.ts';
import { createCapabilities, expectClose, interpretSchedule, lowered, problemsOf } from '../kernel/machine.ts';
import { createRandom, randomTensor } from './randomGraph.ts';
import type { Random } from './randomGraph.ts';

const machines = {
  'vectors of 4, small caches': createCapabilities({ vectorLanes: 4, pointerBytes: 4, l1Bytes: 1 << 10, l2Bytes: 1 << 12, loadsFirst: true, convertsHalves: false }),
  'vectors of 8': createCapabilities({ vectorLanes: 8, l1Bytes: 1 << 11, l2Bytes: 1 << 15 }),
  'vectors of 16, 32 registers': createCapabilities({ vectorLanes: 16, vectorRegisters: 32 }),
};

const dtypesOfWeights: readonly NumericDType[] = ['u4', 'i4', 'u4', 'i4', 'i2', 'u2', 'u8', 'i8', 'f16'];

const valuesOf = (random: Random, dtype: NumericDType, shape: readonly number[]): NumericTensor => {
  if (isFloat(dtype)) return randomTensor(random, dtype, shape);
  const { min, max } = integerRange(dtype);
  return tensorFrom(
    dtype,
    shape,
    Array.from({ length: elementCount(shape) }, () => Number(min) + random(Number(max - min) + 1)),
  );
};

/** A constant too large to be folded, as those of real models are. */
const large = (b: Builder, tensor: NumericTensor): Operand => b.stored({ ...constantOf(tensor), bytes: 2 ** 30 }, 'weights');

/** Weights [depth, columns] in f32 that are made of smaller things, perhaps as the transpose of what is dequantised. */
function weights(b: Builder, random: Random, depth: number, columns: number): Operand {
  const dtype = dtypesOfWeights[random(dtypesOfWeights.length)]!;
  const isTurned = random(3) === 0;
  const shape = isTurned ? [columns, depth] : [depth, columns];
  const q = large(b, valuesOf(random, dtype, shape));
  const turned = (x: Operand): Operand => (isTurned ? b.transpose(x, [1, 0]) : x);
  if (dtype === 'f16') return turned(b.cast(q, 'f32'));
  const axis = random(4) === 0 ? 1 - Number(isTurned) : Number(isTurned);
  const kind = random(4);
  const block = [0, 0, 4, 8, 16, 24][random(6)]!;
  const scaleShape = kind === 0 ? [] : block === 0 ? [shape[1 - axis]!] : shape.with(axis, Math.ceil(shape[axis]! / block));
  const scale = large(
    b,
    tensorFrom(
      'f32',
      scaleShape,
      Array.from({ length: elementCount(scaleShape) }, () => (random(8) + 1) / 4),
    ),
  );
  const zero = random(2) === 0 ? [] : [large(b, valuesOf(random, dtype, scaleShape))];
  const attrs = kind === 0 ? {} : block === 0 ? { axis: 1 - axis } : { axis, block_size: block };
  return turned(lowerOne(b, { op: 'DequantizeLinear', attrs }, [q, scale, ...zero]));
}

function randomProduct(seed: number): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const random = createRandom(seed * 17 + 5);
  const b = createBuilder(createFolder());
  const [depth, columns, rows] = [1 + random(120), 1 + random(90), [1, 1, 2, 3, 4, 7, 13, 40][random(8)]!];
  const isConv = random(5) === 0;
  const w = weights(b, random, depth, columns);
  const shape = isConv ? [2, depth, rows, 3] : random(2) === 0 ? [rows, depth] : [2, rows, depth];
  const x = b.input({ dtype: 'f32', shape }, 'x');
  const plain = { strides: [1, 1], dilations: [1, 1], low: [0, 0], high: [0, 0], groups: 1, acc: 'f32' } as const;
  const spread = (): Operand => b.reshape(w, [...shape.slice(0, -2).map(() => 1), depth, columns]);
  const sums = isConv
    ? b.conv(x, b.reshape(b.transpose(w, [1, 0]), [columns, depth, 1, 1]), plain)
    : b.matmul(x, shape.length === 2 ? w : b.expand(spread(), [2, depth, columns]), 'f32');
  const y = random(2) === 0 ? sums : b.max(b.add(sums, b.constant(tensorFrom('f32', [], [0.5]))), b.scalar('f32', 0));
  return { graph: b.finish('products', [x], [y]), inputs: [randomTensor(random, 'f32', shape)] };
}

function check(capabilities: Capabilities, seed: number): void {
  const { graph, inputs } = randomProduct(seed);
  const schedule = scheduleGraph(graph, capabilities);
  expect(problemsOf(graph, schedule), `seed ${seed}`).toEqual([]);
  const expected = interpretPrims(graph, inputs);
  const actual = interpretSchedule(graph, schedule, inputs, seed % 2 === 0 ? 'forward' : 'backward', seed % 3 === 0 ? lowered(schedule.module) : schedule.module);
  expectClose(actual[0]!, expected[0]!, `seed ${seed}`);
}

/** Bytes for each of `depth`·`columns` weights that a schedule keeps. */
function bytesOfEach(capabilities: Capabilities, rows: number, make: (b: Builder, depth: number, columns: number) => Operand): number {
  const b = createBuilder(createFolder());
  const [depth, columns] = [256, 128];
  const x = b.input({ dtype: 'f32', shape: [rows, depth] }, 'x');
  const graph = b.finish('products', [x], [b.matmul(x, make(b, depth, columns), 'f32')]);
  return scheduleGraph(graph, capabilities).memory.weightsBytes / (depth * columns);
}

const filled = (b: Builder, dtype: NumericDType, shape: readonly number[]): Operand => large(b, valuesOf(createRandom(3), dtype, shape));
const blocks = (dtype: NumericDType) => (b: Builder, depth: number, columns: number) => {
  const scales = [depth / 32, columns];
  return lowerOne(b, { op: 'DequantizeLinear', attrs: { axis: 0, block_size: 32 } }, [filled(b, dtype, [depth, columns]), filled(b, 'f32', scales), filled(b, dtype, scales)]);
};

describe.each(Object.entries(machines))('weights made of something smaller, with %s', (_, capabilities) => {
  it('multiply as the reference says', () => {
    for (let seed = 0; seed < 60; seed++) check(capabilities, seed);
  }, 120_000);

  it.each([1, 100])('are kept as that, for %d rows', (rows) => {
    const perBlock = (4 + 1) / 32;
    const halves = capabilities.family === 'simd' && capabilities.simd.convertsHalves ? 2 : 4;
    const cast = (b: Builder, depth: number, columns: number): Operand => b.cast(filled(b, 'f16', [depth, columns]), 'f32');
    const plain = (b: Builder, depth: number, columns: number): Operand => filled(b, 'f32', [depth, columns]);
    for (const [make, least] of [
      [blocks('u4'), 0.5 + perBlock],
      [blocks('i4'), 0.5 + perBlock],
      [blocks('i8'), 1 + perBlock],
      [cast, halves],
      [plain, 4],
    ] as const) {
      const bytes = bytesOfEach(capabilities, rows, make);
      expect(bytes).toBeGreaterThanOrEqual(least);
      // The last panel may have columns that are not there.
      expect(bytes).toBeLessThan(least * 1.25);
    }
  });
});
