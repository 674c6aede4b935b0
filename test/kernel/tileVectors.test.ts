// What the tile family does in vector instructions: it keeps the rules of several machines, computes what the reference computes, and
// really uses them.
import { describe, expect, it } from 'vitest';
import { createBuilder } from '../../src/graph/builder.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { Builder, Operand } from '../../src/graph/builder.ts';
import type { Kernel, Stmt } from '../../src/kernel/ir.ts';
import { storePipe } from '../../src/kernel/pipes.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { WHOLE_NUMBERS, createTileCapabilities, expectClose, interpretSchedule, lowered, problemsOf } from './machine.ts';

const machines = {
  'four cores': createTileCapabilities(),
  'instructions on 64 elements': createTileCapabilities({ countMultiple: 64, scratchBytes: 8 << 10 }, 3),
  'no small floats': createTileCapabilities({ floats: [] }, 4, WHOLE_NUMBERS),
};

type Build = (b: Builder) => { readonly inputs: readonly Operand[]; readonly output: Operand };
const of =
  (dtype: 'f32' | 'f16' | 'i32' | 'u8' | 'bool', shape: readonly number[], f: (b: Builder, x: Operand) => Operand): Build =>
  (b) => {
    const x = b.input({ dtype, shape }, 'x');
    return { inputs: [x], output: f(b, x) };
  };
const two =
  (shapes: readonly [readonly number[], readonly number[]], f: (b: Builder, x: Operand, y: Operand) => Operand, dtype: 'f32' | 'bool' = 'f32'): Build =>
  (b) => {
    const [x, y] = [b.input({ dtype, shape: shapes[0] }, 'x'), b.input({ dtype: 'f32', shape: shapes[1] }, 'y')];
    return { inputs: [x, y], output: f(b, x, y) };
  };

const vectors: Readonly<Record<string, Build>> = {
  exp: of('f32', [700], (b, x) => b.exp(x)),
  log: of('f32', [700], (b, x) => b.log(x)),
  tanh: of('f32', [300], (b, x) => b.tanh(x)),
  erf: of('f32', [300], (b, x) => b.erf(x)),
  asin: of('f32', [300], (b, x) => b.asin(x)),
  'a root of a magnitude': of('f32', [2500], (b, x) => b.sqrt(b.abs(x))),
  roundings: of('f32', [700], (b, x) => b.add(b.floor(x), b.round(x))),
  'a maximum that keeps NaN': two(
    [
      [9, 70],
      [9, 70],
    ],
    (b, x, y) => b.max(x, y),
  ),
  'a bias of columns': two([[30, 70], [70]], (b, x, y) => b.max(b.add(x, y), b.scalar('f32', 0))),
  'a factor of rows': two(
    [
      [30, 70],
      [30, 1],
    ],
    (b, x, y) => b.mul(x, y),
  ),
  halves: of('f16', [1500], (b, x) => b.add(b.mul(x, x), b.scalar('f16', 1.5))),
  'a comparison': of('f32', [1200], (b, x) => b.lt(x, b.scalar('f32', 0))),
  'a choice by bools': two([[900], [900]], (b, x, y) => b.where(x, y, b.scalar('f32', 3)), 'bool'),
  'bytes as floats': of('u8', [900], (b, x) => b.cast(x, 'f32')),
  integers: of('i32', [900], (b, x) => b.add(b.mul(x, x), b.scalar('i32', 3))),
  'sums of columns': of('f32', [20, 300], (b, x) => b.reduce('sum', x, [0])),
  'maxima of columns': of('f32', [20, 90], (b, x) => b.reduce('max', x, [0])),
  'softmax of rows': of('f32', [9, 130], (b, x) => {
    const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
    return b.div(e, b.reduce('sum', e, [1]));
  }),
  'sums of long rows': of('f32', [3, 3000], (b, x) => b.reduce('sum', b.mul(x, x), [1])),
  'means of halves': of('f16', [5, 200], (b, x) => b.div(b.reduce('sum', x, [1]), b.scalar('f16', 200))),
  'a slice': of('f32', [100, 130], (b, x) => b.slice(x, [3, 5], [80, 100], [1, 1])),
  'a padded image': of('f32', [3, 9, 30], (b, x) => b.pad(x, [0, 1, 2], [0, 2, 3], b.scalar('f32', 0))),
  'rows that are cut and padded': of('f16', [5, 40], (b, x) => b.pad(b.slice(x, [1, 3], [3, 33], [1, 1]), [2, 1], [0, 5], b.scalar('f16', 0))),
  'a product': two(
    [
      [7, 20],
      [20, 96],
    ],
    (b, x, y) => b.matmul(x, y),
  ),
};

const hasInstructions = (body: readonly Stmt[]): boolean =>
  body.some(
    (s) => (s.kind === 'store' && storePipe(s) === 'vector') || (s.kind === 'for' && hasInstructions(s.body)) || (s.kind === 'if' && [s.then, s.else].some(hasInstructions)),
  );

describe.each(Object.entries(machines))('on %s', (_, capabilities) => {
  it.each(Object.entries(vectors))('%s', (name, build) => {
    const b = createBuilder(createFolder());
    const { inputs, output } = build(b);
    const graph = b.finish(name, inputs, [output]);
    const random = createRandom(name.length);
    const values = inputs.map((x) => randomTensor(random, x.dtype, x.shape));
    const schedule = scheduleGraph(graph, capabilities);
    expect(problemsOf(graph, schedule)).toEqual([]);
    const copies = ({ body }: Kernel): boolean => JSON.stringify(body, (_key, v: unknown) => (typeof v === 'bigint' ? `${v}` : v)).includes('"kind":"copy"');
    const isMoved = ['a slice', 'a padded image', 'rows that are cut and padded'].includes(name) ? copies : ({ body }: Kernel) => hasInstructions(body);
    expect(schedule.module.kernels.filter((kernel) => !isMoved(kernel)).map((k) => k.name)).toEqual([]);
    const [expected] = interpretPrims(graph, values);
    expectClose(interpretSchedule(graph, schedule, values, 'forward')[0]!, expected!, 'forward');
    expectClose(interpretSchedule(graph, schedule, values, 'backward', lowered(schedule.module))[0]!, expected!, 'backward');
  });
});

describe('work in place', () => {
  it('is one buffer for what copies read and write', () => {
    const b = createBuilder(createFolder());
    const random = createRandom(5);
    const x = b.input({ dtype: 'f32', shape: [5, 70] }, 'x');
    const w = b.constant(randomTensor(random, 'f32', [70, 70]));
    const product = b.matmul(x, w);
    const graph = b.finish('in place', [x], [b.matmul(b.div(product, b.reduce('sum', b.abs(product), [1])), w)]);
    const values = [randomTensor(random, 'f32', x.shape)];
    const schedule = scheduleGraph(graph, createTileCapabilities());
    expect(problemsOf(graph, schedule)).toEqual([]);
    const inPlace = schedule.module.kernels.filter(({ params }) => params.some((p) => p.access === 'readwrite'));
    expect(inPlace.map(({ body }) => hasInstructions(body))).toEqual([true]);
    expectClose(interpretSchedule(graph, schedule, values)[0]!, interpretPrims(graph, values)[0]!, 'in place');
  });
});

/** Numbers that not every dtype on the way between two holds. */
const wide: Readonly<Record<string, NumericTensor>> = {
  'f32 to u32': { dtype: 'f32', shape: [100], data: Float32Array.from({ length: 100 }, (_, i) => i * 42_949_632) },
  'u32 to f32': { dtype: 'u32', shape: [100], data: Uint32Array.from({ length: 100 }, (_, i) => i * 42_949_672) },
  'i32 to u8': { dtype: 'i32', shape: [100], data: Int32Array.from({ length: 100 }, (_, i) => (i - 50) * 42_949_671) },
  'u32 to i16': { dtype: 'u32', shape: [100], data: Uint32Array.from({ length: 100 }, (_, i) => i * 42_949_671) },
  'i32 to u32': { dtype: 'i32', shape: [100], data: Int32Array.from({ length: 100 }, (_, i) => (i - 50) * 42_949_671) },
};
const isDType = (name: string): name is 'u32' | 'f32' | 'u8' | 'i16' => ['u32', 'f32', 'u8', 'i16'].includes(name);

describe.each(Object.entries(machines))('on %s casts keep all of', (_, capabilities) => {
  it.each(Object.entries(wide))('%s', (name, x) => {
    const to = name.split(' ').at(-1)!;
    const b = createBuilder(createFolder());
    const input = b.input(x, 'x');
    const graph = b.finish(name, [input], [isDType(to) ? b.add(b.cast(input, to), b.scalar(to, 1)) : input]);
    const [expected] = interpretPrims(graph, [x]);
    expectClose(interpretSchedule(graph, scheduleGraph(graph, capabilities), [x], 'forward')[0]!, expected!, name);
  });
});

describe('copies beside computation', () => {
  const capabilities = createTileCapabilities({ countMultiple: 64, scratchBytes: 24 << 10 }, 2);
  const overlapped: Readonly<Record<string, Build>> = {
    'elements of many tiles': of('f32', [7, 3000], (b, x) => b.add(b.mul(x, x), b.scalar('f32', 1))),
    'a tail': of('f16', [9, 1503], (b, x) => b.mul(x, x)),
    'sums of columns': of('f32', [3, 9, 200], (b, x) => b.reduce('sum', x, [1])),
    'quotients of rows': of('f32', [10, 130], (b, x) => b.div(x, b.reduce('sum', b.mul(x, x), [1]))),
  };
  it.each(Object.entries(overlapped))('%s', (name, build) => {
    const b = createBuilder(createFolder());
    const { inputs, output } = build(b);
    const graph = b.finish(name, inputs, [output]);
    const values = inputs.map((x) => randomTensor(createRandom(3), x.dtype, x.shape));
    const schedule = scheduleGraph(graph, capabilities);
    expect(problemsOf(graph, schedule)).toEqual([]);
    const copied = (body: readonly Stmt[]): string[] =>
      body.flatMap((s) => (s.kind === 'copy' ? [s.to.buffer] : s.kind === 'for' ? copied(s.body) : s.kind === 'if' ? [...copied(s.then), ...copied(s.else)] : []));
    // The same copy into two places that take turns.
    for (const kernel of schedule.module.kernels) expect(new Set(copied(kernel.body).filter((to) => kernel.scratch.some((s) => s.name === to))).size).toBeGreaterThan(1);
    for (const order of ['forward', 'backward'] as const) expectClose(interpretSchedule(graph, schedule, values, order)[0]!, interpretPrims(graph, values)[0]!, order);
  });
});
