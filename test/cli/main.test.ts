// The command line as a whole: exit codes, what goes to which stream, the keys of --json. On the reference, so that no compiler is needed.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import { decodeNpy } from '../../src/formats/npy.ts';
import { encodeTensor } from '../../src/formats/onnx/tensorProto.ts';
import { doubling } from '../session/models.ts';
import { anychip } from './anychip.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anychip-test-'));
  writeFileSync(join(folder, 'model.onnx'), doubling());
  const good = tensorFrom('f32', [2], [1, 2]);
  for (const [name, y] of [['test_good', [2, 4]], ['test_bad', [2, 5]]] as const) {
    const data = join(folder, 'suite', name, 'test_data_set_0');
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, '..', 'model.onnx'), doubling());
    writeFileSync(join(data, 'input_0.pb'), encodeTensor(good, 'x'));
    writeFileSync(join(data, 'output_0.pb'), encodeTensor(tensorFrom('f32', [2], y), 'y'));
    writeFileSync(join(data, 'output_1.pb'), encodeTensor(tensorFrom('f32', [2], [-1, -2]), 'z'));
  } // prettier-ignore
});
afterAll(() => rmSync(folder, { recursive: true }));

it('runs on files and keeps the outputs', async () => {
  writeFileSync(join(folder, 'x.json'), '[1.5, -2]');
  const out = join(folder, 'out');
  const done = await anychip('run', join(folder, 'model.onnx'), '-d', 'reference', '--input', `x=${join(folder, 'x.json')}`, '--output', out, '--json');
  expect(done).toMatchObject({ code: 0, err: '' });
  expect(JSON.parse(done.out)).toMatchObject({ device: 'reference', random: [], outputs: [{ name: 'y', type: 'f32[2]', first: [3, -4] }, { name: 'z' }] });
  expect(toNumbers(decodeNpy(readFileSync(join(out, 'y.npy'))))).toEqual([3, -4]);
});

it('says on stderr what it made up, and nothing else on stdout', async () => {
  const done = await anychip('run', join(folder, 'model.onnx'), '-d', 'reference', '--seed', '3');
  expect(done.code).toBe(0);
  expect(done.err).toMatch(/random inputs \(seed 3\): x\nassumed n = 1; fix with --bind/);
  expect(done.out).toMatch(/^output  type    values\n/);
});

it.each([
  [['run', 'none.onnx'], 'bad-file'],
  [['run', 'package.json'], 'bad-file'],
  [['run'], 'bad-argument'],
  [['walk'], 'bad-argument'],
  [['run', 'examples/models/digits.onnx', '--device', 'abacus'], 'bad-argument'],
  [['bench', 'examples/models/digits.onnx', '--runs', 'x'], 'bad-argument'],
  [['conformance', 'docs-that-are-not-there'], 'bad-file'],
])('answers %j with one message and exit code 2', async (args, code) => {
  const done = await anychip(...args, '--json');
  expect(done.code).toBe(2);
  expect(JSON.parse(done.out)).toMatchObject({ error: { code } });
  expect(done.err).toContain(`[${code}]`);
  expect(done.err).not.toMatch(/\n\s+at /);
});

it('reports a suite, and fails when a case fails', async () => {
  // Cases run in processes of their own, which read TypeScript here.
  vi.stubEnv('NODE_OPTIONS', '--import tsx');
  const all = await anychip('conformance', join(folder, 'suite'), '--device', 'reference', '--jobs', '1', '--json');
  vi.unstubAllEnvs();
  expect(all.code).toBe(1);
  const report: unknown = JSON.parse(all.out);
  expect(report).toMatchObject({ device: 'reference', total: 2, passed: 1, failed: 1, skipped: 0, failures: [{ name: 'test_bad', code: 'mismatch' }] });
  expect(Object.keys(report ?? {})).toEqual(['device', 'total', 'passed', 'failed', 'skipped', 'onDevice', 'failures']);
});

it('times a model', async () => {
  const done = await anychip('bench', join(folder, 'model.onnx'), '-d', 'reference', '--runs', '3', '--json');
  expect(done.code).toBe(0);
  const report: unknown = JSON.parse(done.out);
  expect(report).toMatchObject({ device: 'reference', runs: 3 });
  expect(Object.keys(report ?? {})).toEqual(['device', 'median_ms', 'min_ms', 'runs', 'compile_ms', 'cached', 'peak_bytes']);
});
