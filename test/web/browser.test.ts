// anychip/web in Chromium: WebAssembly with and without threads, WebGPU in software, the page of the example, and part of ONNX's suite, each
// held to the reference in Node or to the suite's expected outputs. Without Chromium nothing here can run, which CI does not let pass.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folders } from '../../examples/browser/folders.ts';
import { listCases } from '../../src/conformance/suite.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { constantOf } from '../../src/graph/graph.ts';
import type { Node } from '../../src/graph/graph.ts';
import { imageFeed, InferenceSession, loadModel, Tensor } from '../../src/index.ts';
import { valueOf } from '../session/models.ts';
import { call, executable, openChromium, openHarness, serveSite } from './chromium.ts';
import type { Site } from './chromium.ts';
import { SUITE_PATH, runCaseIn, suite } from './suite.ts';

/** Of ONNX's suite, every so many cases are run: a compiler in software takes its time. */
const EVERY = 40;
const known: Readonly<Record<string, Readonly<Record<string, string>>>> = JSON.parse(readFileSync(new URL('../conformance/known.json', import.meta.url), 'utf8'));

const images = fileURLToPath(new URL('../../examples/images', import.meta.url));
const pictures = readdirSync(images).filter((name) => /\.(png|jpg)$/.test(name));
const digits = fileURLToPath(new URL('../../examples/models/digits.onnx', import.meta.url));

/** Probabilities of the reference in Node for all pictures. */
async function expectedAnswers(): Promise<readonly (readonly number[])[]> {
  const { graph } = loadModel(digits);
  const session = await InferenceSession.create(digits, { executionProviders: ['reference'] });
  const answers: number[][] = [];
  for (const name of pictures) {
    const { data, shape } = imageFeed(graph, 'image', readFileSync(join(images, name)));
    const { probabilities } = await session.run({ image: new Tensor('float32', data, shape) });
    answers.push(Array.from(probabilities!.data, Number));
  }
  return answers;
}

const largestDifference = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number =>
  Math.max(...a.flatMap((values, i) => values.map((x, k) => Math.abs(x - b[i]![k]!))));

const numbers = (count: number, seed: number): number[] => Array.from({ length: count }, (_, i) => ((i * 37 + seed) % 101) / 50 - 1);

/** Wide enough for threads: y = relu(conv3×3(x)) through `depth` convolutions of `channels` channels on size × size pixels. */
function convolutions(channels: number, size: number, depth: number): Uint8Array {
  const shape = [1, channels, size, size] as const;
  const values = Array.from({ length: 2 * depth + 1 }, (_, i) => valueOf(`v${i}`, 'f32', shape));
  const weights = Array.from({ length: depth }, (_, i) => valueOf(`w${i}`, 'f32', [channels, channels, 3, 3]));
  const attrs = { auto_pad: 'NOTSET', dilations: [1, 1], group: 1, kernel_shape: [3, 3], pads: [1, 1, 1, 1], strides: [1, 1] };
  const nodes = weights.flatMap((w, i): Node[] => [
    { op: 'Conv', name: `conv${i}`, attrs, inputs: [values[2 * i]!, w], outputs: [values[2 * i + 1]!] },
    { op: 'Relu', name: `relu${i}`, attrs: {}, inputs: [values[2 * i + 1]!], outputs: [values[2 * i + 2]!] },
  ]);
  const count = channels * channels * 9;
  const constants = new Map(
    weights.map((w, i) => [
      w,
      constantOf(
        tensorFrom(
          'f32',
          [channels, channels, 3, 3],
          numbers(count, i + 1).map((x) => x / 8),
        ),
      ),
    ]),
  );
  return exportModel({ name: 'convolutions', inputs: [values[0]!], outputs: [values.at(-1)!], nodes, constants });
}

it.skipIf(executable !== undefined || process.env['ANYCHIP_TEST_ALL'] !== '1')('needs Chromium', () => {
  expect(executable, 'Chromium is not installed (Debian: apt-get install chromium), or CHROME_PATH does not say where it is').toBeDefined();
});

describe.skipIf(executable === undefined)(`in Chromium${executable === undefined ? ', which is not installed' : ''}`, { timeout: 300_000 }, () => {
  let browser: Browser;
  let site: Site;
  let page: Page;
  let expected: readonly (readonly number[])[];

  beforeAll(async () => {
    [browser, site, expected] = await Promise.all([openChromium(), serveSite({ ...folders, ...(suite === undefined ? {} : { [SUITE_PATH]: suite }) }), expectedAnswers()]);
    page = await openHarness(site, browser);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    site?.close();
  });

  it('finds wasm with threads, and WebGPU', async () => {
    const devices = await call(page, 'listDevices');
    expect(devices.map(({ name, availability }) => [name, availability.ok]).sort()).toEqual([
      ['reference', true],
      ['wasm', true],
      ['webgpu', true],
    ]);
    expect(devices.find(({ name }) => name === 'wasm')!.availability).toMatchObject({ detail: expect.stringMatching(/\d+ threads|one thread/) });
  });

  it('takes wasm by itself where WebGPU is in software', async () => {
    const { device } = await call(page, 'readPictures', '/models/digits.onnx', ['/images/hand-1.png'], 'auto');
    expect(device).toMatchObject({ name: 'wasm', why: expect.stringMatching(/fastest that works/) });
  });

  it.each(['wasm', 'webgpu', 'reference'])('reads pictures on %s as the reference in Node does', async (device) => {
    const read = device === 'reference' ? pictures.slice(0, 3) : pictures;
    const answers = await call(
      page,
      'readPictures',
      '/models/digits.onnx',
      read.map((name) => `/images/${name}`),
      device,
    );
    expect(answers.device.name).toBe(device);
    expect(answers.placement).toMatchObject({ device: 16, host: 0 });
    expect(largestDifference(answers.outputs, expected)).toBeLessThan(1e-5);
  });

  it.each(['wasm', 'webgpu'])('runs wide convolutions on %s, time after time', async (device) => {
    const [channels, size] = [24, 40];
    const bytes = convolutions(channels, size, 3);
    writeFileSync(join(site.folder, 'convolutions.onnx'), bytes);
    const x = numbers(channels * size * size, 7);
    const reference = await InferenceSession.create(bytes, { executionProviders: ['reference'] });
    const results = await reference.run({ v0: new Tensor('float32', Float32Array.from(x), [1, channels, size, size]) });
    const wanted = Array.from(Object.values(results)[0]!.data, Number);
    const scale = Math.max(...wanted.map(Math.abs));
    expect(scale).toBeGreaterThan(0.1);
    const { outputs } = await call(page, 'repeat', '/harness/convolutions.onnx', [1, channels, size, size], x, device, 6);
    expect(outputs).toHaveLength(6);
    for (const output of outputs) expect(largestDifference([output], [wanted])).toBeLessThan(1e-5 * scale);
  });

  it('keeps wasm to one thread where the page is not isolated, and says so', async () => {
    const alone = await serveSite(folders, { isolated: false });
    const other = await openHarness(alone, browser);
    const answers = await call(other, 'readPictures', '/models/digits.onnx', ['/images/hand-3.png'], 'wasm');
    expect(answers.device.detail).toMatch(/one thread: the page is not cross-origin isolated/);
    expect(largestDifference(answers.outputs, [expected[pictures.indexOf('hand-3.png')]!])).toBeLessThan(1e-5);
    expect(alone.errors).toEqual([]);
    await other.close();
    alone.close();
  });

  it('runs without the script of its worker, on one thread', async () => {
    const bare = await serveSite({ '/harness/browserWorker.js': '/nonexistent', ...folders });
    const other = await openHarness(bare, browser);
    writeFileSync(join(bare.folder, 'convolutions.onnx'), convolutions(24, 40, 3));
    const { outputs } = await call(other, 'repeat', '/harness/convolutions.onnx', [1, 24, 40, 40], numbers(24 * 40 * 40, 7), 'wasm', 3);
    expect(outputs[2]).toEqual(outputs[0]);
    await other.close();
    bare.close();
  });

  describe.skipIf(suite === undefined)("passes cases of ONNX's suite", () => {
    const cases = suite === undefined ? [] : listCases(suite).filter((_, i) => i % EVERY === 7);
    it.each(['wasm', 'webgpu'])('on %s', async (device) => {
      const failures: string[] = [];
      let onDevice = 0;
      for (const test of cases) {
        const { name, outcome } = await runCaseIn(page, test, device);
        if (name in { ...known['*'], ...known[device] }) continue;
        if (outcome.kind === 'failed') failures.push(`${name} [${outcome.code}] ${outcome.message}`);
        if (outcome.kind === 'passed' && outcome.onDevice) onDevice++;
      }
      expect(failures).toEqual([]);
      expect(onDevice).toBeGreaterThan(cases.length / 2);
    });
  });

  it('threw nothing that nobody caught', () => expect(site.errors).toEqual([]));
});
