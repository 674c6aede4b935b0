// Operators or whole models in Chromium, anychip beside its peers there, in one interleaved run: medians and ratios to the first peer.
//   npx tsx bench/web/main.ts [--models DIR] [--only GLOB] [--devices webgpu] [--peers ort-webgpu,jax-webgpu] [--threads 1] [--rounds 15] [--json]
// WebGPU is Chromium's own in software, for all of them. Without --models, the operators of opModels.ts.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createStaticServer, listen } from '../../examples/browser/server.ts';
import { bundle, worker } from '../../scripts/bundle.ts';
import { globPattern, listCases } from '../../src/conformance/suite.ts';
import type { Case } from '../../src/conformance/suite.ts';
import { openChromium } from '../../test/web/chromium.ts';
import { compareAll, list, sharedOptions } from '../compare.ts';
import { opModels } from '../opModels.ts';
import type { Order } from './page.ts';

const { values: given } = parseArgs({
  options: { ...sharedOptions, devices: { type: 'string', default: 'webgpu' }, peers: { type: 'string', default: 'ort-webgpu,jax-webgpu' }, models: { type: 'string' } },
});
const from = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const packages = from('../node_modules');
if (!existsSync(packages)) throw new Error('install the peers first: npm ci --prefix bench --ignore-scripts');

const folder = mkdtempSync(join(tmpdir(), 'anychip-bench-'));
const root = given.models ?? folder;

/** One operator a case, as files of the folder. */
function operatorCases(): Case[] {
  const wanted = globPattern(given.only);
  return opModels()
    .filter(({ name }) => wanted.test(name))
    .map(({ name, bytes }, i) => {
      writeFileSync(join(folder, `${i}.onnx`), bytes);
      return { name, model: join(folder, `${i}.onnx`), dataSets: [] };
    });
}

await bundle({ page: from('page.ts'), jax: from('../node_modules/@jax-js/jax/dist/index.js'), ...worker }, folder);
await bundle({ jaxOnnx: from('../node_modules/@jax-js/onnx/dist/index.js') }, folder, { '@jax-js/jax': '/bench/jax.js' });
writeFileSync(join(folder, 'index.html'), '<!doctype html><title>bench</title><script type="module" src="page.js"></script>');
const server = createStaticServer({ '/bench/': folder, '/packages/': packages, '/models/': root });
const [address, browser] = await Promise.all([listen(server), openChromium()]);
try {
  await compareAll(given.models === undefined ? operatorCases() : listCases(given.models, given.only), given, async (test, threads, { rounds, peers, devices }) => {
    const url = (path: string): string => `/models/${relative(root, path)}`;
    const order: Order = {
      model: url(test.model),
      inputs: (test.dataSets[0]?.inputs ?? []).map(url),
      runners: [...list(peers), ...list(devices)],
      threads,
      rounds: Number(rounds),
    };
    // A page for each: nobody inherits memory, threads or settings of the case before.
    const page = await browser.newPage();
    await page.goto(`${address}/bench/`);
    await page.waitForFunction('globalThis.measureOrder !== undefined');
    try {
      return await page.evaluate(`globalThis.measureOrder(${JSON.stringify(order)})`);
    } finally {
      await page.close();
    }
  });
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
