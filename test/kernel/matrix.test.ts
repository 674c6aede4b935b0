// Steps of matrix units: what the verifier refuses, what the interpreter computes and finds, and that renderers without them refuse.
import { describe, expect, it } from 'vitest';
import { compare, index, load, store, variable } from '../../src/kernel/build.ts';
import { Interpreter } from '../../src/kernel/interpret.ts';
import type { Expr, Fragment, FragmentPlace, Kernel, MatrixUnit, Stmt } from '../../src/kernel/ir.ts';
import { roundedInput } from '../../src/kernel/matrix.ts';
import { watchedBlock } from '../../src/kernel/memory.ts';
import { verifyKernel } from '../../src/kernel/verify.ts';
import { LaunchedRenderer } from '../../src/render/c/launched.ts';
import { clLanguage } from '../../src/render/cl/language.ts';

const unit: MatrixUnit = { m: 2, n: 3, k: 4, in: 'f32', acc: 'f32', layout: 'strided' };
const fragment = (role: Fragment['role'], order: Fragment['order'] = 'rows'): Fragment => ({ unit, role, order });
const [a, b, sum] = [fragment('a'), fragment('b', 'columns'), fragment('sum')];
const t = variable('t');
const at = (buffer: string, stride: number, position: Expr = index(0)): FragmentPlace => ({ buffer, index: position, stride });
const declared: readonly Stmt[] = [
  { kind: 'matrix', step: { do: 'declare', name: 'x', fragment: a } },
  { kind: 'matrix', step: { do: 'declare', name: 'y', fragment: b } },
  { kind: 'matrix', step: { do: 'declare', name: 'z', fragment: sum } },
];
const loadX: Stmt = { kind: 'matrix', step: { do: 'load', name: 'x', fragment: a, from: at('s', 4) } };
const loadY: Stmt = { kind: 'matrix', step: { do: 'load', name: 'y', fragment: b, from: at('s', 4, index(8)) } };
const multiply: Stmt = { kind: 'matrix', step: { do: 'multiply', sum: 'z', a: 'x', b: 'y', fragments: { a, b } } };
const storeZ: Stmt = { kind: 'matrix', step: { do: 'store', name: 'z', fragment: sum, to: at('r', 3) } };
const barrier: Stmt = { kind: 'barrier' };
/** Four threads fill s with 0, 1, … 19. */
const fill: Stmt = { kind: 'for', var: 'i', from: t, to: index(20), step: 4, body: [store('s', variable('i'), load('b0', variable('i'), 'f32'))] };
const drain: Stmt = { kind: 'for', var: 'j', from: t, to: index(6), step: 4, body: [store('b1', variable('j'), load('r', variable('j'), 'f32'))] };

const kernelOf = (body: readonly Stmt[], changed: Partial<Kernel> = {}): Kernel => ({
  name: 'k',
  params: [
    { name: 'b0', dtype: 'f32', access: 'read', elements: 20 },
    { name: 'b1', dtype: 'f32', access: 'write', elements: 6 },
  ],
  scratch: [
    { name: 's', dtype: 'f32', elements: 20, shared: true },
    { name: 'r', dtype: 'f32', elements: 6, shared: true },
  ],
  grid: { var: 'g', extent: 1 },
  block: { var: 't', threads: 4, subgroup: 4 },
  body,
  cost: { flops: 0, bytes: 0 },
  ...changed,
});
const whole = kernelOf([...declared, fill, barrier, loadX, loadY, multiply, multiply, storeZ, barrier, drain]);
const problems = (kernel: Kernel): readonly string[] => verifyKernel(kernel).problems;

function run(kernel: Kernel): number[] {
  const interpreter = new Interpreter({ kernels: [kernel], init: [], run: [{ kernel: 0, args: [0, 1].map((base) => ({ base, offsetBytes: 0 })) }] });
  const [input, output] = [watchedBlock(80), watchedBlock(24)];
  new Float32Array(input.bytes.buffer).set(Array.from({ length: 20 }, (_, i) => i));
  interpreter.markWritten(input);
  interpreter.execute('run', [input, output]);
  return [...new Float32Array(output.bytes.buffer)];
}

describe('a matrix unit', () => {
  it('sums products of rows and columns', () => {
    expect(problems(whole)).toEqual([]);
    const dot = (x: number, y: number): number => [0, 1, 2, 3].reduce((total, i) => total + (x + i) * (y + i), 0);
    expect(run(whole)).toEqual([0, 4].flatMap((row) => [8, 12, 16].map((column) => 2 * dot(row, column))));
  });

  it.each<readonly [string, Kernel, RegExp]>([
    ['no subgroups', kernelOf(whole.body, { block: { var: 't', threads: 4 } }), /no subgroups/],
    ['a block that subgroups do not fill', kernelOf(whole.body, { block: { var: 't', threads: 6, subgroup: 4 } }), /subgroups of 4/],
    ['an unknown fragment', kernelOf([multiply]), /x is no fragment/],
    ['another role', kernelOf([...declared, { kind: 'matrix', step: { do: 'multiply', sum: 'z', a: 'y', b: 'y', fragments: { a: b, b } } }]), /as another than was declared/],
    ['memory of a thread', kernelOf(whole.body, { scratch: whole.scratch.map((s) => ({ ...s, shared: false })) }), /does not share/],
    ['another dtype', kernelOf(whole.body, { scratch: [{ name: 's', dtype: 'i32', elements: 20, shared: true }, whole.scratch[1]!] }), /not what the matrix unit takes/],
    ['lines that overlap', kernelOf([...declared, { kind: 'matrix', step: { do: 'load', name: 'x', fragment: a, from: at('s', 3) } }]), /3 apart/],
    ['the end of memory', kernelOf([...declared, { kind: 'matrix', step: { do: 'load', name: 'x', fragment: a, from: at('s', 4, index(13)) } }]), /which has 20/],
  ])('is not used with %s', (_, kernel, problem) => expect(problems(kernel).join('\n')).toMatch(problem));

  it('is found out where threads of a subgroup part, where memory was not filled, and where a barrier is missing', () => {
    const apart: Stmt = { kind: 'if', condition: compare('lt', t, index(2)), then: [loadX], else: [] };
    expect(() => run(kernelOf([...declared, fill, barrier, apart, barrier, drain]))).toThrow(/steps of the matrix unit/);
    expect(() => run(kernelOf([...declared, loadX]))).toThrow(/never written/);
    expect(() => run(kernelOf([...declared, fill, loadX]))).toThrow(/never written|while another/);
    expect(() => run(kernelOf([...declared, fill, barrier, loadX, multiply]))).toThrow(/before it is filled/);
    expect(() => run(kernelOf([...declared, storeZ, drain]))).toThrow(/while another|never written/);
  });

  it('rounds f32 to 10 bits of mantissa, ties away from zero', () => {
    expect(roundedInput({ ...unit, in: 'tf32' }, 'f32', 1 + 2 ** -11)).toBe(1 + 2 ** -10);
    expect(roundedInput({ ...unit, in: 'tf32' }, 'f32', -1 - 2 ** -11)).toBe(-1 - 2 ** -10);
    expect(roundedInput({ ...unit, in: 'tf32' }, 'f32', 1 + 2 ** -12)).toBe(1);
    expect(roundedInput({ ...unit, in: 'tf32' }, 'f32', Infinity)).toBe(Infinity);
    expect(roundedInput({ ...unit, in: 'tf32', layout: 'swizzled' }, 'f32', 1 + 2 ** -10 + 2 ** -11)).toBe(1 + 2 ** -10);
    expect(roundedInput({ ...unit, in: 'f16' }, 'u16', 0x3c01)).toBe(1 + 2 ** -10);
  });

  it('is refused by languages that have none', () => {
    const module = { kernels: [whole], init: [], run: [] };
    expect(() => new LaunchedRenderer(clLanguage).render(module)).toThrow(/no matrix units/);
  });
});
