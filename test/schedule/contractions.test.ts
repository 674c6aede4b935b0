// Blocked products of odd shapes against the reference: every stride, dilation, padding, group, transposition and broadcast, on machines
// whose small caches make every loop of the blocking run more than once.
import { describe, expect, it } from 'vitest';
import type { NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import { toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { WordParts } from '../../src/core/words.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Kernel } from '../../src/kernel/ir.ts';
import type { Capabilities } from '../../src/runtime/device.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createRandom, randomTensor } from './randomGraph.ts';
import type { Random } from './randomGraph.ts';
import { createCapabilities, createSimtCapabilities, expectClose, interpretSchedule, lowered, problemsOf } from '../kernel/machine.ts';

const machines = {
  'vectors of 4, small caches': createCapabilities({ vectorLanes: 4, pointerBytes: 4, l1Bytes: 1 << 10, l2Bytes: 1 << 12 }),
  'vectors of 8': createCapabilities({ vectorLanes: 8, l1Bytes: 1 << 13, l2Bytes: 1 << 15 }),
  'vectors of 16, 32 registers': createCapabilities({ vectorLanes: 16, vectorRegisters: 32 }),
};

const threads = {
  'blocks of threads': createSimtCapabilities({ units: 2 }),
  'threads that take turns': createSimtCapabilities({ subgroupThreads: 4, shuffleThreads: 4, turns: { registers: 80, loadCost: 16, stridedCost: 1 } }),
  'small blocks of threads with vectors': createSimtCapabilities({ maxThreads: 32, subgroupThreads: 8, sharedBytes: 4 << 10, vectorLanes: 4, units: 8 }),
};
/** They take turns in the interpreter, which is slow. */
const SEEDS_OF_THREADS = 3;

interface Maker {
  readonly b: Builder;
  readonly random: Random;
  readonly operands: Operand[];
  readonly values: NumericTensor[];
}

const between = (random: Random, low: number, high: number): number => low + random(high - low + 1);

/** An operand with random contents: known at load, or given with each run. */
function operand({ b, random, operands, values }: Maker, dtype: NumericDType, shape: readonly number[]): Operand {
  // Words use all of their bits.
  const tensor =
    dtype === 'i32'
      ? tensorFrom(
          dtype,
          shape,
          Int32Array.from({ length: elementCount(shape) }, () => random(2 ** 32)),
        )
      : randomTensor(random, dtype, shape);
  if (random(2) === 0) return b.constant(tensor);
  values.push(tensor);
  operands.push(b.input({ dtype, shape }, `x${values.length}`));
  return operands.at(-1)!;
}

/** A matrix, or its transpose seen the other way round. */
function matrix(m: Maker, dtype: NumericDType, batch: readonly number[], rows: number, columns: number): Operand {
  if (m.random(3) > 0) return operand(m, dtype, [...batch, rows, columns]);
  const axes = batch.map((_, i) => i);
  return m.b.transpose(operand(m, dtype, [...batch, columns, rows]), [...axes, batch.length + 1, batch.length]);
}

const ACCUMULATORS: readonly (readonly [NumericDType, NumericDType, WordParts?])[] = [
  ['f32', 'f32'],
  ['f32', 'f32'],
  ['f16', 'f32'],
  ['i8', 'i32'],
  ['f64', 'f64'],
  ['i32', 'i32', 'bytes'],
  ['i32', 'i32', 'shorts'],
];

/** Work behind the contraction: a bias along an axis, a clip, and now and then a residual of the same shape or another order of axes. */
function epilogue(m: Maker, sums: Operand, axis: number): Operand {
  const { b, random } = m;
  const bias = operand(m, sums.dtype, [sums.shape[axis]!]);
  const shaped = b.reshape(
    bias,
    sums.shape.map((d, i) => (i === axis ? d : 1)),
  );
  const added = b.max(b.add(sums, b.expand(shaped, sums.shape)), b.full(sums.dtype, sums.shape, 0));
  if (random(3) === 0) return b.add(added, operand(m, sums.dtype, sums.shape));
  if (random(4) === 0) {
    const perm = sums.shape.map((_, i) => (i + 1) % sums.shape.length);
    return b.transpose(added, perm);
  }
  return random(2) === 0 ? added : sums;
}

function randomMatmul(m: Maker): Operand {
  const { b, random } = m;
  const [from, acc, words] = ACCUMULATORS[random(ACCUMULATORS.length)]!;
  const sizes = (): number => (random(4) === 0 ? 1 : between(random, 1, 70));
  const [rows, columns, depth] = [sizes(), sizes(), between(random, 1, 90)];
  const batches = [[], [], [3], [2, 3]] as const;
  const batch = batches[random(batches.length)]!;
  const own = (): number[] => batch.map((d) => (random(4) === 0 ? 1 : d));
  const x = matrix(m, from, own(), rows, depth);
  const y = matrix(m, from, own(), depth, columns);
  const sums = b.matmul(x, y, acc, words);
  return epilogue(m, sums, sums.shape.length - 1);
}

/** Few rows, and columns that lie along the sum, as weights of linear layers and caches of keys do. */
function randomFewRows(m: Maker): Operand {
  const { b, random } = m;
  const [from, acc] = ACCUMULATORS[random(5)]!;
  const batch = random(3) === 0 ? [3] : [];
  const [rows, columns, depth] = [between(random, 1, 9), between(random, 2, 150), between(random, 64, 150)];
  const x = operand(m, from, [...(random(2) === 0 ? batch : batch.map(() => 1)), rows, depth]);
  const w = operand(m, from, [...batch, columns, depth]);
  const axes = batch.map((_, i) => i);
  const sums = b.matmul(x, b.transpose(w, [...axes, batch.length + 1, batch.length]), acc);
  return epilogue(m, sums, sums.shape.length - 1);
}

function randomConv(m: Maker): Operand {
  const { b, random } = m;
  const [from, acc, words] = ACCUMULATORS[random(ACCUMULATORS.length)]!;
  const rank = [1, 2, 2, 2, 3][random(5)]!;
  const groups = [1, 1, 1, 2, 5][random(5)]!;
  const isDepthwise = random(4) === 0;
  const channels = isDepthwise ? 1 : between(random, 1, 9);
  const filters = isDepthwise ? between(random, 1, 2) : between(random, 1, 20);
  const pointwise = random(4) === 0;
  const each = (make: (i: number) => number): number[] => Array.from({ length: rank }, (_, i) => make(i));
  // A sequence as an image of one column.
  const isColumn = rank === 2 && random(5) === 0;
  const taps = each((i) => (pointwise || (isColumn && i === 1) ? 1 : between(random, 1, 4)));
  const strides = each(() => (pointwise && random(2) === 0 ? 1 : between(random, 1, 3)));
  const dilations = each(() => between(random, 1, 3));
  const low = each((i) => (pointwise || (isColumn && i === 1) ? 0 : random(4)));
  const high = each((i) => (pointwise || (isColumn && i === 1) ? 0 : random(4)));
  const span = rank === 3 ? 7 : rank === 2 ? 25 : 90;
  const sizes = each((i) => Math.max((taps[i]! - 1) * dilations[i]! + 1 - low[i]! - high[i]!, 1) + (isColumn && i === 1 ? 0 : random(span)));
  const count = isDepthwise ? between(random, 2, 6) : groups;
  const x = operand(m, from, [between(random, 1, 2), channels * count, ...sizes]);
  const w = operand(m, from, [filters * count, channels, ...taps]);
  return epilogue(m, b.conv(x, w, { strides, dilations, low, high, groups: count, acc, ...(words === undefined ? {} : { words }) }), 1);
}

/** Enough channels and filters for minimal filtering to pay, on images of any size and padding. */
function randomWinograd(m: Maker): Operand {
  const { b, random } = m;
  const groups = random(4) === 0 ? 2 : 1;
  const [channels, filters] = [between(random, 46, 48), between(random, 90, 96)];
  const sides = Array.from({ length: 4 }, () => random(3));
  const x = operand(m, 'f32', [groups === 1 && random(4) === 0 ? 2 : 1, channels * groups, between(random, 15, 20), between(random, 17, 20)]);
  const w = b.constant(randomTensor(random, 'f32', [filters * groups, channels, 3, 3]));
  return epilogue(m, b.conv(x, w, { strides: [1, 1], dilations: [1, 1], low: sides.slice(0, 2), high: sides.slice(2), groups, acc: 'f32' }), 1);
}

/** Taps of filtering along both axes, and along one. */
const FILTERED = [[3, 3], [1, 7], [7, 1], [5, 5], [5], [1, 3]] as const;

/** The same where channels lie side by side in memory, for what is read and what is stored: images and sequences. */
function randomWinogradLast(m: Maker, seed: number): Operand {
  const { b, random } = m;
  const groups = random(4) === 0 ? 2 : 1;
  const taps = FILTERED[seed % FILTERED.length]!;
  const [channels, filters] = [between(random, 30, 33), between(random, 56, 70)];
  const sizes = taps.map((size) => (taps.length === 1 ? 100 : between(random, 8, 11) + size));
  const [low, high] = [taps.map((size) => random(size)), taps.map((size) => random(size))];
  const first = [0, sizes.length + 1, ...sizes.map((_, i) => i + 1)];
  const last = [0, ...sizes.map((_, i) => i + 2), 1];
  const x = operand(m, 'f32', [random(4) === 0 ? 2 : 1, ...sizes, channels * groups]);
  const w = b.constant(randomTensor(random, 'f32', [filters * groups, channels, ...taps]));
  const ones = taps.map(() => 1);
  const sums = b.conv(b.transpose(x, first), w, { strides: ones, dilations: ones, low, high, groups, acc: 'f32' });
  const bias = b.reshape(operand(m, 'f32', [filters * groups]), [1, filters * groups, ...ones]);
  return b.transpose(b.max(b.add(sums, b.expand(bias, sums.shape)), b.full('f32', sums.shape, 0)), last);
}

/** One channel and one filter in each group, side by side in memory: images and sequences of any stride, dilation and padding. */
function randomDepthwiseLast(m: Maker): Operand {
  const { b, random } = m;
  const rank = random(4) === 0 ? 1 : 2;
  const channels = between(random, 3, 45);
  const each = (make: () => number): number[] => Array.from({ length: rank }, make);
  const [taps, strides, dilations] = [each(() => between(random, 1, 5)), each(() => between(random, 1, 3)), each(() => between(random, 1, 2))];
  const [low, high] = [each(() => random(4)), each(() => random(4))];
  const sizes = each(() => 9 + random(14));
  const [from, acc] = (
    [
      ['f32', 'f32'],
      ['f32', 'f32'],
      ['f16', 'f32'],
      ['i8', 'i32'],
    ] as const
  )[random(4)]!;
  const first = [0, rank + 1, ...sizes.map((_, i) => i + 1)];
  const last = [0, ...sizes.map((_, i) => i + 2), 1];
  const x = b.transpose(operand(m, from, [between(random, 1, 2), ...sizes, channels]), first);
  const w = b.constant(randomTensor(random, from, [channels, 1, ...taps]));
  const sums = b.conv(x, w, { strides, dilations, low, high, groups: channels, acc });
  return b.transpose(random(2) === 0 ? sums : b.max(sums, b.full(acc, sums.shape, 0)), last);
}

/** One convolution of any shape whose results lie with channels last; what it reads does too, or lies in row-major order. */
function randomConvLast(m: Maker): Operand {
  const { b, random } = m;
  const rank = [1, 2, 2, 2, 2, 3][random(6)]!;
  const groups = random(4) === 0 ? 2 : 1;
  const [channels, filters] = [between(random, 1, 24), between(random, 2, 40)];
  const each = (make: () => number): number[] => Array.from({ length: rank }, make);
  const isPlain = rank === 3 || random(3) === 0;
  const [taps, strides, dilations] = [each(() => between(random, 1, 4)), each(() => between(random, 1, 3)), each(() => between(random, 1, 2))];
  const [low, high] = [each(() => (isPlain ? 0 : random(4))), each(() => (isPlain ? 0 : random(4)))];
  const sizes = taps.map((size, i) => (size - 1) * dilations[i]! + 1 + random(rank === 3 ? 4 : 15));
  const [from, acc, words] = ACCUMULATORS[random(ACCUMULATORS.length)]!;
  const first = [0, rank + 1, ...sizes.map((_, i) => i + 1)];
  const last = [0, ...sizes.map((_, i) => i + 2), 1];
  const batch = between(random, 1, 2);
  const x = random(4) === 0 ? operand(m, from, [batch, channels * groups, ...sizes]) : b.transpose(operand(m, from, [batch, ...sizes, channels * groups]), first);
  const w = operand(m, from, [filters * groups, channels, ...taps]);
  const sums = b.conv(x, w, { strides, dilations, low, high, groups, acc, ...(words === undefined ? {} : { words }) });
  return b.transpose(random(2) === 0 ? sums : b.max(sums, b.full(acc, sums.shape, 0)), last);
}

/** Convolutions of images with channels first, as callers bind them, with filters enough that vectors run along those, of one tap or several. */
function randomConvFirst(m: Maker): Operand {
  const { b, random } = m;
  const groups = random(4) === 0 ? 2 : 1;
  const [channels, filters] = [between(random, 4, 20), between(random, 20, 40)];
  const size = [1, 1, 3, 3][random(4)]!;
  const pad = random(3) === 0 ? 0 : size >> 1;
  const [strides, low] = [
    [between(random, 1, 2), between(random, 1, 2)],
    [pad, pad],
  ];
  const x = m.b.input({ dtype: 'f32', shape: [between(random, 1, 2), channels * groups, between(random, 6, 11), between(random, 6, 19)] }, 'image');
  m.operands.push(x);
  m.values.push(randomTensor(random, 'f32', x.shape));
  const w = b.constant(randomTensor(random, 'f32', [filters * groups, channels, size, size]));
  return epilogue(m, b.conv(x, w, { strides, dilations: [1, 1], low, high: low, groups, acc: 'f32' }), 1);
}

/** Convolutions that follow one another, with what stands between them in nets: whose results lie as the schedule likes. */
function randomNet(m: Maker): Operand {
  const { b, random } = m;
  const conv = (x: Operand, filters: number, size: number, stride: number): Operand => {
    const channels = x.shape[1]!;
    const w = b.constant(randomTensor(random, 'f32', [filters, channels, size, size]));
    const low = [size >> 1, size >> 1];
    return b.conv(x, w, { strides: [stride, stride], dilations: [1, 1], low, high: low, groups: 1, acc: 'f32' });
  };
  const small = (x: Operand): Operand => b.mul(x, b.full('f32', x.shape, 1 / 64));
  const pool = (x: Operand): Operand => {
    const windows = b.window(
      x,
      [2, 3].map((axis) => ({ axis, size: 2, stride: 2, dilation: 1 })),
    );
    return b.reshape(b.reduce('max', windows, [4, 5]), windows.shape.slice(0, 4));
  };
  const steps: readonly ((x: Operand) => Operand)[] = [
    pool,
    (x) => b.max(x, b.full('f32', x.shape, 0)),
    (x) => b.add(small(conv(x, x.shape[1]!, 3, 1)), x),
    (x) => b.concat([small(conv(x, 16, 1, 1)), small(conv(x, 24, 3, 1))], 1),
    (x) => small(conv(x, 32, 1 + 2 * random(2), 1 + random(2))),
    (x) => b.slice(x, [0, 4, 0, 0], [...x.shape.slice(0, 1), x.shape[1]! - 4, ...x.shape.slice(2)], [1, 1, 1, 1]),
    // The groups of channels exchanged with what is within them.
    (x) => b.reshape(b.transpose(b.reshape(x, [x.shape[0]!, 2, x.shape[1]! / 2, ...x.shape.slice(2)]), [0, 2, 1, 3, 4]), x.shape),
  ];
  const heads: readonly ((x: Operand) => Operand)[] = [
    (x) => x,
    (x) => b.reduce('sum', x, [2, 3]),
    (x) => b.reduce('max', x, [1]),
    (x) => {
      const flat = b.reshape(x, [x.shape[0]!, elementCount(x.shape.slice(1))]);
      return b.matmul(flat, b.constant(randomTensor(random, 'f32', [flat.shape[1]!, 8])), 'f32');
    },
    (x) => b.transpose(b.reshape(x, [x.shape[0]!, x.shape[1]!, x.shape[2]! * x.shape[3]!]), [0, 2, 1]),
  ];
  let x = small(conv(operand(m, 'f32', [between(random, 1, 2), 3, 12, 16]), 32, 3, 1));
  for (let i = between(random, 2, 4); i > 0; i--) x = steps[random(steps.length)]!(x);
  return heads[random(heads.length)]!(small(conv(x, 32, 1, 1)));
}

interface Kind {
  readonly make: (m: Maker, seed: number) => Operand;
  readonly seeds: number;
  /** A kernel that some of them must have, where the machine has room for it, and what it may be off by: a part of the largest result. */
  readonly kernel?: string;
  readonly error?: number;
  /** Whether some of them must have blocks of results that are turned around: as many as a vector has lanes, squared. */
  readonly turns?: boolean;
}

const kinds: Readonly<Record<string, Kind>> = {
  'matrix products': { make: randomMatmul, seeds: 20 },
  'products of few rows': { make: randomFewRows, seeds: 16, kernel: 'dots' },
  convolutions: { make: randomConv, seeds: 20 },
  'convolutions, channels first': { make: randomConvFirst, seeds: 8, error: 8e-6, turns: true },
  'convolutions, channels last': { make: randomConvLast, seeds: 20 },
  'nets of convolutions': { make: randomNet, seeds: 12, error: 8e-6 },
  'convolutions by filtering, channels last': { make: randomWinogradLast, seeds: FILTERED.length, kernel: 'winograd', error: 8e-6 },
  'depthwise convolutions, channels last': { make: randomDepthwiseLast, seeds: 16, kernel: 'depthwise' },
  'convolutions of 3×3': { make: randomWinograd, seeds: 2, kernel: 'winograd', error: 8e-6 },
};

/** Schedules one contraction and holds it to the reference; gives its kernels. */
function check(capabilities: Capabilities, kind: string, { make, error = 0 }: Kind, seed: number): readonly Kernel[] {
  const m: Maker = { b: createBuilder(createFolder()), random: createRandom(seed * 31 + kind.length), operands: [], values: [] };
  const graph = m.b.finish('contractions', m.operands, [make(m, seed)]);
  const schedule = scheduleGraph(graph, capabilities);
  expect(problemsOf(graph, schedule), `seed ${seed}`).toEqual([]);
  const expected = interpretPrims(graph, m.values);
  const actual = interpretSchedule(graph, schedule, m.values, seed % 2 === 0 ? 'forward' : 'backward', seed % 3 === 0 ? lowered(schedule.module) : schedule.module);
  expected.forEach((tensor, i) => {
    const largest = toNumbers(tensor).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    expectClose(actual[i]!, tensor, `seed ${seed}`, Math.max(1e-4, error * largest));
  });
  return schedule.module.kernels;
}

describe.each(Object.entries(machines))('contractions with %s', (machine, capabilities) => {
  it.each(Object.entries(kinds))(
    '%s are what the reference says',
    (kind, given) => {
      const { seeds, kernel, turns } = given;
      const kernels = Array.from({ length: seeds }, (_, seed) => check(capabilities, kind, given, seed)).flat();
      if (machine.endsWith('small caches')) return;
      if (kernel !== undefined) expect(kernels.map(({ name }) => name.replace(/_\d+$/, ''))).toContain(kernel);
      if (turns === true && capabilities.family === 'simd')
        expect(kernels.flatMap(({ scratch }) => scratch.map(({ elements }) => elements))).toContain(capabilities.simd.vectorLanes ** 2);
    },
    120_000,
  );
});

describe.each(Object.entries(threads))('contractions with %s', (_, capabilities) => {
  it.each(Object.entries(kinds).filter(([, { kernel, turns }]) => kernel === undefined && turns === undefined))(
    '%s are what the reference says',
    (kind, given) => {
      for (let seed = 0; seed < SEEDS_OF_THREADS; seed++) check(capabilities, kind, given, seed);
    },
    300_000,
  );
});

describe('groups of a convolution with channels last', () => {
  const stepsOf = (filters: number): number => {
    const b = createBuilder(createFolder());
    const [groups, channels] = [4, 32];
    const x = b.input({ dtype: 'f32', shape: [1, 2, 2, groups * channels] }, 'x');
    const w = b.constant(randomTensor(createRandom(1), 'f32', [groups * filters, channels, 1, 1]));
    const sums = b.conv(b.transpose(x, [0, 3, 1, 2]), w, { strides: [1, 1], dilations: [1, 1], low: [0, 0], high: [0, 0], groups, acc: 'f32' });
    const graph = b.finish('groups', [x], [b.transpose(sums, [0, 2, 3, 1])]);
    return scheduleGraph(graph, machines['vectors of 16, 32 registers']).module.kernels.find(({ name }) => name.startsWith('conv'))!.grid.extent;
  };

  it('are grid steps of their own where each fills lines of a cache', () => expect(stepsOf(32)).toBeGreaterThanOrEqual(4));
  it('are parts of the same grid step where they meet in such a line, which two threads would fight for', () => expect(stepsOf(36)).toBe(1));
});
