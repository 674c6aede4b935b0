// Kernels in PTO: their text, and, where ANYCHIP_PTO_INCLUDE names the include folder of pto-isa, what they compute on Huawei's own
// simulator of cores, held to the reference.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { registerTarget } from '../../src/target.ts';
import { createPtoTarget } from '../../src/targets/ascend/pto.ts';
import { anychip } from '../cli/anychip.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { expectClose, run, withText } from './onTarget.ts';
import { openSimulator } from './pto/simulator.ts';

const constant = (b: Builder, seed: number, shape: readonly number[], dtype: NumericTensor['dtype'] = 'f32'): Operand => b.constant(randomTensor(createRandom(seed), dtype, shape));
const softmax = (b: Builder, x: Operand): Operand => {
  const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
  return b.div(e, b.reduce('sum', e, [1]));
};
const layerNorm = (b: Builder, x: Operand, width: number): Operand => {
  const mean = (y: Operand): Operand => b.div(b.reduce('sum', y, [1]), b.scalar('f32', width));
  const centred = b.sub(x, mean(x));
  const scaled = b.div(centred, b.sqrt(b.add(mean(b.mul(centred, centred)), b.scalar('f32', 1e-5))));
  return b.add(b.mul(scaled, constant(b, 11, [width])), constant(b, 12, [width]));
};

/** All in one program, since the headers take a compiler a second each time. */
function kindsGraph(): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const b = createBuilder(createFolder());
  const shapes = { x: [1000], h: [1000], bytes: [700], integers: [900], rows: [9, 130], wide: [5, 700], left: [20, 33] } as const;
  const dtypes = { x: 'f32', h: 'f16', bytes: 'u8', integers: 'i32', rows: 'f32', wide: 'f32', left: 'f32' } as const;
  const names = Object.keys(shapes) as (keyof typeof shapes)[];
  const inputs = names.map((name) => b.input({ dtype: dtypes[name], shape: shapes[name] }, name));
  const [x, h, bytes, integers, rows, wide, left] = inputs as [Operand, Operand, Operand, Operand, Operand, Operand, Operand];
  const relu = (y: Operand): Operand => b.max(y, b.scalar('f32', 0));
  const outputs = [
    b.where(b.lt(x, b.cast(h, 'f32')), b.exp(b.mul(x, b.scalar('f32', 0.5))), b.floor(x)),
    b.sqrt(b.abs(b.div(x, b.add(b.abs(x), b.scalar('f32', 1))))),
    b.add(b.mul(h, h), b.scalar('f16', 1.5)),
    b.mul(b.cast(bytes, 'f32'), b.scalar('f32', 0.25)),
    b.add(b.mul(integers, integers), b.scalar('i32', 3)),
    b.reduce('max', rows, [1]),
    b.reduce('sum', wide, [1]),
    softmax(b, rows),
    layerNorm(b, wide, 700),
    relu(b.add(b.matmul(left, constant(b, 3, [33, 70])), constant(b, 4, [70]))),
  ];
  const random = createRandom(5);
  return { graph: b.finish('kinds', inputs, outputs), inputs: names.map((name) => randomTensor(random, dtypes[name], shapes[name])) };
}

/** Products of every dtype that the cube core takes, whose lines are their own or the sum's, in whole tiles and parts. */
function productsGraph(): { readonly graph: PrimGraph; readonly inputs: readonly NumericTensor[] } {
  const b = createBuilder(createFolder());
  const shapes = { x: [130, 200], h: [200, 130], i: [65, 100], z: [2, 48, 130] } as const;
  const dtypes = { x: 'f32', h: 'f16', i: 'i8', z: 'f16' } as const;
  const names = Object.keys(shapes) as (keyof typeof shapes)[];
  const inputs = names.map((name) => b.input({ dtype: dtypes[name], shape: shapes[name] }, name));
  const [x, h, i, z] = inputs as [Operand, Operand, Operand, Operand];
  const outputs = [
    b.matmul(x, constant(b, 3, [200, 130])),
    b.matmul(h, constant(b, 5, [130, 77], 'f16'), 'f32'),
    b.matmul(h, b.transpose(constant(b, 6, [50, 130], 'f16'), [1, 0]), 'f32'),
    b.matmul(b.transpose(h, [1, 0]), constant(b, 7, [200, 33], 'f16'), 'f32'),
    b.matmul(i, constant(b, 8, [100, 70], 'i8'), 'i32'),
    b.matmul(z, b.transpose(z, [0, 2, 1]), 'f32'),
  ];
  const random = createRandom(7);
  return { graph: b.finish('products', inputs, outputs), inputs: names.map((name) => randomTensor(random, dtypes[name], shapes[name])) };
}

describe('the text of kernels in PTO', () => {
  const target = createPtoTarget();
  const text = String(target.createRenderer().render(scheduleGraph(kindsGraph().graph, target.capabilities).module).units[0]);

  it.each([
    'TLOAD(',
    'TSTORE(',
    'TADD(',
    'TSUBS(',
    'TMULS(',
    'TDIV(',
    'TSQRT(',
    'TABS(',
    'TCMP(',
    'TCMPS(',
    'TSELS(',
    'TCVT(',
    'TEXPANDS(',
    'TROWMAX(',
    'TROWSUM(',
    'wait_flag(PIPE_MTE2, PIPE_V, EVENT_ID',
  ])('has %s', (word) => expect(text).toContain(word));

  it('multiplies on the cube core, each kernel compiled for its own kind', () => {
    const products = String(target.createRenderer().render(scheduleGraph(productsGraph().graph, target.capabilities).module).units[0]);
    const kernels = products.split('extern "C"').slice(1);
    const cube = kernels.filter((kernel) => kernel.includes('TMATMUL('));
    expect(cube.length).toBe(6);
    for (const word of ['TLOAD(', 'MatRows<half', 'MatColumns<half', 'TileLeft<i8', 'TileRight<float', 'TMATMUL_ACC(', 'TSTORE(', 'wait_flag(PIPE_MTE1, PIPE_M,'])
      expect(cube.join('')).toContain(word);
    expect(products.match(/^#if defined\(__DAV_CUBE__\)/gm)).toHaveLength(cube.length);
    expect(products.match(/^#if /gm)).toHaveLength(kernels.length);
  });

  it('gives each buffer a place of its own, at a whole block', () => {
    const kernel = text.slice(text.indexOf('extern "C"'));
    const places = [...kernel.slice(0, kernel.indexOf('\n}')).matchAll(/constexpr u64 \w+_at = (\d+);/g)].map((match) => Number(match[1]));
    expect(places.length).toBeGreaterThan(3);
    expect(new Set(places).size).toBe(places.length);
    expect(places.every((place) => place % 32 === 0)).toBe(true);
  });
});

describe('bisheng', () => {
  it('is called with the source for either kind of cores, and ld.lld with what it makes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anychip-'));
    // Each writes what it was given, and the linker what it was given to link.
    for (const name of ['bisheng', 'ld.lld'])
      writeFileSync(
        join(folder, name),
        `#!/bin/sh\nout=; for a; do [ "$last" = -o ] && out=$a; last=$a; done\n{ echo "${name} $*"; for a; do [ -f "$a" ] && cat "$a"; done; } > made\nmv made "$out"\n`,
        { mode: 0o755 },
      );
    vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
    vi.stubEnv('ANYCHIP_PTO_INCLUDE', '/headers');
    try {
      const { binary } = await createPtoTarget({ cache: new CompileCache(join(folder, 'cache')) })
        .createCompiler()
        .compile({ language: 'pto', units: ['// kernels\n'], launches: { kernels: [], init: [], run: [] } });
      const text = new TextDecoder().decode(binary.bytes);
      const [linked, ...made] = text.slice(text.indexOf('ld.lld')).trimEnd().split('\n');
      expect(linked).toBe('ld.lld -m aicorelinux -Ttext=0 -static -o linked out-vec out-cube');
      expect(made).toEqual(
        ['vec', 'cube'].flatMap((kind) => [
          expect.stringMatching(`bisheng -c -x cce .*--cce-aicore-arch=dav-c220-${kind} .*-I/headers .*-o out-${kind} kernels.cpp$`),
          '// kernels',
        ]),
      );
    } finally {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const simulator = await openSimulator();
const reason = 'missing' in simulator ? ` (skipped: ${simulator.missing})` : '';

describe.skipIf('missing' in simulator)(`kernels in PTO on Huawei's simulator${reason}`, () => {
  if ('missing' in simulator) return;
  const { target, dispose } = simulator;
  afterAll(dispose);

  it.each([
    ['vector', kindsGraph],
    ['cube', productsGraph],
  ])(
    'compute what the reference computes, on %s cores',
    async (_, graphOf) => {
      const { graph, inputs } = graphOf();
      const expected = interpretPrims(graph, inputs);
      const actual = await run(target, graph, inputs);
      expected.forEach((tensor, i) => expectClose(actual[i]!, tensor, `output ${i}`));
    },
    300_000,
  );

  it('read the digits of the demo', async () => {
    registerTarget({ ...target, name: 'pto-simulator', capabilities: target.capabilities });
    const ran = await anychip('run', 'examples/models/digits.onnx', '--input', 'image=examples/images/hand-7.jpg', '--device', 'reference,pto-simulator');
    expect(ran).toMatchObject({ code: 0, out: expect.stringMatching(/2 devices agree/) });
  }, 300_000);

  it('are stopped where they leave the unified buffer', async () => {
    const b = createBuilder(createFolder());
    const x = b.input({ dtype: 'f32', shape: [500] }, 'x');
    const graph = b.finish('exp', [x], [b.mul(x, b.scalar('f32', 2))]);
    const changed = withText(target, (text) => text.replace(/(constexpr u64 tile0_at = )\d+/, '$1196608'));
    await expect(run(changed, graph, [randomTensor(createRandom(3), 'f32', [500])])).rejects.toThrow(/simulator of PTO ended the kernel/);
  }, 120_000);
});
