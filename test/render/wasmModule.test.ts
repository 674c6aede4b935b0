// The binary format: integers, sections, a whole module byte for byte, and what a kernel of some size looks like.
import { describe, expect, it } from 'vitest';
import { add, binary, constant, fma, index, load, loop, mul, splat, store, variable } from '../../src/kernel/build.ts';
import type { Kernel } from '../../src/kernel/ir.ts';
import { ByteWriter } from '../../src/render/wasm/bytes.ts';
import { Code } from '../../src/render/wasm/code.ts';
import { encodeModule } from '../../src/render/wasm/module.ts';
import { WasmRenderer } from '../../src/render/wasm/renderer.ts';
import { callTableOf } from '../../src/targets/wasm/instance.ts';
import { webAssembly } from '../../src/targets/wasm/webAssembly.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const written = (write: (out: ByteWriter) => void): string => {
  const out = new ByteWriter();
  write(out);
  return hex(out.bytes);
};

describe('LEB128', () => {
  it.each([
    [0, '00'],
    [127, '7f'],
    [128, '8001'],
    [624485, 'e58e26'],
    [4294967295, 'ffffffff0f'],
  ])('unsigned %d', (value, bytes) => expect(written((out) => out.unsigned(value))).toBe(bytes));

  it.each([
    [0, '00'],
    [-1, '7f'],
    [63, '3f'],
    [64, 'c000'],
    [-64, '40'],
    [-65, 'bf7f'],
    [-123456, 'c0bb78'],
    [2147483647, 'ffffffff07'],
    [-2147483648, '8080808078'],
    [4294967295, '7f'],
  ])('signed %d', (value, bytes) => expect(written((out) => out.signed(value))).toBe(bytes));

  it.each([
    [0n, '00'],
    [-1n, '7f'],
    [2n ** 63n - 1n, 'ffffffffffffffffff00'],
    [-(2n ** 63n), '8080808080808080807f'],
  ])('of 64 bits %d', (value, bytes) => expect(written((out) => out.signedWide(value))).toBe(bytes));
});

describe('modules', () => {
  const code = new Code(1);
  code.get(0);
  const sum = code.local('i32');
  code.set(sum);
  code.get(sum);
  code.emit('i32.const', 300);
  code.emit('i32.store', 8);
  const f = { name: '$f', params: [{ name: '$p', type: 'i32' as const }], locals: code.locals, instructions: code.instructions };

  it('are encoded section by section', () => {
    const bytes = encodeModule({ memory: { minPages: 1, maxPages: 3, isShared: true }, functions: [f], table: [0], exports: [{ name: 'f', function: 0 }], custom: [] });
    expect(hex(bytes)).toBe(
      [
        '0061736d01000000',
        '01050160017f00',
        '02100103656e76066d656d6f727902030103',
        '03020100',
        '040401700001',
        '07050101660000',
        '0907010041000b0100',
        '0a10010e01017f2000220141ac023602080b',
        '000b046e616d65010401000166',
      ].join(''),
    );
    expect(webAssembly!.validate(bytes)).toBe(true);
  });
});

/** Two rows of a blocked product: what the inner loop of every contraction looks like. */
const block: Kernel = {
  name: 'block',
  params: [
    { name: 'b0', dtype: 'f32', access: 'read', elements: 1024 },
    { name: 'b1', dtype: 'f32', access: 'read', elements: 1024 },
    { name: 'b2', dtype: 'f32', access: 'write', elements: 1024 },
  ],
  scratch: [],
  grid: { var: 'g', extent: 8 },
  body: [
    { kind: 'let', name: 'row', value: mul(variable('g'), index(64)) },
    { kind: 'let', name: 'acc0', value: splat(constant('f32', 0), 4) },
    { kind: 'let', name: 'acc1', value: splat(constant('f32', 0), 4) },
    loop('k', index(0), index(32), [
      { kind: 'let', name: 'w', value: load('b1', mul(variable('k'), index(4)), 'f32', 4) },
      { kind: 'let', name: 'at', value: add(variable('row'), variable('k')) },
      { kind: 'let', name: 'below', value: add(add(variable('row'), variable('k')), index(32)) },
      { kind: 'assign', name: 'acc0', value: fma(splat(load('b0', variable('at'), 'f32'), 4), variable('w', 'f32', 4), variable('acc0', 'f32', 4)) },
      { kind: 'assign', name: 'acc1', value: fma(splat(load('b0', variable('below'), 'f32'), 4), variable('w', 'f32', 4), variable('acc1', 'f32', 4)) },
    ]),
    store('b2', mul(variable('g'), index(8)), variable('acc0', 'f32', 4)),
    store('b2', add(mul(variable('g'), index(8)), index(4)), binary('max', variable('acc1', 'f32', 4), splat(constant('f32', 0), 4))),
  ],
  cost: { flops: 4096, bytes: 0 },
};
const module = { kernels: [block], init: [], run: [{ kernel: 0, args: [0, 1, 2].map((base) => ({ base, offsetBytes: 0 })) }] };

describe('kernels', () => {
  it('keep sums in locals, share addresses, and leave constants to offsets', () => {
    expect(new WasmRenderer({ relaxed: true, isShared: true }).renderKernel(module, 0)).toMatchInlineSnapshot(`
      "(func $block (param $b0 i32) (param $b1 i32) (param $b2 i32) (param $scratch i32) (param $from i32) (param $to i32)
        (local i32 i32 i32 v128 v128 i32 v128 i32)
        local.get $from
        local.set $6
        local.get $to
        local.set $7
        block
          local.get $6
          local.get $7
          i32.ge_s
          br_if 0
          loop
            local.get $6
            i32.const 6
            i32.shl
            local.set $8
            v128.const i32x4 0x0 0x0 0x0 0x0
            local.set $9
            v128.const i32x4 0x0 0x0 0x0 0x0
            local.set $10
            i32.const 0
            local.set $11
            loop
              local.get $b1
              local.get $11
              i32.const 4
              i32.shl
              i32.add
              v128.load
              local.set $12
              local.get $8
              local.get $11
              i32.add
              local.set $13
              local.get $b0
              local.get $13
              i32.const 2
              i32.shl
              i32.add
              v128.load32_splat
              local.get $12
              local.get $9
              f32x4.relaxed_madd
              local.set $9
              local.get $b0
              local.get $13
              i32.const 2
              i32.shl
              i32.add
              v128.load32_splat offset=128
              local.get $12
              local.get $10
              f32x4.relaxed_madd
              local.set $10
              local.get $11
              i32.const 1
              i32.add
              local.tee $11
              i32.const 32
              i32.lt_s
              br_if 0
            end
            local.get $b2
            local.get $6
            i32.const 5
            i32.shl
            i32.add
            local.get $9
            v128.store
            local.get $b2
            local.get $6
            i32.const 5
            i32.shl
            i32.add
            v128.const i32x4 0x0 0x0 0x0 0x0
            local.get $10
            f32x4.pmax
            v128.store offset=16
            local.get $6
            i32.const 1
            i32.add
            local.tee $6
            local.get $7
            i32.lt_s
            br_if 0
          end
        end
      )
      "
    `);
  });

  it('say what their calls are', async () => {
    const [bytes] = new WasmRenderer({ relaxed: false, isShared: false }).render(module).units;
    if (!(bytes instanceof Uint8Array)) throw new TypeError('text');
    expect(callTableOf(await webAssembly!.compile(bytes))).toEqual({ init: 0, steps: [8], nanos: [1024] });
  });

  it('need no calls at all', async () => {
    const [bytes] = new WasmRenderer({ relaxed: false, isShared: true }).render({ kernels: [], init: [], run: [] }).units;
    expect(bytes instanceof Uint8Array && webAssembly!.validate(bytes)).toBe(true);
  });

  it('of buffers beyond 32 bits are refused', () => {
    const large: Kernel = { ...block, params: block.params.map((p) => ({ ...p, elements: 2 ** 30 })) };
    expect(() => new WasmRenderer({ relaxed: false, isShared: true }).render({ ...module, kernels: [large] })).toThrowError(expect.objectContaining({ code: 'limit' }));
  });
});
