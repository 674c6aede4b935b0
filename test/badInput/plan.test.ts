// Saved plans: one that is whole runs as the model does; one that is cut off, changed, foreign or of another version is refused.
import { strToU8, zipSync } from 'fflate';
import { beforeAll, describe, expect, test } from 'vitest';
import { compile } from '../../src/compile.ts';
import { AnychipError } from '../../src/core/error.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import { loadPlan, savePlan } from '../../src/planFile.ts';
import { bindingsFor } from '../../src/session/bindings.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { seededFeeds } from '../../src/session/feeds.ts';
import { openModel } from '../../src/session/create.ts';
import { openPlan } from '../../src/session/create.ts';
import { seedModels } from './models.ts';

/** Of a zip's entry, before its name. */
const LOCAL_HEADER_BYTES = 30;

const model = importModel(seedModels().get('convNet')!);
const { values } = seededFeeds(model.graph, new Map(), { batch: 2 }, 0);
let file: Uint8Array = new Uint8Array();
beforeAll(async () => {
  file = savePlan(await compile(model.graph, resolveTarget('wasm'), bindingsFor(model.graph, values)));
});

function errorOf(bytes: Uint8Array): AnychipError {
  try {
    loadPlan(bytes);
  } catch (error) {
    if (error instanceof AnychipError) return error;
    throw error;
  }
  throw new AnychipError('mismatch', 'it was taken');
}

describe('a saved plan', () => {
  test('runs as the model does', async () => {
    const session = await openPlan(loadPlan(file));
    const reference = await openModel(model, { executionProviders: ['reference'] });
    const [got, wanted] = [await session.runValues(values), await reference.runValues(values)];
    session.release();
    const numbers = (value: unknown): number[] => (typeof value === 'object' && value !== null && 'data' in value && value.data instanceof Float32Array ? [...value.data] : []);
    expect(numbers(wanted.get('y'))).toHaveLength(6);
    numbers(got.get('y')).forEach((x, i) => expect(x).toBeCloseTo(numbers(wanted.get('y'))[i]!, 5));
  });

  test('refuses inputs of another shape', async () => {
    const session = await openPlan(loadPlan(file));
    const other = seededFeeds(model.graph, new Map(), { batch: 3 }, 0).values;
    await expect(session.runValues(other)).rejects.toMatchObject({ code: 'bad-argument' });
    session.release();
  });

  test('cut off anywhere is refused', () => {
    for (let length = 0; length < file.length; length += Math.ceil(file.length / 60)) expect(errorOf(file.slice(0, length)).code).toBe('bad-file');
  });

  test('with any byte of its content changed is refused', () => {
    // Between them lie headers of the archive, where dates, for one, are not looked at.
    const archive = Buffer.from(file);
    const [structure, data, directory] = [archive.indexOf('plan.json'), archive.indexOf('data.bin'), archive.indexOf('PK\u0001\u0002')];
    const contents = [
      [structure + 'plan.json'.length, data - LOCAL_HEADER_BYTES],
      [data + 'data.bin'.length, directory],
    ] as const;
    for (const [begin, end] of contents) {
      for (let at = begin; at < end; at += Math.ceil(file.length / 60)) {
        const damaged = Uint8Array.from(file);
        damaged[at]! ^= 0x10;
        expect(errorOf(damaged).code).toBe('bad-file');
      }
    }
  });

  const foreign: Readonly<Record<string, readonly [message: RegExp, bytes: Uint8Array]>> = {
    'an ONNX model': [/damaged or not a plan/, seedModels().get('convNet')!],
    'another zip': [/manifest.json is missing/, zipSync({ 'a.txt': strToU8('a') })],
    'a manifest that is no JSON': [/manifest is damaged/, zipSync({ 'manifest.json': strToU8('{') })],
    'another format': [/not an anychip plan/, zipSync({ 'manifest.json': strToU8('{"format":"other"}') })],
    'a later version': [/version 99/, zipSync({ 'manifest.json': strToU8('{"format":"anychip-plan","version":99}') })],
    'a part that unpacks to far more than the file': [/missing/, zipSync({ 'manifest.json': new Uint8Array(1 << 24) })],
  };
  for (const [name, [message, bytes]] of Object.entries(foreign)) {
    test(`${name} is refused`, () => {
      expect(errorOf(bytes)).toMatchObject({ code: 'bad-file', message: expect.stringMatching(message) });
      expect(errorOf(bytes).hint).toMatch(/Compile/);
    });
  }
});
