// WGSL as it is printed: what a language without wide integers, narrow memory and constants beyond numbers must do instead.
import { describe, expect, it } from 'vitest';
import { binary, cast, compare, constant, index, load, select, store, variable } from '../../src/kernel/build.ts';
import type { BufferParam, Expr, Kernel, KernelModule, Stmt } from '../../src/kernel/ir.ts';
import { WgslRenderer } from '../../src/render/wgsl/renderer.ts';

const at = variable('g');
const buffer = (name: string, dtype: BufferParam['dtype'], access: BufferParam['access'] = 'read'): BufferParam => ({ name, dtype, access, elements: 8 });
const kernelOf = (params: readonly BufferParam[], body: readonly Stmt[], more: Partial<Kernel> = {}): Kernel => ({
  name: 'small',
  params,
  scratch: [],
  grid: { var: 'g', extent: 8 },
  body,
  cost: { flops: 0, bytes: 0 },
  ...more,
});
const moduleOf = (kernel: Kernel, ...bases: readonly (readonly number[])[]): KernelModule => ({
  kernels: [kernel],
  init: [],
  run: bases.map((list) => ({ kernel: 0, args: list.map((base, i) => ({ base, offsetBytes: 64 * i })) })),
});
const render = (module: KernelModule) => new WgslRenderer().render(module);
const textOf = (params: readonly BufferParam[], body: readonly Stmt[]): string =>
  String(
    render(
      moduleOf(
        kernelOf(params, body),
        params.map((_, i) => i),
      ),
    ).units[0],
  );
const toFloats = (value: Expr): string => textOf([buffer('b0', 'f32', 'write')], [store('b0', at, value)]);

describe('WGSL', () => {
  it('has one binding for each block of memory, and one module for each way buffers lie in blocks', () => {
    const copy = kernelOf([buffer('b0', 'f32'), buffer('b1', 'f32', 'write')], [store('b1', at, load('b0', at, 'f32'))]);
    const { units, launches } = render(moduleOf(copy, [0, 0], [1, 0], [2, 0]));
    expect(units).toHaveLength(2);
    expect(units[0]).toContain('@binding(1) var<storage, read_write> memory0: array<u32>;');
    expect(units[0]).not.toContain('memory1');
    expect(units[1]).toContain('@binding(1) var<storage, read> memory0: array<u32>;');
    expect(units[1]).toContain('@binding(2) var<storage, read_write> memory1: array<u32>;');
    expect(launches?.run.map((call) => call.kernel)).toEqual([0, 1, 1]);
  });

  it('puts bytes into words by atomic operations, and reads them as words', () => {
    const text = textOf([buffer('b0', 'i8'), buffer('b1', 'bool', 'write')], [store('b1', at, compare('lt', load('b0', at, 'i32'), constant('i32', 0)))]);
    expect(text).toContain('memory1: array<atomic<u32>>');
    expect(text).toContain('memory0: array<u32>');
    expect(text).toContain('fn store8_memory1(i: i32, v: u32) {');
    expect(text).toContain('extractBits(bitcast<i32>(load8_memory0(b0_start + g)), 0u, 8u)');
  });

  it('computes 64-bit integers in pairs of words, with the functions that takes', () => {
    const sum = binary('mul', load('b0', at, 'i64'), constant('i64', -3n));
    const text = textOf([buffer('b0', 'i64'), buffer('b1', 'i64', 'write')], [store('b1', at, sum)]);
    expect(text).toContain('mul_u64(load64_memory0(b0_start + g), vec2u(0xfffffffdu, 0xffffffffu))');
    expect(text).toContain('fn product_u32(');
    expect(text).not.toContain('divide_u64');
  });

  it('hides from the compiler what a constant expression may not be', () => {
    expect(toFloats(constant('f32', Number.NaN))).toContain('kept_f32(0x7fc00000u)');
    expect(toFloats(constant('f32', -Infinity))).toContain('kept_f32(0xff800000u)');
    expect(toFloats(cast('f32', binary('mul', constant('i32', 2 ** 30), constant('i32', 4))))).toContain('(kept_i32(1073741824i) * 4i)');
    expect(toFloats(cast('f32', binary('div', cast('i32', at), constant('i32', 0))))).toContain('/ kept_i32(0i)');
  });

  it('asks the bits whether a number is none', () => {
    const x = load('b0', at, 'f32');
    const text = textOf([buffer('b0', 'f32'), buffer('b1', 'f32', 'write')], [store('b1', at, select(compare('ne', x, x), constant('f32', 0), x))]);
    expect(text).toContain('nan_f32(bitcast<f32>(memory0[b0_start + g]))');
  });

  it('is refused where positions would need more than 32 bits', () => {
    const huge = kernelOf([{ ...buffer('b0', 'f32', 'write'), elements: 2 ** 31 }], [store('b0', index(0), constant('f32', 0))]);
    expect(() => render(moduleOf(huge, [0]))).toThrow(/positions up to 2147483648/);
  });
});
