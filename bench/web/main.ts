// Operators or whole models in Chromium, anychip beside its peers there, in one interleaved run: medians, and ratios: the first peer's time by each one's,
// above 1 faster.
//   npx tsx bench/web/main.ts [--models DIR] [--only GLOB] [--devices webgpu] [--peers ort-webgpu,jax-webgpu] [--threads 1] [--rounds 15] [--json]
// WebGPU is Chromium's own in software, for all of them. Without --models, the operators of ../models/operators.ts.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createStaticServer, listen } from '../../examples/browser/server.ts';
import { bundle, worker } from '../../scripts/bundle.ts';
import { table } from '../../src/cli/print.ts';
import { globPattern, listCases } from '../../src/conformance/suite.ts';
import type { Case } from '../../src/conformance/suite.ts';
import { openChromium } from '../../test/web/chromium.ts';
import { opModels } from '../models/operators.ts';
import { writeCase } from '../models/write.ts';
import type { Measured } from './measure.ts';
import type { Order } from './page.ts';

const { values: given } = parseArgs({
  options: {
    only: { type: 'string', default: '*' },
    devices: { type: 'string', default: 'webgpu' },
    peers: { type: 'string', default: 'ort-webgpu,jax-webgpu' },
    models: { type: 'string' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
  },
});
const list = (text: string): string[] => text.split(',').filter((name) => name !== '');
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
    .map(({ name, build }, i) => writeCase(join(folder, String(i)), name, build()));
}

type Row = Measured & { readonly model: string };

function print(rows: readonly Row[]): void {
  if (given.json) return void process.stdout.write(`${JSON.stringify(rows)}\n`);
  const titles = ['model', 'runner', 'median ms', 'min ms', 'runs', 'ratio', 'first ms'];
  const cells = rows.flatMap(({ model, entries }) =>
    entries.map(({ name, timing: { medianMillis, minMillis, runs }, firstMillis }, i) => [
      i === 0 ? model : '',
      name,
      medianMillis.toFixed(3),
      minMillis.toFixed(3),
      String(runs),
      (entries[0]!.timing.medianMillis / medianMillis).toFixed(2),
      firstMillis.toFixed(0),
    ]),
  );
  process.stdout.write(`${table(titles, cells, titles.slice(2))}\n`);
}

await bundle({ page: from('page.ts'), jax: from('../node_modules/@jax-js/jax/dist/index.js'), ...worker }, folder);
await bundle({ jaxOnnx: from('../node_modules/@jax-js/onnx/dist/index.js') }, folder, { '@jax-js/jax': '/bench/jax.js' });
writeFileSync(join(folder, 'index.html'), '<!doctype html><title>bench</title><script type="module" src="page.js"></script>');
const server = createStaticServer({ '/bench/': folder, '/packages/': packages, '/models/': root });
const [address, browser] = await Promise.all([listen(server), openChromium()]);
/** A page for each: nobody inherits memory, threads or settings of the case before. */
async function measureCase(test: Case): Promise<Measured> {
  const url = (path: string): string => `/models/${relative(root, path)}`;
  const order: Order = {
    model: url(test.model),
    inputs: (test.dataSets[0]?.inputs ?? []).map(url),
    runners: [...list(given.peers), ...list(given.devices)],
    threads: Number(given.threads),
    rounds: Number(given.rounds),
  };
  const page = await browser.newPage();
  await page.goto(`${address}/bench/`);
  await page.waitForFunction('globalThis.measureOrder !== undefined');
  try {
    return await page.evaluate(`globalThis.measureOrder(${JSON.stringify(order)})`);
  } finally {
    await page.close();
  }
}

try {
  const rows: Row[] = [];
  for (const test of given.models === undefined ? operatorCases() : listCases(given.models, given.only)) {
    const measured = await measureCase(test);
    for (const problem of measured.problems) process.stderr.write(`${test.name}: ${problem}\n`);
    rows.push({ model: test.name, ...measured });
  }
  print(rows);
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
