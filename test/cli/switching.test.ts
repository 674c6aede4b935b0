// Several devices in one command, and where nodes ran: tables, JSON, exit codes.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { findDevices } from '../../src/conformance/agreement.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import * as listed from '../../src/targets/targets.ts';
import { requireKernels } from '../../src/runtime/device.ts';
import type { Availability, Target } from '../../src/runtime/device.ts';
import { InferenceSession } from '../../src/session/inferenceSession.ts';
import { doubling, placesOfPlaces, throughText } from '../session/models.ts';
import { anychip } from './anychip.ts';

let folder = '';
const model = (name: string): string => join(folder, `${name}.onnx`);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'anychip-test-'));
  writeFileSync(model('doubling'), doubling());
  writeFileSync(model('text'), throughText());
  writeFileSync(model('places'), placesOfPlaces());
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Chips that are not at this desk: the wasm target under other names, one of which finds nothing, the other a virtual chip. */
function addChips(): void {
  const targets = listed.createTargets();
  const wasm = requireKernels(targets.find(({ name }) => name === 'wasm')!);
  const under = (name: string, availability: Availability): Target => ({
    ...wasm,
    name,
    capabilities: wasm.capabilities,
    evidence: 'E2',
    rank: 0,
    probe: () => Promise.resolve(availability),
  });
  const absent = under('absent', { ok: false, needs: 'software', reason: 'its library is not installed', hint: 'Install it.' });
  const virtual = under('virtual', { ok: true, detail: 'a virtual chip', driver: 'driver 3.1', memoryBytes: 2 ** 31, isVirtual: true });
  vi.spyOn(listed, 'createTargets').mockReturnValue([...targets, absent, virtual]);
}

it('runs each device of a list and holds it to the first', async () => {
  const out = join(folder, 'out');
  const done = await anychip('run', model('doubling'), '--device', 'reference,wasm', '--bind', 'n=3', '--output', out, '--json');
  expect(done.code).toBe(0);
  const report: unknown = JSON.parse(done.out);
  expect(report).toMatchObject({
    standard: 'reference',
    agree: true,
    devices: [
      { device: 'reference', status: 'ran', agrees: true, differences: [], placement: { device: 2, host: 0, bytesMoved: 0 } },
      {
        device: 'wasm',
        status: 'ran',
        agrees: true,
        largestDifference: 0,
        differences: [
          { name: 'y', largest: 0 },
          { name: 'z', largest: 0 },
        ],
      },
    ],
    outputs: [{ name: 'y', type: 'f32[3]' }, { name: 'z' }],
  });
  expect(readdirSync(out).sort()).toEqual(['reference', 'wasm']);
  expect(readdirSync(join(out, 'wasm')).sort()).toEqual(['y.npy', 'z.npy']);
});

it('ends with 1 where a device disagrees, and says where', async () => {
  const runValues = InferenceSession.prototype.runValues;
  const spy = vi.spyOn(InferenceSession.prototype, 'runValues').mockImplementation(async function (this: InferenceSession, feeds) {
    const outputs = await runValues.call(this, feeds);
    return this.device.name === 'wasm' ? outputs.set('z', tensorFrom('f32', [3], [0, 0, 9])) : outputs;
  });
  const args = ['run', model('doubling'), '--device', 'reference,wasm', '--bind', 'n=3'];
  const [text, json] = [await anychip(...args), await anychip(...args, '--json')];
  spy.mockRestore();
  expect([text.code, json.code]).toEqual([1, 1]);
  expect(text.out).toMatch(/^wasm .* DIFFERS$/m);
  expect(text.out).toMatch(/^wasm differs in output 'z': 3 of 3 elements differ, first at 0/m);
  expect(text.out).toMatch(/the devices do not agree/);
  expect(JSON.parse(json.out)).toMatchObject({ agree: false, devices: [{ agrees: true }, { agrees: false, differences: [{ name: 'y', largest: 0 }, { name: 'z' }] }] });
});

it('passes over devices that are not here, with their reason, unless all are required', async () => {
  addChips();
  const args = ['run', model('doubling'), '--device', 'absent,reference,wasm'];
  const [text, json, required] = [await anychip(...args), await anychip(...args, '--json'), await anychip(...args, '--require-all', '--json')];
  const alone = await anychip('run', model('doubling'), '--device', 'absent,absent', '--json');
  vi.restoreAllMocks();
  expect([text.code, json.code, required.code, alone.code]).toEqual([0, 0, 2, 2]);
  expect(text.out).toMatch(/^absent is not here: its library is not installed\. Install it\.$/m);
  expect(JSON.parse(json.out)).toMatchObject({
    standard: 'reference',
    agree: true,
    devices: [{ device: 'absent', status: 'missing', reason: 'its library is not installed', hint: 'Install it.' }, {}, {}],
  });
  expect(JSON.parse(required.out)).toMatchObject({ error: { code: 'device' } });
  expect(JSON.parse(alone.out)).toMatchObject({ error: { code: 'device' } });
});

it('lists every chip, found or not, with its evidence, and virtual ones as such', async () => {
  addChips();
  const [text, json] = [await anychip('devices'), await anychip('devices', '--json')];
  vi.restoreAllMocks();
  expect(text.out).toMatch(/^absent +simd +E2 +no$/m);
  expect(text.out).toMatch(/^absent is not here: its library is not installed\.\n {2}Install it\.$/m);
  expect(text.out).toMatch(/^virtual +simd +E2 +virtual +a virtual chip, driver 3\.1, 2\.00 GiB of memory$/m);
  const { devices, auto, why } = JSON.parse(json.out) as { readonly devices: readonly { readonly name: string }[]; readonly auto: string; readonly why: string };
  expect(devices.map(({ name }) => name)).toEqual(expect.arrayContaining(['absent', 'virtual', 'wasm', 'reference', auto]));
  expect(why).toMatch(/^the fastest that works/);
  expect(devices.find(({ name }) => name === 'virtual')).toMatchObject({ evidence: 'E2', availability: { ok: true, driver: 'driver 3.1', memoryBytes: 2 ** 31, isVirtual: true } });
});

it('takes each device once, and only names that there are', async () => {
  const { length } = await findDevices(['wasm', 'reference', 'wasm']);
  expect(length).toBe(2);
  const single = await findDevices(['auto']);
  expect(single[0]!.why).toMatch(/^the fastest that works/);
  for (const list of ['wasm,abacus', 'wasm,', ',']) {
    const done = await anychip('run', model('doubling'), '--device', list, '--json');
    expect([done.code, JSON.parse(done.out)]).toMatchObject([2, { error: { code: 'bad-argument' } }]);
  }
  expect((await anychip('explain', model('doubling'), '--device', 'wasm,cpu')).code).toBe(2);
});

it('ends with 2 where a device fails on the model, and runs the others', async () => {
  const done = await anychip('run', model('text'), '--device', 'reference,wasm', '--strict', '--json');
  expect(done.code).toBe(2);
  expect(JSON.parse(done.out)).toMatchObject({ standard: 'reference', agree: null, devices: [{ status: 'ran' }, { status: 'failed', error: { code: 'unsupported' } }] });
});

it('counts what ran on the host and what passed between', async () => {
  const run = await anychip('run', model('text'), '--device', 'wasm', '--bind', 'n=5', '--json');
  const explained = await anychip('explain', model('text'), '--device', 'wasm', '--bind', 'n=5', '--json');
  const report: unknown = JSON.parse(run.out);
  // f32[5, 4] to the host, as text within it, and back.
  expect(report).toMatchObject({ placement: { device: 3, host: 2, bytesMoved: 2 * 5 * 4 * 4 }, host: [{ name: 'write', bytes: 80 }, { name: 'read' }] });
  const { placement } = JSON.parse(explained.out) as { readonly placement: readonly { readonly where: string }[] };
  // Text has no shape that a device knows of, so the rest is placed when it is there.
  expect(placement.map(({ where }) => where)).toEqual(['device', 'host', 'later', 'later', 'later']);
});

it('refuses every node of the host at once when strict, before anything runs', async () => {
  const runs = vi.spyOn(InferenceSession.prototype, 'runValues');
  const strict = await anychip('run', model('places'), '--device', 'wasm', '--bind', 'n=5', '--strict');
  const explained = await anychip('explain', model('places'), '--device', 'wasm', '--bind', 'n=5', '--json');
  expect(runs).not.toHaveBeenCalled();
  vi.restoreAllMocks();
  expect(strict.code).toBe(2);
  expect(strict.err).toMatch(/2 nodes cannot run on wasm:\n {2}NonZero once: .*\n {2}NonZero twice: .*\n {2}and 1 node waits for shapes that depend on data/);
  expect(JSON.parse(explained.out)).toMatchObject({ placement: [{ where: 'host' }, { where: 'host' }, { where: 'later' }] });
});

it('times several devices in turns', async () => {
  const done = await anychip('bench', model('doubling'), '--device', 'wasm,reference', '--runs', '3', '--json');
  expect(done.code).toBe(0);
  expect(JSON.parse(done.out)).toMatchObject({
    devices: [
      { device: 'wasm', runs: 3 },
      { device: 'reference', runs: 3 },
    ],
    missing: [],
  });
  expect((await anychip('bench', model('doubling'), '--device', 'wasm,reference', '--profile', '--json')).code).toBe(2);
});
