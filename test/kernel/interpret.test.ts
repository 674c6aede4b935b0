// The interpreter of kernels: what each type's arithmetic gives, and every mistake of a kernel that it must find.
import { assert, bigInt, constantFrom, float, integer, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { add, binary, constant, index, load, loop, splat, store, variable } from '../../src/kernel/build.ts';
import { Interpreter } from '../../src/kernel/interpret.ts';
import type { Expr, Kernel, Stmt } from '../../src/kernel/ir.ts';
import { watchedBlock } from '../../src/kernel/memory.ts';
import { binaryScalar, bitcastScalar, castScalar, compareScalar, unaryScalar } from '../../src/kernel/scalar.ts';

/** Runs a kernel over two blocks of 16 f32, the first filled with 0, 1, 2, …; returns the second. */
function run(body: readonly Stmt[], extent = 4, changes: Partial<Kernel> = {}): Float32Array {
  const params = (['read', 'readwrite'] as const).map((access, i) => ({ name: `b${i}`, dtype: 'f32' as const, access, elements: 16 }));
  const kernel: Kernel = { name: 'k', params, scratch: [{ name: 's0', dtype: 'f32', elements: 2 }], grid: { var: 'g', extent }, body, cost: { flops: 0, bytes: 0 }, ...changes };
  const interpreter = new Interpreter({
    kernels: [kernel],
    init: [],
    run: [
      {
        kernel: 0,
        args: [
          { base: 0, offsetBytes: 0 },
          { base: 1, offsetBytes: 0 },
        ],
      },
    ],
  });
  const blocks = [watchedBlock(64), watchedBlock(64)];
  new Float32Array(blocks[0]!.bytes.buffer).forEach((_, i, data) => (data[i] = i));
  interpreter.markWritten(blocks[0]!);
  interpreter.execute('run', blocks);
  return new Float32Array(blocks[1]!.bytes.buffer);
}
const g = variable('g');
const x = load('b0', g, 'f32');
const failure = (reason: RegExp) => expect.objectContaining({ code: 'internal', message: expect.stringMatching(reason), path: ['k'] });

describe('the interpreter', () => {
  it('runs every grid step, loops, locals, branches and vectors', () => {
    const four = load('b0', index(4), 'f32', 4);
    const sum: Expr = { kind: 'across', type: { dtype: 'f32', lanes: 1 }, fn: 'add', x: binary('mul', four, splat(constant('f32', 2), 4)) };
    const out = run([
      { kind: 'let', name: 'a', value: sum },
      loop('i', index(0), index(4), [store('b1', add(binary('mul', g, index(4)), variable('i')), binary('add', variable('a', 'f32'), load('b0', variable('i'), 'f32')))]),
    ]);
    expect([...out]).toEqual([44, 45, 46, 47, 44, 45, 46, 47, 44, 45, 46, 47, 44, 45, 46, 47]);
  });

  it.each<readonly [string, readonly Stmt[], RegExp]>([
    ['a load beyond the end', [store('b1', g, load('b0', add(g, index(13)), 'f32'))], /element 16 of b0, which has 16/],
    ['a store before the start', [store('b1', add(g, index(-1)), x)], /element -1 of b1/],
    ['a vector over the end', [store('b1', index(14), load('b0', index(0), 'f32', 4))], /element 16 of b1/],
    ['a read of what was never written', [store('b1', g, load('b1', add(g, index(4)), 'f32'))], /element 4 of b1 is read and was never written/],
    [
      'scratch that an earlier step wrote',
      [
        { kind: 'if', condition: { kind: 'compare', type: { dtype: 'bool', lanes: 1 }, fn: 'eq', a: g, b: index(0) }, then: [store('s0', index(0), x)], else: [] },
        store('b1', g, load('s0', index(0), 'f32')),
      ],
      /element 0 of s0 is read and was never written/,
    ],
    ['two steps that write one element', [store('b1', index(0), x)], /element 0 of b1 is written while another grid step or thread uses it/],
    [
      'a step that reads what another writes',
      [
        store('b1', g, x),
        {
          kind: 'if',
          condition: { kind: 'compare', type: { dtype: 'bool', lanes: 1 }, fn: 'eq', a: g, b: index(1) },
          then: [store('b1', add(g, index(8)), load('b1', index(0), 'f32'))],
          else: [],
        },
      ],
      /element 0 of b1 is read while another grid step or thread writes it/,
    ],
    ['a division by zero', [store('b1', g, { kind: 'cast', type: { dtype: 'f32', lanes: 1 }, x: binary('div', constant('i32', 1), constant('i32', 0)) })], /division by zero/],
    [
      'a shift beyond the width',
      [store('b1', g, { kind: 'cast', type: { dtype: 'f32', lanes: 1 }, x: binary('shl', constant('u32', 1), constant('u32', 32)) })],
      /a shift by 32 of 32 bits/,
    ],
    ['an unknown buffer', [store('b9', g, x)], /no buffer b9/],
  ])('finds %s', (_, body, reason) => {
    expect(() => run(body)).toThrow(failure(reason));
  });
});

describe('blocks of threads', () => {
  const t = variable('t');
  const block = { block: { var: 't', threads: 4 }, scratch: [{ name: 's0', dtype: 'f32', elements: 4, shared: true }] } as const;
  const at = add(binary('mul', g, index(4)), t);
  const neighbour = binary('rem', add(t, index(1)), index(4));
  const exchange = (between: readonly Stmt[]): Stmt[] => [store('s0', t, load('b0', at, 'f32')), ...between, store('b1', at, load('s0', neighbour, 'f32'))];

  describe('that fetch', () => {
    const fetch: Stmt = { kind: 'fetch', to: { buffer: 's0', index: t }, from: { buffer: 'b0', index: at }, elements: 1 };
    const [commit, all, barrier]: readonly Stmt[] = [{ kind: 'commit' }, { kind: 'await', pending: 0 }, { kind: 'barrier' }];
    const exchanged = (...between: readonly Stmt[]): Float32Array => run([fetch, ...between, store('b1', at, load('s0', neighbour, 'f32'))], 4, block);

    it('see what they awaited, after a barrier', () => {
      expect([...exchanged(commit!, all!, barrier!)]).toEqual([1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12]);
    });
    it('bring zeros where nothing is there', () => {
      const when: Expr = { kind: 'compare', type: { dtype: 'bool', lanes: 1 }, fn: 'lt', a: t, b: index(2) };
      const beyond: Stmt = { ...fetch, from: { buffer: 'b0', index: binary('mul', at, index(4)) }, when };
      expect([...run([beyond, commit!, all!, barrier!, store('b1', t, load('s0', t, 'f32'))], 1, block)].slice(0, 4)).toEqual([0, 4, 0, 0]);
    });
    it.each<readonly [string, readonly Stmt[], RegExp]>([
      ['before it is awaited', [commit!, barrier!], /element 1 of s0 is read before it was awaited/],
      ['in a group that is not awaited', [commit!, { kind: 'await', pending: 1 }, barrier!], /is read before it was awaited/],
      ['in no group', [all!, barrier!], /is read before it was awaited/],
      ['of another thread without a barrier', [commit!, all!], /is read while another grid step or thread writes it|was never written|before it was awaited/],
    ])('must not read what is fetched %s', (_, between, reason) => {
      expect(() => exchanged(...between)).toThrow(failure(reason));
    });
    it('must not store where they fetch', () => {
      expect(() => run([fetch, store('s0', t, x)], 4, block)).toThrow(failure(/is written while it is being fetched/));
    });
    it('fetch from multiples of what they bring together', () => {
      const two: Stmt = { ...fetch, to: { buffer: 's0', index: index(0) }, from: { buffer: 'b0', index: add(t, index(1)) }, elements: 2 };
      expect(() => run([two], 1, block)).toThrow(failure(/no multiple/));
    });
  });

  it('share memory across a barrier', () => {
    expect([...run(exchange([{ kind: 'barrier' }]), 4, block)]).toEqual([1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12]);
  });

  it('must not share it without one, nor leave a barrier to others', () => {
    expect(() => run(exchange([]), 4, block)).toThrow(failure(/was never written|while another grid step or thread/));
    const alone: Stmt = { kind: 'if', condition: { kind: 'compare', type: { dtype: 'bool', lanes: 1 }, fn: 'lt', a: t, b: index(3) }, then: [{ kind: 'barrier' }], else: [] };
    expect(() => run([alone, store('b1', at, x)], 4, block)).toThrow(failure(/3 of 4 threads wait at a barrier/));
  });
});

describe('scalar arithmetic', () => {
  const u32 = integer({ min: 0, max: 2 ** 32 - 1 });
  const i32 = integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

  it('wraps integers as integers of any size would', () => {
    const fns = constantFrom('add' as const, 'sub' as const, 'mul' as const);
    const plain = { add: (a: bigint, b: bigint) => a + b, sub: (a: bigint, b: bigint) => a - b, mul: (a: bigint, b: bigint) => a * b };
    const i64 = bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    const exact = (fn: keyof typeof plain, a: number, b: number): bigint => plain[fn](BigInt(a), BigInt(b));
    assert(property(fns, i32, i32, (fn, a, b) => binaryScalar(fn, 'i32', a, b) === Number(BigInt.asIntN(32, exact(fn, a, b)))));
    assert(property(fns, u32, u32, (fn, a, b) => binaryScalar(fn, 'u32', a, b) === Number(BigInt.asUintN(32, exact(fn, a, b)))));
    assert(property(fns, i64, i64, (fn, a, b) => binaryScalar(fn, 'i64', a, b) === BigInt.asIntN(64, plain[fn](a, b))));
  });

  it('divides and shifts as C does', () => {
    expect([binaryScalar('div', 'i32', -7, 2), binaryScalar('rem', 'i32', -7, 2), binaryScalar('div', 'u32', 2 ** 32 - 1, 2)]).toEqual([-3, -1, 2 ** 31 - 1]);
    expect([binaryScalar('shr', 'i32', -8, 1), binaryScalar('shr', 'u32', 2 ** 31, 31), binaryScalar('shl', 'i32', 1, 31)]).toEqual([-4, 1, -(2 ** 31)]);
    expect([binaryScalar('min', 'f32', NaN, 1), binaryScalar('min', 'f32', 1, NaN)]).toEqual([1, NaN]);
    expect([unaryScalar('rint', 'f32', 2.5), unaryScalar('rint', 'f32', -0.5), unaryScalar('rint', 'f32', -1.5), unaryScalar('abs', 'i32', -(2 ** 31))]).toEqual([
      2,
      -0,
      -2,
      -(2 ** 31),
    ]);
  });

  it('rounds 64-bit integers to f32 once', () => {
    assert(
      property(bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (x) => {
        const rounded = Number(castScalar('i64', 'f32', x));
        const [low, high] = [
          Number(bitcastScalar('i32', 'f32', Number(bitcastScalar('f32', 'i32', rounded)) - 1)),
          Number(bitcastScalar('i32', 'f32', Number(bitcastScalar('f32', 'i32', rounded)) + 1)),
        ];
        const distance = (y: number): bigint => (BigInt(y) > x ? BigInt(y) - x : x - BigInt(y));
        if (rounded === 0 || !Number.isInteger(low) || !Number.isInteger(high)) return;
        expect(distance(rounded) <= distance(low) && distance(rounded) <= distance(high)).toBe(true);
      }),
    );
    expect(castScalar('i64', 'f32', 2n ** 24n + 1n)).toBe(2 ** 24);
    expect(castScalar('i64', 'f32', 2n ** 54n + 2n ** 30n + 1n)).toBe(2 ** 54 + 2 ** 31);
  });

  it('keeps bits in bitcasts, and converts bools by value', () => {
    assert(property(float({ noNaN: true }), (x) => Object.is(bitcastScalar('u32', 'f32', bitcastScalar('f32', 'u32', x)), x)));
    expect([castScalar('i64', 'bool', 0n), castScalar('f32', 'bool', 0.5), castScalar('bool', 'i64', 1), castScalar('f32', 'i32', -2.9), castScalar('f64', 'i64', NaN)]).toEqual([
      0,
      1,
      1n,
      -2,
      0n,
    ]);
    expect([compareScalar('ne', NaN, NaN), compareScalar('ge', 2n, 2n)]).toEqual([1, 1]);
  });
});
