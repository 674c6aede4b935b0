// Every operation of kernel IR as WebAssembly, on scalars and vectors, against the interpreter of kernels: the same bits.
import { describe, expect, it } from 'vitest';
import { byteWidth } from '../../src/core/dtype.ts';
import type { NumericDType } from '../../src/core/dtype.ts';
import { bytesOf, tensorFrom } from '../../src/core/tensor.ts';
import {
  add,
  binary,
  bitcast,
  cast,
  compare,
  constant,
  declare,
  exprType,
  fma,
  index,
  load,
  loop,
  mul,
  pack,
  select,
  splat,
  store,
  unary,
  variable,
} from '../../src/kernel/build.ts';
import { computeType } from '../../src/kernel/computeType.ts';
import { Interpreter } from '../../src/kernel/interpret.ts';
import type { BinaryFn, CompareFn, ComputeDType, Expr, Kernel, Stmt, UnaryFn } from '../../src/kernel/ir.ts';
import { watchedBlock } from '../../src/kernel/memory.ts';
import { lowerSmallFloats } from '../../src/kernel/smallFloats.ts';
import { WasmRenderer } from '../../src/render/wasm/renderer.ts';
import { detectFeatures } from '../../src/targets/wasm/features.ts';
import { nodeHost } from '../../src/targets/wasm/nodeHost.ts';
import { instantiate } from '../../src/targets/wasm/instance.ts';
import { ALL_STEPS } from '../../src/targets/wasm/team.ts';
import { webAssembly } from '../../src/targets/wasm/webAssembly.ts';

const PAGE = 65_536;
type Values = readonly (number | bigint)[];
interface Input {
  readonly dtype: NumericDType;
  readonly values: Values;
}

/** One kernel over inputs b0, b1, … and one output `out`. */
function kernelOf(inputs: readonly Input[], output: NumericDType, elements: number, body: readonly Stmt[], extent = 1): Kernel {
  const params = inputs.map(({ dtype, values }, i) => ({ name: `b${i}`, dtype, access: 'read' as const, elements: values.length }));
  return {
    name: 'k',
    params: [...params, { name: 'out', dtype: output, access: 'readwrite', elements }],
    scratch: [{ name: 's', dtype: 'i16', elements: 8 }],
    grid: { var: 'g', extent },
    body,
    cost: { flops: 0, bytes: 0 },
  };
}
const moduleOf = (kernel: Kernel) => ({ kernels: [kernel], init: [], run: [{ kernel: 0, args: kernel.params.map((_, base) => ({ base, offsetBytes: 0 })) }] });

const zeroed = (kernel: Kernel): Uint8Array => new Uint8Array(kernel.params.at(-1)!.elements * byteWidth(kernel.params.at(-1)!.dtype));

function interpreted(kernel: Kernel, inputs: readonly Uint8Array[]): Uint8Array {
  const interpreter = new Interpreter(moduleOf(kernel));
  const blocks = [...inputs, zeroed(kernel)].map((bytes) => {
    const block = watchedBlock(bytes.byteLength);
    block.bytes.set(bytes);
    interpreter.markWritten(block);
    return block;
  });
  interpreter.execute('run', blocks);
  return blocks.at(-1)!.bytes;
}

async function executed(kernel: Kernel, inputs: readonly Uint8Array[], relaxed: boolean): Promise<Uint8Array> {
  const memory = new webAssembly!.Memory({ initial: inputs.length + 4, maximum: 100, shared: false });
  const [bytes] = new WasmRenderer({ relaxed, isShared: false }).render(moduleOf(kernel)).units;
  if (!(bytes instanceof Uint8Array)) throw new TypeError('text');
  const calls = instantiate(await webAssembly!.compile(bytes), memory);
  const blocks = [...inputs, zeroed(kernel)];
  const bases = new Uint32Array(memory.buffer, 0, blocks.length);
  blocks.forEach((block, i) => {
    bases[i] = (i + 2) * PAGE;
    new Uint8Array(memory.buffer, (i + 2) * PAGE).set(block);
  });
  calls(0, 1, 0, PAGE, 0, ALL_STEPS);
  return new Uint8Array(memory.buffer, (blocks.length + 1) * PAGE, zeroed(kernel).length).slice();
}

const isRelaxed = detectFeatures(nodeHost).relaxed;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

async function expectSame(inputs: readonly Input[], output: NumericDType, elements: number, body: readonly Stmt[], extent = 1): Promise<void> {
  const kernel = lowerSmallFloats(kernelOf(inputs, output, elements, body, extent));
  const bytes = inputs.map(({ dtype, values }) => bytesOf(tensorFrom(dtype, [values.length], [...values])));
  const expected = hex(interpreted(kernel, bytes));
  for (const relaxed of new Set([false, isRelaxed])) expect(hex(await executed(kernel, bytes, relaxed)), relaxed ? 'relaxed' : 'plain').toBe(expected);
}

const samples: { readonly [D in 'f32' | 'f64' | 'i32' | 'u32' | 'i64' | 'u64' | 'bool']: Values } = {
  f32: [0, -0, 1, -1.5, 2.5, 1e-40, 3.4e38, Infinity, -Infinity, NaN, 0.5, -7.25],
  f64: [0, -0, 1, -1.5, 2.5, 5e-324, 1.7e308, Infinity, -Infinity, NaN, 0.5, -7.25],
  i32: [0, 1, -2, 2147483647, -2147483648, 12345, -98765, 31],
  u32: [0, 1, 2, 2147483648, 4294967295, 12345, 31, 7],
  i64: [0n, 1n, -2n, 9223372036854775807n, -9223372036854775808n, 123456789012n, -31n, 63n],
  u64: [0n, 1n, 2n, 18446744073709551615n, 9223372036854775808n, 123456789012n, 31n, 63n],
  bool: [0, 1, 1, 0],
};
type Sample = keyof typeof samples;
const WIDE: ReadonlySet<ComputeDType> = new Set(['f64', 'i64', 'u64']);
const lanesOf = (dtype: ComputeDType): readonly number[] => (WIDE.has(dtype) ? [1] : [1, 4]);

/** out[i…] = f(inputs at i…) for every i, in steps of `lanes`. */
async function expectMap(inputs: readonly Input[], output: NumericDType, lanes: number, f: (...xs: readonly Expr[]) => Expr): Promise<void> {
  const count = inputs[0]!.values.length;
  const xs = inputs.map(({ dtype }, i) => load(`b${i}`, variable('i'), computeType(dtype), lanes));
  await expectSame(inputs, output, count, [loop('i', index(0), index(count), [store('out', variable('i'), f(...xs))], lanes)]);
}

/** All pairs of values that may meet. */
function pairs(dtype: Sample, allowed: (a: number, b: number) => boolean = () => true): [Input, Input] {
  const values: Values = samples[dtype];
  const found = values.flatMap((a) => values.flatMap((b) => (allowed(Number(a), Number(b)) ? [[a, b] as const] : [])));
  while (found.length % 4 !== 0) found.push(found[0]!);
  return [
    { dtype, values: found.map(([a]) => a) },
    { dtype, values: found.map(([, b]) => b) },
  ];
}

const numbers: readonly Sample[] = ['f32', 'f64', 'i32', 'u32', 'i64', 'u64'];
const reals: readonly Sample[] = ['f32', 'f64'];
const integers: readonly Sample[] = ['i32', 'u32', 'i64', 'u64'];
const unaries: readonly (readonly [UnaryFn, readonly Sample[]])[] = [
  ['neg', numbers],
  ['abs', numbers],
  ['floor', reals],
  ['ceil', reals],
  ['rint', reals],
  ['trunc', reals],
  ['sqrt', reals],
  ['not', ['bool']],
  ['bitNot', integers],
];
const binaries: readonly (readonly [BinaryFn, readonly Sample[]])[] = [
  ['add', numbers],
  ['sub', numbers],
  ['mul', numbers],
  ['min', numbers],
  ['max', numbers],
  ['and', [...integers, 'bool']],
  ['or', [...integers, 'bool']],
  ['xor', [...integers, 'bool']],
];

describe('functions', () => {
  it.each(unaries)('%s', async (fn, dtypes) => {
    for (const dtype of dtypes) for (const lanes of lanesOf(dtype)) await expectMap([{ dtype, values: samples[dtype] }], dtype, lanes, (x) => unary(fn, x!));
  });

  it.each(binaries)('%s', async (fn, dtypes) => {
    for (const dtype of dtypes) for (const lanes of lanesOf(dtype)) await expectMap(pairs(dtype), dtype, lanes, (a, b) => binary(fn, a!, b!));
  });

  it('division and remainder', async () => {
    for (const dtype of reals) for (const lanes of lanesOf(dtype)) await expectMap(pairs(dtype), dtype, lanes, (a, b) => binary('div', a!, b!));
    for (const dtype of integers) {
      for (const fn of ['div', 'rem'] as const) {
        for (const lanes of lanesOf(dtype))
          await expectMap(
            pairs(dtype, (_, b) => b !== 0 && b !== -1),
            dtype,
            lanes,
            (a, b) => binary(fn, a!, b!),
          );
      }
    }
  });

  it('shifts by counts of each lane and of all', async () => {
    for (const dtype of integers) {
      const bits = WIDE.has(dtype) ? 64 : 32;
      for (const fn of ['shl', 'shr'] as const) {
        for (const lanes of lanesOf(dtype)) {
          await expectMap(
            pairs(dtype, (_, b) => b >= 0 && b < bits),
            dtype,
            lanes,
            (a, b) => binary(fn, a!, b!),
          );
          await expectMap([{ dtype, values: samples[dtype] }], dtype, lanes, (a) => binary(fn, a!, splat(constant(dtype, bits === 64 ? 5n : 5), lanes)));
        }
      }
    }
  });

  it.each<CompareFn>(['eq', 'ne', 'lt', 'le', 'gt', 'ge'])('compare %s', async (fn) => {
    for (const dtype of numbers) for (const lanes of lanesOf(dtype)) await expectMap(pairs(dtype), 'bool', lanes, (a, b) => compare(fn, a!, b!));
  });

  it('select and multiply-add', async () => {
    for (const dtype of numbers) for (const lanes of lanesOf(dtype)) await expectMap(pairs(dtype), dtype, lanes, (a, b) => select(compare('lt', a!, b!), b!, a!));
    const small = [1, 2, -3, 4, 0.5, 6, 7, 8];
    for (const dtype of reals) for (const lanes of lanesOf(dtype)) await expectMap([{ dtype, values: small }], dtype, lanes, (a) => fma(a!, a!, a!));
  });
});

describe('conversions', () => {
  const inRange: { readonly [D in Sample]: Values } = {
    f32: [0, 1, 2.75, 100.5, 7, 255, 65535, 3],
    f64: [0, 1, 2.75, 100.5, 7, 255, 65535, 3],
    i32: [0, 1, 2, 100, 7, 255, 65535, 3],
    u32: [0, 1, 2, 100, 7, 255, 65535, 4000000000],
    i64: [0n, 1n, 2n, 100n, 7n, 255n, 65535n, 3n],
    u64: [0n, 1n, 2n, 100n, 7n, 255n, 65535n, 3n],
    bool: [0, 1, 1, 0, 0, 0, 1, 1],
  };
  const all: readonly Sample[] = [...numbers, 'bool'];

  it('by value, between all types', async () => {
    for (const from of all) {
      for (const to of all) {
        const values = from === 'u32' && to === 'i32' ? inRange.i32 : inRange[from];
        for (const lanes of lanesOf(from).filter((n) => n === 1 || !WIDE.has(to))) await expectMap([{ dtype: from, values }], to, lanes, (x) => cast(to, x!));
      }
    }
    await expectMap([{ dtype: 'f32', values: [-1.5, -2, -7.9, 3] }], 'i32', 4, (x) => cast('i32', x!));
    await expectMap([{ dtype: 'i32', values: [-1, -2, -7, 3] }], 'f32', 4, (x) => cast('f32', x!));
    await expectMap([{ dtype: 'i32', values: [-1, -2, -7, 3] }], 'i64', 1, (x) => cast('i64', x!));
  });

  it('never trap', async () => {
    for (const from of reals) {
      for (const to of integers) {
        const kernel = kernelOf([{ dtype: from, values: samples[from] }], to, 12, [
          loop('i', index(0), index(12), [store('out', variable('i'), cast(to, load('b0', variable('i'), from)))]),
        ]);
        await executed(kernel, [bytesOf(tensorFrom(from, [12], [...samples[from]]))], false);
      }
    }
  });

  it('of bits', async () => {
    for (const [from, to] of [
      ['f32', 'u32'],
      ['f64', 'u64'],
    ] as const) {
      // One more than an infinity would be a NaN, whose bits are nobody's promise.
      const values = samples[from].filter((x) => Number.isFinite(x)).slice(0, 8);
      const one = constant(to, to === 'u64' ? 1n : 1);
      for (const lanes of lanesOf(from)) await expectMap([{ dtype: from, values }], from, lanes, (x) => bitcast(from, add(bitcast(to, x!), splat(one, lanes))));
    }
  });

  it.each<NumericDType>(['i8', 'u8', 'i16', 'u16', 'f16', 'bf16'])('narrow to %s', async (to) => {
    const dtype = computeType(to);
    if (dtype !== 'f32' && dtype !== 'i32' && dtype !== 'u32') throw new TypeError(dtype);
    for (const lanes of [1, 4]) await expectMap([{ dtype, values: samples[dtype] }], dtype, lanes, (x) => ({ kind: 'narrow', type: x!.type, to, x: x! }));
  });
});

describe('memory', () => {
  it.each<NumericDType>(['f64', 'f32', 'f16', 'bf16', 'f8e4m3', 'f8e5m2', 'i64', 'i32', 'i16', 'i8', 'i4', 'i2', 'u64', 'u32', 'u16', 'u8', 'u4', 'u2', 'bool'])(
    'holds %s',
    async (dtype) => {
      const compute = computeType(dtype);
      if (compute === 'index') throw new TypeError(compute);
      const values = [...samples[compute], ...samples[compute]].slice(0, 8);
      for (const lanes of lanesOf(compute)) {
        // Stored narrower, and read back.
        await expectMap([{ dtype: compute, values }], dtype, lanes, (x) => x!);
        const stored = values.map((x) => (typeof x === 'bigint' ? x : dtype[0] === 'f' || dtype[0] === 'b' ? (Number.isFinite(x) ? Math.sign(x) : 0) : x & 1));
        await expectMap([{ dtype, values: stored }], compute, lanes, (x) => x!);
      }
    },
  );

  it('is addressed by sums, products, quotients and constants', async () => {
    const input: Input = { dtype: 'i16', values: Array.from({ length: 64 }, (_, i) => i * 3 - 50) };
    const [g, i] = [variable('g'), variable('i')];
    await expectSame(
      [input],
      'i32',
      32,
      [
        declare('row', add(mul(g, index(8)), index(2))),
        declare('next', add(mul(g, index(8)), index(5))),
        loop('i', index(0), index(8), [
          declare('back', binary('sub', index(7), i)),
          store(
            'out',
            add(mul(g, index(8)), i),
            add(load('b0', add(variable('row'), variable('back')), 'i32'), load('b0', add(binary('rem', variable('next'), index(7)), binary('div', i, index(3))), 'i32')),
          ),
        ]),
      ],
      4,
    );
  });

  it('of threads holds rows between loops', async () => {
    const input: Input = { dtype: 'i32', values: Array.from({ length: 32 }, (_, i) => i * 5) };
    const i = variable('i');
    const body = [
      loop('i', index(0), index(8), [store('s', i, load('b0', add(mul(variable('g'), index(8)), i), 'i32'))]),
      loop('i', index(0), index(8), [store('out', add(mul(variable('g'), index(8)), i), load('s', binary('sub', index(7), i), 'i32'))], 2),
    ];
    await expectSame([input], 'i32', 32, body, 4);
  });
});

describe('statements', () => {
  const input: Input = { dtype: 'i32', values: Array.from({ length: 16 }, (_, i) => (i * 7) % 11) };
  const sum = variable('sum', 'i32');
  const accumulate = (at: Expr): Stmt => ({ kind: 'assign', name: 'sum', value: add(sum, load('b0', at, 'i32')) });

  it.each([true, false])('loops, unrolled: %s', async (unroll) => {
    const inner: Stmt = { kind: 'for', var: 'j', from: index(1), to: index(12), step: 3, unroll, body: [accumulate(add(variable('g'), variable('j')))] };
    await expectSame([input], 'i32', 4, [declare('sum', constant('i32', 100)), inner, store('out', variable('g'), sum)], 4);
  });

  it('loops whose ends are known only when they run', async () => {
    const body = [
      declare('sum', constant('i32', 0)),
      loop('j', variable('g'), binary('min', mul(variable('g'), index(2)), index(5)), [accumulate(variable('j'))]),
      store('out', variable('g'), sum),
    ];
    await expectSame([input], 'i32', 8, body, 8);
  });

  it('branches', async () => {
    const isOdd = compare('ne', binary('rem', load('b0', variable('g'), 'i32'), constant('i32', 2)), constant('i32', 0));
    const set = (value: number): Stmt => ({ kind: 'assign', name: 'sum', value: constant('i32', value) });
    const body: Stmt[] = [declare('sum', constant('i32', 5)), { kind: 'if', condition: isOdd, then: [set(1)], else: [set(2)] }, store('out', variable('g'), sum)];
    await expectSame([input], 'i32', 16, body, 16);
  });

  it('locals that change while an index made of them does not', async () => {
    const at = variable('at');
    const body: Stmt[] = [
      declare('at', index(3)),
      declare('kept', add(at, index(1))),
      { kind: 'assign', name: 'at', value: index(9) },
      store('out', index(0), load('b0', variable('kept'), 'i32')),
      store('out', index(1), load('b0', at, 'i32')),
    ];
    await expectSame([input], 'i32', 2, body);
  });
});

describe('vectors', () => {
  const x = (dtype: 'f32' | 'i32'): Expr => load('b0', index(0), dtype, 4);
  it('are packed, splat and taken apart', async () => {
    const input: Input = { dtype: 'f32', values: [1, 2, 3, 4] };
    const item = (lane: number): Expr => ({ kind: 'extract', type: exprType('f32'), x: x('f32'), lane });
    await expectSame([input], 'f32', 4, [store('out', index(0), pack([item(3), constant('f32', 9), item(0), load('b0', index(1), 'f32')]))]);
    await expectSame([input], 'f32', 4, [store('out', index(0), splat(item(2), 4))]);
    await expectSame([input], 'bool', 4, [
      store('out', index(0), pack([constant('bool', 1), compare('lt', item(0), item(1)), constant('bool', 0), compare('gt', item(0), item(1))])),
    ]);
  });

  it('are shuffled, from one and from two', async () => {
    const input: Input = { dtype: 'f32', values: [1, 2, 3, 4, 5, 6, 7, 8] };
    const item = (name: string, lane: number): Expr => ({ kind: 'extract', type: exprType('f32'), x: variable(name, 'f32', 4), lane });
    const named = [declare('p', load('b0', index(0), 'f32', 4)), declare('q', load('b0', index(4), 'f32', 4))];
    await expectSame([input], 'f32', 4, [...named, store('out', index(0), pack([item('p', 0), item('p', 2), item('q', 1), item('q', 3)]))]);
    await expectSame([input], 'f32', 4, [...named, store('out', index(0), pack([item('q', 3), item('q', 2), item('q', 1), item('q', 0)]))]);
  });

  it.each(['add', 'mul', 'min', 'max'] as const)('combine their lanes by %s', async (fn) => {
    for (const dtype of ['f32', 'i32'] as const) {
      await expectSame([{ dtype, values: [3, -5, 7, 2] }], dtype, 1, [store('out', index(0), { kind: 'across', type: exprType(dtype), fn, x: x(dtype) })]);
    }
  });

  it.each(['and', 'or'] as const)('combine masks by %s', async (fn) => {
    const mask = compare('gt', x('i32'), splat(constant('i32', 0), 4));
    for (const values of [
      [1, 2, 3, 4],
      [1, -1, 2, 3],
      [-1, -2, -3, -4],
    ]) {
      await expectSame([{ dtype: 'i32', values }], 'bool', 1, [store('out', index(0), { kind: 'across', type: exprType('bool'), fn, x: mask })]);
    }
  });
});
