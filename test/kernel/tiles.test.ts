// Tile kernels: what copies, pipes and vector instructions mean, and every rule of a scratchpad that a kernel can break.
import { describe, expect, it } from 'vitest';
import { add, binary, compare, constant, index, load, loop, mul, select, splat, store, variable } from '../../src/kernel/build.ts';
import { Interpreter } from '../../src/kernel/interpret.ts';
import type { Expr, Kernel, Pipe, Rows, Stmt } from '../../src/kernel/ir.ts';
import { watchedBlock } from '../../src/kernel/memory.ts';
import { verifyKernel } from '../../src/kernel/verify.ts';

const ELEMENTS = 64;
const RULES = { scratchBytes: 256, alignBytes: 32, lineBytes: 64, countMultiple: 8, floats: [] };
const CORES = 2;
const core = variable('g');

const kernelOf = (body: readonly Stmt[], changes: Partial<Kernel> = {}): Kernel => ({
  name: 'k',
  params: [
    { name: 'b0', dtype: 'f32', access: 'read', elements: ELEMENTS },
    { name: 'b1', dtype: 'f32', access: 'readwrite', elements: ELEMENTS },
  ],
  scratch: [
    { name: 's0', dtype: 'f32', elements: 16 },
    { name: 's1', dtype: 'f32', elements: 16 },
    { name: 's2', dtype: 'bool', elements: 16 },
  ],
  grid: { var: 'g', extent: CORES },
  tiles: RULES,
  body,
  cost: { flops: 0, bytes: 0 },
  ...changes,
});

const rows = (buffer: string, at: Expr, stride = 0): Rows => ({ buffer, index: at, stride });
const copy = (to: Rows, from: Rows, count = 1, elements: Expr = index(16)): Stmt => ({ kind: 'copy', to, from, rows: index(count), elements });
const signal = (from: Pipe, to: Pipe, flag = 0): Stmt => ({ kind: 'signal', from, to, flag });
const wait = (from: Pipe, to: Pipe, flag = 0): Stmt => ({ kind: 'wait', from, to, flag });
const vector = (buffer: string, lanes = 16): Expr => load(buffer, index(0), 'f32', lanes);
const doubled = store('s1', index(0), binary('mul', vector('s0'), splat(constant('f32', 2), 16)));

/** b1 = 2·b0, a core's half in two tiles of 16. */
const tile = add(mul(core, index(32)), variable('i'));
const doubling: readonly Stmt[] = [
  copy(rows('s0', index(0)), rows('b0', tile)),
  signal('in', 'vector'),
  wait('in', 'vector'),
  doubled,
  signal('vector', 'out'),
  wait('vector', 'out'),
  copy(rows('b1', tile), rows('s1', index(0))),
  signal('vector', 'in'),
  wait('vector', 'in'),
  signal('out', 'vector'),
  wait('out', 'vector'),
];
const inTiles = (body: readonly Stmt[]): Stmt[] => [loop('i', index(0), index(32), body, 16)];

function run(kernel: Kernel): Float32Array {
  const args = kernel.params.map((_, base) => ({ base, offsetBytes: 0 }));
  const interpreter = new Interpreter({ kernels: [kernel], init: [], run: [{ kernel: 0, args }] });
  const blocks = kernel.params.map(({ elements }) => watchedBlock(elements * 4));
  new Float32Array(blocks[0]!.bytes.buffer).forEach((_, i, data) => (data[i] = i));
  interpreter.markWritten(blocks[0]!);
  interpreter.execute('run', blocks);
  return new Float32Array(blocks[1]!.bytes.buffer);
}
const failure = (reason: RegExp) => expect.objectContaining({ code: 'internal', message: expect.stringMatching(reason) });

describe('a tile kernel', () => {
  it('is valid, and computes in tiles', () => {
    const kernel = kernelOf(inTiles(doubling));
    expect(verifyKernel(kernel)).toEqual({ problems: [], proven: 6, accesses: 6 });
    expect([...run(kernel)]).toEqual(Array.from({ length: ELEMENTS }, (_, i) => 2 * i));
  });

  it('copies rows with a stride on either side', () => {
    const body = [
      copy(rows('s0', index(0), 8), rows('b0', index(3), 20), 2, index(5)),
      signal('in', 'out'),
      wait('in', 'out'),
      copy(rows('b1', index(10), 6), rows('s0', index(0), 8), 2, index(5)),
    ];
    const kernel = kernelOf(body, { grid: { var: 'g', extent: 1 } });
    expect(verifyKernel(kernel).problems).toEqual([]);
    expect(Array.from(run(kernel).slice(10, 21)).filter((_, i) => i !== 5)).toEqual([3, 4, 5, 6, 7, 23, 24, 25, 26, 27]);
  });

  it('needs every one of its waits: without one the interpreter names the pipe that does not wait', () => {
    const waits = doubling.flatMap((s, i) => (s.kind === 'wait' ? [i] : []));
    expect(waits).toHaveLength(4);
    for (const at of waits) {
      const { from, to } = doubling[at] as Extract<Stmt, { kind: 'wait' }>;
      const body = doubling.filter((s, i) => i !== at && i !== at - 1);
      expect(() => run(kernelOf(inTiles(body))), `${from} to ${to}`).toThrow(failure(new RegExp(`by the ${to} pipe, which has not waited for the ${from} pipe`)));
    }
  });

  it('orders scalar code with what the pipes do', () => {
    const stored = store('b1', mul(core, index(16)), load('s0', index(3), 'f32'));
    const load16 = copy(rows('s0', index(0)), rows('b0', index(0)));
    expect(() => run(kernelOf([load16, stored]))).toThrow(failure(/read by the scalar pipe, which has not waited for the in pipe/));
    expect(run(kernelOf([load16, signal('in', 'scalar'), wait('in', 'scalar'), stored]))[16]).toBe(3);
    const filled = loop('j', index(0), index(16), [store('s0', variable('j'), constant('f32', 5))]);
    const sum = store('s1', index(0), { kind: 'across', type: { dtype: 'f32', lanes: 1 }, fn: 'add', x: vector('s0') });
    const result = [signal('vector', 'scalar'), wait('vector', 'scalar'), store('b1', mul(core, index(16)), load('s1', index(0), 'f32'))];
    expect(() => run(kernelOf([filled, sum, ...result]))).toThrow(failure(/read by the vector pipe, which has not waited for the scalar pipe/));
    expect(run(kernelOf([filled, signal('scalar', 'vector'), wait('scalar', 'vector'), sum, ...result]))[0]).toBe(80);
  });

  it.each<readonly [string, readonly Stmt[], RegExp]>([
    ['a wait that nothing signals', [wait('in', 'vector')], /that nothing signals: the core stands still/],
    ['a signal that nothing takes', [signal('in', 'vector')], /that nothing waits for/],
    ['a signal given twice', [signal('in', 'vector'), signal('in', 'vector')], /a second signal from in to vector, flag 0/],
    ['a line that two cores store into', [store('b1', core, constant('f32', 1))], /lies in a line of memory that another core stores into/],
    [
      'a vector of which a part was never loaded',
      [...doubling.slice(0, 1).map(() => copy(rows('s0', index(0)), rows('b0', index(0)), 1, index(15))), ...doubling.slice(1, 4)],
      /element 15 of s0 is read and was never written/,
    ],
    ['a copy over the end', [copy(rows('s0', index(0)), rows('b0', index(56)))], /element 64 of b0, which has 64/],
  ])('is stopped at %s', (_, body, reason) => {
    expect(() => run(kernelOf(body))).toThrow(failure(reason));
  });
});

describe('the verifier of tile kernels', () => {
  const problemsOf = (body: readonly Stmt[], changes?: Partial<Kernel>): readonly string[] => verifyKernel(kernelOf(body, changes)).problems;

  it.each<readonly [string, readonly Stmt[], Partial<Kernel>, RegExp]>([
    ['too much scratch memory', [], { scratch: [{ name: 's0', dtype: 'f32', elements: 65 }] }, /288 bytes of scratch memory, and a core has 256/],
    ['copies without a scratchpad', [copy(rows('s0', index(0)), rows('b0', index(0)))], { tiles: undefined as never }, /a copy in a kernel that has no scratchpad/],
    ['a copy to a place that is not aligned', [copy(rows('s0', index(4)), rows('b0', index(0)), 1, index(8))], {}, /a place in s0 is not known to be a multiple of 32 bytes/],
    ['rows that are not aligned', [copy(rows('s0', index(0), 9), rows('b0', index(0), 9), 2, index(5))], {}, /a place in s0 is not known/],
    ['a vector at a place that is not aligned', [store('s1', variable('g'), vector('s0', 8))], {}, /a place in s1 is not known/],
    ['a count that the unit does not have', [store('s1', index(0), vector('s0', 12))], {}, /on 12 elements, which is no multiple of 8/],
    [
      'two operations in one instruction',
      [store('s1', index(0), binary('add', binary('mul', vector('s0'), vector('s0')), vector('s0')))],
      {},
      /binary within a vector instruction: it has one operation/,
    ],
    ['a vector in global memory', [store('b1', index(0), vector('s0'))], {}, /a vector instruction on b1, which is no scratch memory/],
    ['an operand in global memory', [store('s0', index(0), binary('add', vector('b0'), vector('s0')))], {}, /a vector instruction on b0/],
    ['a vector local', [{ kind: 'let', name: 'v', value: vector('s0') }], {}, /load of vectors outside a vector instruction/],
    ['a copy within scratch memory', [copy(rows('s0', index(0)), rows('s1', index(0)))], {}, /does not cross between global and scratch memory/],
    ['a copy into what is only read', [copy(rows('b0', index(0)), rows('s1', index(0)))], {}, /a copy would write b0/],
    ['a copy that begins past the end', [copy(rows('s0', index(0)), rows('b0', index(64)))], {}, /a copy at element 64 of b0/],
    ['another dtype', [copy(rows('s2', index(0)), rows('b0', index(0)))], {}, /a copy of f32 as bool/],
    ['a pipe that waits for itself', [wait('in', 'in')], {}, /a wait from in to in/],
    ['a block of threads', [], { block: { var: 't', threads: 4 } }, /runs on cores, not on blocks of threads/],
  ])('finds %s', (_, body, changes, problem) => {
    expect(problemsOf(body, changes).join('\n')).toMatch(problem);
  });

  it('knows masks: they are compared into and selected by', () => {
    const mask = store('s2', index(0), compare('lt', vector('s0'), splat(constant('f32', 7), 16)));
    const chosen = store('s1', index(0), select(load('s2', index(0), 'bool', 16), vector('s0'), splat(constant('f32', 0), 16)));
    expect(problemsOf([mask, chosen])).toEqual([]);
  });
});
