// Values that threads of a subgroup take from each other: what a shuffle gives, and every misuse, found before a kernel runs or while it does.
import { describe, expect, it } from 'vitest';
import { assign, compare, constant, declare, index, load, loop, shuffle, store, variable } from '../../src/kernel/build.ts';
import { Interpreter } from '../../src/kernel/interpret.ts';
import type { Kernel, Stmt } from '../../src/kernel/ir.ts';
import { watchedBlock } from '../../src/kernel/memory.ts';
import { verifyKernel } from '../../src/kernel/verify.ts';

const THREADS = 8;
const t = variable('t');
const x = load('b0', t, 'f32');
const take = (mask: number): Stmt => shuffle('y', x, mask);
const put = store('b1', t, variable('y', 'f32'));
const onlyFirst = (...then: readonly Stmt[]): Stmt => ({ kind: 'if', condition: compare('lt', t, index(2)), then, else: [] });

const kernelOf = (body: readonly Stmt[], subgroup: number | undefined = 4): Kernel => ({
  name: 'k',
  params: [
    { name: 'b0', dtype: 'f32', access: 'read', elements: THREADS },
    { name: 'b1', dtype: 'f32', access: 'write', elements: THREADS },
  ],
  scratch: [],
  grid: { var: 'g', extent: 1 },
  block: { var: 't', threads: THREADS, ...(subgroup === undefined ? {} : { subgroup }) },
  body,
  cost: { flops: 0, bytes: 0 },
});
const problemsOf = (body: readonly Stmt[], subgroup?: number): readonly string[] => verifyKernel(kernelOf(body, subgroup)).problems;

/** What each thread writes; each reads its own number. */
function run(body: readonly Stmt[]): number[] {
  const args = [0, 1].map((base) => ({ base, offsetBytes: 0 }));
  const interpreter = new Interpreter({ kernels: [kernelOf(body)], init: [], run: [{ kernel: 0, args }] });
  const blocks = args.map(() => watchedBlock(4 * THREADS));
  new Float32Array(blocks[0]!.bytes.buffer).set(Array.from({ length: THREADS }, (_, i) => i));
  interpreter.markWritten(blocks[0]!);
  interpreter.execute('run', blocks);
  return [...new Float32Array(blocks[1]!.bytes.buffer)];
}

describe('a shuffle', () => {
  it.each([
    [1, [1, 0, 3, 2, 5, 4, 7, 6]],
    [2, [2, 3, 0, 1, 6, 7, 4, 5]],
    [3, [3, 2, 1, 0, 7, 6, 5, 4]],
  ])('by %i gives the value of the thread whose number differs in these bits', (mask, expected) => {
    expect(problemsOf([take(mask), put])).toEqual([]);
    expect(run([take(mask), put])).toEqual(expected);
  });

  it('may stand where all threads go equally often', () => {
    const twice = [
      declare('a', x),
      loop('i', index(0), index(2), [shuffle('y', variable('a', 'f32'), 1), assign('a', variable('y', 'f32'))]),
      store('b1', t, variable('a', 'f32')),
    ];
    expect(problemsOf(twice)).toEqual([]);
    expect(run(twice)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it.each<readonly [string, readonly Stmt[], number | undefined, RegExp]>([
    ['beyond its subgroup', [take(4), put], 4, /shuffle of y by 4 in subgroups of 4 threads/],
    ['with itself', [take(0), put], 4, /shuffle of y by 0/],
    ['in subgroups of an odd size', [take(1), put], 3, /subgroups of 3/],
    ['of a vector', [shuffle('y', load('b0', index(0), 'f32', 2), 1)], 4, /shuffle of y, a vector/],
    ['where only some threads go', [onlyFirst(take(1), put)], 4, /only some of the threads/],
    ['as often as a thread has points', [loop('i', t, index(8), [take(1)])], 4, /only some of the threads/],
    ['where a value decides', [{ kind: 'if', condition: compare('lt', x, constant('f32', 2)), then: [take(1)], else: [] }], 4, /only some of the threads/],
  ])('%s is told by the verifier', (_, body, subgroup, reason) => {
    expect(problemsOf(body, subgroup).join('\n')).toMatch(reason);
  });
  it('without subgroups is told by the verifier', () => {
    const { block, ...rest } = kernelOf([take(1), put]);
    expect(verifyKernel({ ...rest, block: { var: block!.var, threads: THREADS } }).problems.join()).toMatch(/no subgroups/);
  });

  it('that a part of a subgroup misses is told by the interpreter', () => {
    expect(() => run([onlyFirst(take(1), put)])).toThrow(/thread 2 does not reach the shuffle of y/);
    expect(() => run([{ kind: 'if', condition: compare('lt', t, index(2)), then: [take(1)], else: [take(1)] }])).toThrow(/does not reach the shuffle/);
  });
});
