// Mathematics as arithmetic, held to JavaScript's: with f64 where the machine has it, and without.
import { describe, expect, it } from 'vitest';
import { bytesOf } from '../../src/core/tensor.ts';
import { binary, load, store, unary, variable } from '../../src/kernel/build.ts';
import { Interpreter } from '../../src/kernel/interpret.ts';
import type { BinaryFn, Expr, Kernel, UnaryFn } from '../../src/kernel/ir.ts';
import { expandMath, expandRounding } from '../../src/kernel/math.ts';
import { watchedBlock } from '../../src/kernel/memory.ts';
import { verifyKernel } from '../../src/kernel/verify.ts';

/** fn(a, b) of each pair, by the interpreter, after `expand`. */
function computeAs(fn: (a: Expr, b: Expr) => Expr, a: readonly number[], b: readonly number[], expand: (kernel: Kernel) => Kernel): Float32Array {
  const n = a.length;
  const at = variable('g');
  const [x, y] = [load('b0', at, 'f32'), load('b1', at, 'f32')];
  const params = (['read', 'read', 'write'] as const).map((access, i) => ({ name: `b${i}`, dtype: 'f32', access, elements: n }) as const);
  const source: Kernel = { name: 'math', params, scratch: [], grid: { var: 'g', extent: n }, body: [store('b2', at, fn(x, y))], cost: { flops: 0, bytes: 0 } };
  const kernel = expand(source);
  expect(verifyKernel(kernel).problems).toEqual([]);
  const module = { kernels: [kernel], init: [], run: [{ kernel: 0, args: [2, 3, 4].map((base) => ({ base, offsetBytes: 0 })) }] };
  const interpreter = new Interpreter(module, 'forward');
  const blocks = [a, b, []].map((values, i) => {
    const block = watchedBlock(n * 4);
    if (i < 2) {
      block.bytes.set(bytesOf({ dtype: 'f32', shape: [n], data: Float32Array.from(values) }));
      interpreter.markWritten(block);
    }
    return block;
  });
  interpreter.execute('run', [watchedBlock(0), watchedBlock(0), ...blocks]);
  return new Float32Array(blocks[2]!.bytes.slice().buffer);
}

const textOf = (kernel: Kernel): string => JSON.stringify(kernel, (_, v) => (typeof v === 'bigint' ? String(v) : v));
const compute = (fn: (a: Expr, b: Expr) => Expr, a: readonly number[], b: readonly number[], doubles: boolean): Float32Array =>
  computeAs(fn, a, b, (source) => {
    const kernel = expandMath(source, doubles);
    if (!doubles) expect(textOf(kernel)).not.toContain('"f64"');
    return kernel;
  });

const f32 = Math.fround;
let seed = 7;
const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;

/** Within `ulps` units in the last place of f32, or the same infinity, NaN or zero. */
function expectNear(actual: Float32Array, a: readonly number[], b: readonly number[], exact: (a: number, b: number) => number, ulps: number): void {
  const wrong = [...actual].flatMap((got, i) => {
    const wanted = exact(f32(a[i]!), f32(b[i]!));
    if (Object.is(got, f32(wanted)) || got === f32(wanted)) return [];
    const ulp = 2 ** Math.max(Math.floor(Math.log2(Math.abs(wanted))) - 23, -149);
    return Math.abs(got - wanted) <= ulps * ulp ? [] : [`(${a[i]}, ${b[i]}) gives ${got}, not ${f32(wanted)}`];
  });
  expect(wrong.slice(0, 5)).toEqual([]);
}

const special = [0, -0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, Infinity, -Infinity, NaN, 1e-45, 1e-40, 3e38, -3e38, 63, 64, 1000.5];
const crossed = special.flatMap((x) => special.map((y) => [x, y] as const));
const on = (fn: BinaryFn) => (x: Expr, y: Expr) => binary(fn, x, y);
const of = (fn: UnaryFn) => (x: Expr) => unary(fn, x);

for (const doubles of [true, false]) {
  describe(doubles ? 'with f64' : 'without f64', () => {
    it('raises to powers', () => {
      const [a, b] = [crossed.map(([x]) => x), crossed.map(([, y]) => y)];
      for (let i = 0; i < 1500; i++) {
        a.push(random() < 0.5 ? 2 ** (random() * 40 - 20) : 1 + (random() - 0.5) * 0.2);
        b.push((random() - 0.5) * (random() < 0.5 ? 8 : 60));
      }
      // IEEE 754 has 1 where JavaScript has NaN.
      const exact = (x: number, y: number): number => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y);
      expectNear(compute(on('pow'), a, b, doubles), a, b, exact, 3);
    });

    it('raises integers exactly', () => {
      const pairs = Array.from({ length: 40 }, (_, x) => Array.from({ length: 25 }, (_, n) => [x - 20, n] as const))
        .flat()
        .filter(([x, n]) => Math.abs(x) ** n < 2 ** 24);
      const [a, b] = [pairs.map(([x]) => x), pairs.map(([, n]) => n)];
      expect([...compute(on('pow'), a, b, doubles)].map(Math.abs)).toEqual(pairs.map(([x, n]) => Math.abs(x ** n)));
    });

    it('takes remainders exactly', () => {
      const [a, b] = [crossed.map(([x]) => x), crossed.map(([, y]) => y)];
      for (let i = 0; i < 1500; i++) {
        a.push((random() - 0.5) * 2 ** (random() * 120 - 40));
        b.push((random() - 0.5) * 2 ** (random() * 80 - 40));
      }
      expectNear(compute(on('rem'), a, b, doubles), a, b, (x, y) => x % y, 0);
    });

    it('takes sines and cosines of any size', () => {
      const a = [...special, 8192, 8193, 1e5, 2 ** 30, 2 ** 31, 3.4e38, 16367173 * 2 ** 72, -16367173 * 2 ** 72];
      for (let i = 0; i < 800; i++) a.push((random() - 0.5) * 2 ** (random() * 44));
      // Absolute: near its zeros the sine of f32's angles up to 8192 loses digits.
      for (const [fn, exact] of [['sin', Math.sin] as const, ['cos', Math.cos] as const]) {
        const got = compute(of(fn), a, a, doubles);
        a.forEach((x, i) => (Number.isFinite(x) ? expect(Math.abs(got[i]! - exact(f32(x))), `${fn} ${x}`).toBeLessThan(3e-7) : expect(got[i]).toBeNaN()));
      }
    });
  });
}

it('takes exponentials: exact to the last places, with what is too small for them as 0', () => {
  const a = [0, -0, 1, -1, 88.72283, -86.9, 88.73, 89, 1e30, Infinity, -88, -104, -1e30, -Infinity, NaN];
  for (let i = 0; i < 2000; i++) a.push(random() * 175.6 - 86.9);
  const tiny = 2 ** -125.5;
  expectNear(compute(of('exp'), a, a, true), a, a, (x) => (Math.exp(x) < tiny ? 0 : Math.exp(x)), 2);
});

describe('rounding as arithmetic', () => {
  const numbers = [...special, 1.5, -1.5, 2.5, -2.5, 0.3, -0.3, 0.7, -0.7, 8388607.5, -8388607.5, 8388608, 8388609, 4194303.5];
  for (let i = 0; i < 2000; i++) numbers.push((random() - 0.5) * 2 ** (random() * 50 - 20));
  const even = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
  const exact = { floor: Math.floor, ceil: Math.ceil, trunc: Math.trunc, rint: even };

  it.each(['floor', 'ceil', 'trunc', 'rint'] as const)('%s', (fn) => {
    const got = computeAs(of(fn), numbers, numbers, (source) => {
      const kernel = expandRounding(source, () => false);
      expect(textOf(kernel)).not.toContain(`"${fn}"`);
      return kernel;
    });
    const wrong = numbers.flatMap((x, i) => {
      const wanted = exact[fn](f32(x));
      return Object.is(got[i], f32(wanted)) ? [] : [`${x} gives ${got[i]}, not ${wanted}`];
    });
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});
