// Libraries of models: built by the command line, linked with their example by the system's compiler, run on their own, and held to what a
// session answers.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bytesOf, numeric, tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { constantOf, isTensor } from '../../src/graph/graph.ts';
import { loadModel, openModel } from '../../src/session/create.ts';
import { devices, doubling, passing, placesOfPlaces, throughText, valueOf, withDefault } from '../session/models.ts';
import { anychip } from './anychip.ts';
import type { Ended } from './anychip.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anychip-build-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A model's file, by its bytes. */
function fileOf(name: string, bytes: Uint8Array): string {
  const path = join(folder, `${name}.onnx`);
  writeFileSync(path, bytes);
  return path;
}

/** The command, with the model's library in a folder of the same name. */
const build = (name: string, path: string, ...more: readonly string[]): Promise<Ended> => anychip('build', path, '--device', 'cpu', '-o', join(folder, name), '--json', ...more);

/** What the example shows, by output. */
function runExample(name: string, inputs: readonly NumericTensor[]): Map<string, number[]> {
  const own = join(folder, name);
  const files = inputs.map((_, i) => join(own, `input${i}.bin`));
  inputs.forEach((tensor, i) => writeFileSync(files[i]!, bytesOf(tensor)));
  const compiler = (process.env['CC'] ?? 'cc').split(' ');
  const library = /-l\w+/.exec(readFileSync(join(own, 'main.c'), 'utf8'))![0];
  execFileSync(compiler[0]!, [...compiler.slice(1), '-std=c99', '-Wall', '-Wextra', '-Werror', 'main.c', '-o', 'example', '-L.', library, '-Wl,-rpath,$ORIGIN'], { cwd: own });
  const shown = new Map<string, number[]>();
  for (const line of execFileSync(join(own, 'example'), files, { encoding: 'utf8' }).trim().split('\n')) {
    const match = /^'(.*)'\[\d+\] = (.*)$/.exec(line)!;
    shown.set(match[1]!, [...(shown.get(match[1]!) ?? []), Math.fround(Number(match[2]))]);
  }
  return shown;
}

/** What a session on cpu answers. */
async function answers(path: string, feeds: ReadonlyMap<string, NumericTensor>): Promise<Map<string, number[]>> {
  const session = await openModel(loadModel(path), { executionProviders: ['cpu'] });
  try {
    const outputs = await session.runValues(feeds);
    return new Map([...outputs].flatMap(([name, value]) => (isTensor(value) ? [[name, toNumbers(numeric(value)).slice(0, 16)] as const] : [])));
  } finally {
    await session.release();
  }
}

const wave = (dtype: NumericTensor['dtype'], shape: readonly number[]): NumericTensor =>
  tensorFrom(
    dtype,
    shape,
    Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => ((i * 37) % 19) - 9),
  );

describe.runIf(devices.includes('cpu'))('anychip build', () => {
  it('makes a library that answers as a session does', async () => {
    const path = 'examples/models/digits.onnx';
    expect(await build('digits', path, '--bind', 'batch=3')).toMatchObject({ code: 0, err: '' });
    const image = wave('f32', [3, 1, 32, 32]);
    expect(runExample('digits', [image])).toEqual(await answers(path, new Map([['image', image]])));
    const header = readFileSync(join(folder, 'digits', 'digits.h'), 'utf8');
    expect(header).toContain('#define DIGITS_IMAGE_SHAPE {3, 1, 32, 32}');
    expect(header).toContain('int digits_run(digits *model, const float *image, float *probabilities);');
  });

  it.each([
    ['several outputs', doubling('i8', [5]), [wave('i8', [5])]],
    ['nothing to compute', passing('i64', [2, 2]), [wave('i64', [2, 2])]],
    ['defaults and constants', withDefault(), [wave('f32', [2])]],
  ] as const)('knows %s', async (title, bytes, inputs) => {
    const name = title.replaceAll(' ', '_');
    const path = fileOf(name, bytes);
    expect(await build(name, path)).toMatchObject({ code: 0, err: '' });
    expect(runExample(name, inputs)).toEqual(await answers(path, new Map([['x', inputs[0]]])));
  });

  it('makes identifiers of whatever names a model has', async () => {
    const shape = [2];
    const [x, y, z] = ['i', 'a */ #error "', 'A____ERROR'].map((name) => valueOf(name, 'f32', shape)) as [
      ReturnType<typeof valueOf>,
      ReturnType<typeof valueOf>,
      ReturnType<typeof valueOf>,
    ];
    const nodes = [
      { op: 'Neg', name: 'one', attrs: {}, inputs: [x], outputs: [y] },
      { op: 'Abs', name: 'two', attrs: {}, inputs: [x], outputs: [z] },
    ] as const;
    const path = fileOf('9 lives', exportModel({ name: 'names', inputs: [x], outputs: [y, z], constants: new Map(), nodes }));
    expect(await build('names', path, '--name', 'free')).toMatchObject({ code: 0, err: '' });
    expect([...runExample('names', [tensorFrom('f32', shape, [1, -2])]).values()]).toEqual([
      [-1, 2],
      [1, 2],
    ]);
  });

  it('compiles in the values that decide shapes, which must be given', async () => {
    const [x, shape, y] = [valueOf('x', 'f32', [2, 3]), valueOf('shape', 'i64', [2]), valueOf('y', 'f32', ['a', 'b'])];
    const nodes = [{ op: 'Reshape', name: 'turn', attrs: { allowzero: 0 }, inputs: [x, shape], outputs: [y] }] as const;
    const path = fileOf('reshaped', exportModel({ name: 'reshaped', inputs: [x, shape], outputs: [y], constants: new Map(), nodes }));
    expect(JSON.parse((await build('reshaped', path)).out)).toMatchObject({ error: { code: 'bad-argument', message: expect.stringContaining("'shape'") } });
    writeFileSync(join(folder, 'shape.json'), '[3, 2]');
    expect(await build('reshaped', path, '--input', `shape=${join(folder, 'shape.json')}`)).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, 'reshaped', 'reshaped.h'), 'utf8')).toContain('#define RESHAPED_Y_SHAPE {3, 2}');
    expect(runExample('reshaped', [wave('f32', [2, 3])])).toEqual(new Map([['y', toNumbers(wave('f32', [6]))]]));
  });

  it('keeps weights that are prepared at load', async () => {
    const [x, w, y] = [valueOf('x', 'f32', [4, 40]), valueOf('w', 'f32', [40, 33]), valueOf('y', 'f32', [4, 33])];
    const constants = new Map([[w, constantOf(wave('f32', [40, 33]))]]);
    const nodes = [{ op: 'MatMul', name: 'product', attrs: {}, inputs: [x, w], outputs: [y] }] as const;
    const path = fileOf('product', exportModel({ name: 'product', inputs: [x], outputs: [y], constants, nodes }));
    expect(await build('product', path, '--name', 'other')).toMatchObject({ code: 0, err: '' });
    expect(runExample('product', [wave('f32', [4, 40])])).toEqual(await answers(path, new Map([['x', wave('f32', [4, 40])]])));
  });

  it.each([
    ['nodes on the host, by name', throughText(), ['--bind', 'n=2'], 'unsupported', /Cast write: strings/],
    ['shapes that depend on data', placesOfPlaces(), ['--bind', 'n=4'], 'unsupported', /NonZero/],
    ['dimensions without a size', doubling(), [], 'bad-argument', /\bn\b/],
  ] as const)('refuses %s', async (title, bytes, more, code, message) => {
    const done = await build('refused', fileOf(title.replaceAll(' ', '_'), bytes), ...more);
    expect(done.code).toBe(2);
    expect(JSON.parse(done.out)).toMatchObject({ error: { code, message: expect.stringMatching(message) } });
  });

  it('says which devices make none', async () => {
    const done = await anychip('build', fileOf('small', doubling('f32', [2])), '--device', 'wasm', '-o', join(folder, 'none'), '--json');
    expect(JSON.parse(done.out)).toMatchObject({ error: { code: 'unsupported', message: 'wasm makes no libraries' } });
  });
});
