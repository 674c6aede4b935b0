// The verifier of kernels: a valid kernel has no problems, and each way to break it is found and named.
import { describe, expect, it } from 'vitest';
import { add, assign, binary, compare, constant, declare, fma, index, load, loop, mul, select, splat, store, variable } from '../../src/kernel/build.ts';
import type { Kernel, KernelModule, Stmt } from '../../src/kernel/ir.ts';
import { verifyKernel } from '../../src/kernel/verify.ts';
import { verifyModule } from '../../src/kernel/verifyModule.ts';

const kernelOf = (body: readonly Stmt[], changes: Partial<Kernel> = {}): Kernel => ({
  name: 'k',
  params: [
    { name: 'b0', dtype: 'f32', access: 'read', elements: 64 },
    { name: 'b1', dtype: 'f32', access: 'write', elements: 64 },
  ],
  scratch: [{ name: 's0', dtype: 'i8', elements: 4 }],
  grid: { var: 'g', extent: 8 },
  body,
  cost: { flops: 0, bytes: 0 },
  ...changes,
});
const i = variable('i');
const at = add(mul(variable('g'), index(8)), i);
const x = load('b0', at, 'f32');
/** b1[8g + i] = f(b0[8g + i]) for i from 0 to `to`. */
const each = (value = x, to = 8, place = at): Stmt[] => [loop('i', index(0), index(to), [store('b1', place, value)])];
const problemsOf = (body: readonly Stmt[], changes?: Partial<Kernel>): readonly string[] => verifyKernel(kernelOf(body, changes)).problems;

describe('verifyKernel', () => {
  it('finds nothing wrong with a valid kernel, and proves its positions', () => {
    expect(verifyKernel(kernelOf(each(binary('mul', x, constant('f32', 2)))))).toEqual({ problems: [], proven: 2, accesses: 2 });
    const vector = load('b0', mul(variable('g'), index(8)), 'f32', 8);
    const reduced: Stmt[] = [
      declare('a', splat(constant('f32', 0), 8)),
      assign('a', fma(vector, vector, variable('a', 'f32', 8))),
      store('b1', variable('g'), { kind: 'across', type: { dtype: 'f32', lanes: 1 }, fn: 'add', x: variable('a', 'f32', 8) }),
    ];
    expect(verifyKernel(kernelOf(reduced))).toEqual({ problems: [], proven: 3, accesses: 3 });
  });

  it('does not claim what it cannot know', () => {
    const position = { kind: 'cast', type: { dtype: 'index', lanes: 1 }, x: load('b0', at, 'f32') } as const;
    expect(verifyKernel(kernelOf(each(load('b0', position, 'f32'))))).toEqual({ problems: [], proven: 2, accesses: 3 });
    const guarded: Stmt = { kind: 'if', condition: compare('lt', i, index(8)), then: [store('b1', at, x)], else: [] };
    expect(verifyKernel(kernelOf([loop('i', index(0), index(9), [guarded])])).problems).toEqual([]);
  });

  const i32 = constant('i32', 1);
  it.each<readonly [string, readonly Stmt[], RegExp]>([
    ['another type', each(i32), /b1 holds f32 and is used as i32/],
    ['mixed types', each(binary('add', x, i32)), /binary add of f32, i32 as f32: the types differ/],
    ['mixed lanes', each(binary('add', x, splat(x, 4))), /the types differ/],
    ['a function on the wrong type', each({ kind: 'unary', type: { dtype: 'f32', lanes: 1 }, fn: 'bitNot', x }), /unary bitNot of f32 as f32: not defined on this type/],
    ['an order of bools', each(select(compare('lt', compare('eq', x, x), compare('ne', x, x)), x, x)), /compare lt of bool, bool/],
    ['a number as a condition', [{ kind: 'if', condition: i32, then: [], else: [] }], /a condition is i32, not bool/],
    ['a float as a position', each(load('b0', x, 'f32')), /a position in b0 is f32, not index/],
    ['vectors of 64 bits', [declare('a', constant('f64', 0)), declare('b', splat(variable('a', 'f64'), 4))], /vectors have no lanes of f64/],
    ['a wide constant that is no bigint', [declare('a', constant('i64', 1))], /integers of 64 bits are bigints/],
    ['bits of another width', [declare('a', { kind: 'bitcast', type: { dtype: 'f64', lanes: 1 }, x })], /the widths differ/],
    ['an unknown name', each(variable('q', 'f32')), /q is not known where it is used/],
    ['a name after its block', [...each(), store('b1', i, constant('f32', 0))], /i is not known where it is used/],
    ['a name declared twice', [declare('a', i32), declare('a', i32)], /a is declared where it is known already/],
    ['a name of a buffer', [declare('b0', i32)], /b0 is declared where it is known already/],
    ['a name used as another type', [declare('a', i32), ...each(variable('a', 'f32'))], /a is i32 and is used as f32/],
    ['an assignment of another type', [declare('a', i32), assign('a', constant('f32', 1))], /a is i32 and is assigned f32/],
    ['an assignment to a loop variable', [loop('i', index(0), index(8), [assign('i', index(0))])], /i is assigned to, and is no local/],
    ['a buffer that is not there', each(load('b7', i, 'f32')), /there is no buffer b7/],
    ['a store into what is read', [store('b0', index(0), constant('f32', 0))], /a store into b0, which is only read/],
    ['a load from what is written', each(load('b1', at, 'f32')), /a load from b1, which is only written/],
    ['a loop that never moves', [loop('i', index(0), index(8), [], 0)], /loop i has step 0/],
    ['a constant position outside', [store('b1', index(64), constant('f32', 0))], /elements 64 to 64 of b1, which has 64/],
    ['a vector over the end', [store('b1', index(57), splat(constant('f32', 0), 8))], /elements 57 to 64 of b1, which has 64/],
    ['a loop over the end', each(x, 9), /elements 0 to 64 of b0, which has 64/],
    ['an affine position before the start', each(x, 8, add(at, index(-1))), /elements -1 to 62 of b1/],
    ['scratch over its end', [store('s0', index(4), i32)], /elements 4 to 4 of s0, which has 4/],
  ])('finds %s', (_, body, problem) => {
    expect(problemsOf(body).join('\n')).toMatch(problem);
  });
});

describe('verifyModule', () => {
  const kernels = [kernelOf(each())];
  const call = (read: number, write: number, base = 2): KernelModule['run'][number] => ({
    kernel: 0,
    args: [
      { base, offsetBytes: read },
      { base: 0, offsetBytes: write },
    ],
  });
  const memory = { arenaBytes: 512, weightsBytes: 256, scratchBytes: 64, bound: [{ bytes: 256, writable: false }], staged: [] };
  const problems = (run: KernelModule['run'], changes: Partial<typeof memory> = {}): string => verifyModule({ kernels, init: [], run }, { ...memory, ...changes }).join('\n');

  it('accepts arguments inside their blocks', () => {
    expect(problems([call(0, 0), call(0, 256), call(0, 0, 1)])).toBe('');
  });

  it('finds arguments outside their blocks, and blocks that must not be written', () => {
    expect(problems([call(0, 260)])).toMatch(/bytes 260 to 516 of the arena, which has 512/);
    expect(problems([call(4, 0)])).toMatch(/of an input, which has 256/);
    expect(problems([call(0, 2)])).toMatch(/not aligned/);
    expect(problems([call(0, 0, 3)])).toMatch(/block 3, which is not bound/);
    expect(problems([call(0, 0)], { scratchBytes: 0 })).toMatch(/64 bytes of scratch, and the plan has 0/);
    expect(problems([{ kernel: 0, args: [] }])).toMatch(/called with 0 buffers and has 2/);
    expect(problems([{ kernel: 5, args: [] }])).toMatch(/a call of kernel 5 of 1/);
    const swapped = { kernel: 0, args: call(0, 0).args.toReversed() };
    expect(problems([swapped])).toMatch(/b1 is written and lies in an input/);
  });
});
