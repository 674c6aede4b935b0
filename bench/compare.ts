// Cases, each timed on all devices and peers in one interleaved run, and the table of it: what all benchmarks of models share.
import { readFileSync } from 'node:fs';
import type { ParseArgsConfig } from 'node:util';
import type { InferenceSession } from 'onnxruntime-common';
import { table } from '../src/cli/print.ts';
import type { Case } from '../src/conformance/suite.ts';
import { decodeValue } from '../src/formats/onnx/tensorProto.ts';
import { isTensor, requiredInputs } from '../src/graph/graph.ts';
import { loadModel } from '../src/index.ts';
import { seededFeeds } from '../src/session/feeds.ts';
import { toOrt } from '../src/session/ortTensor.ts';
import { openDevice, peers } from './runners.ts';
import type { Request, Runner } from './runners.ts';
import { timeSideBySide } from './timing.ts';
import type { Timing } from './timing.ts';

/** For `parseArgs`: what every benchmark can be told. */
export const sharedOptions = {
  only: { type: 'string', default: '*' },
  devices: { type: 'string', default: 'cpu,wasm' },
  peers: { type: 'string', default: 'onnxruntime-node' },
  threads: { type: 'string', default: '1' },
  rounds: { type: 'string', default: '15' },
  json: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

export interface Given {
  readonly devices: string;
  readonly peers: string;
  readonly threads: string;
  readonly rounds: string;
  readonly json: boolean;
}

const list = (text: string): string[] => text.split(',').filter((name) => name !== '');

interface Row {
  readonly model: string;
  readonly threads: number;
  readonly timings: readonly Timing[];
  readonly failures: readonly string[];
}

/** The first data set of the case; seeded random inputs where it has none. */
function feedsOf(test: Case): InferenceSession.FeedsType {
  const { graph } = loadModel(test.model);
  const inputs = requiredInputs(graph);
  const files = test.dataSets[0]?.inputs ?? [];
  const read = new Map(files.map((file, i) => [inputs[i]!.name, decodeValue(readFileSync(file), inputs[i]!.type)]));
  const { values } = seededFeeds(graph, read, {}, 0);
  return Object.fromEntries([...values].flatMap(([name, value]) => (isTensor(value) ? [[name, toOrt(value, name)]] : [])));
}

async function measure(test: Case, threads: number, given: Given): Promise<Row> {
  const request: Request = { model: test.model, feeds: feedsOf(test), threads };
  const failures: string[] = [];
  const runners: Runner[] = [];
  const open = async (name: string, start: () => Promise<Runner>): Promise<void> => {
    try {
      runners.push(await start());
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  for (const name of list(given.peers)) {
    const peer = peers[name];
    if (peer === undefined) failures.push(`${name}: no such peer; there are ${Object.keys(peers).join(', ')}`);
    else await open(name, () => peer(request));
  }
  for (const device of list(given.devices)) await open(device, () => openDevice(device, request));
  failures.push(...(await disagreements(runners)));
  const timings = await timeSideBySide(runners, Number(given.rounds));
  for (const runner of runners) await runner.close();
  return { model: test.name, threads, timings, failures };
}

/** Of the largest number of an output: what no two runners may differ by. Loose, for it looks for other models rather than for rounding. */
const TOLERANCE = 1e-2;

/** Runners whose outputs are not those of the first: they would be timed at something else. */
async function disagreements([first, ...others]: readonly Runner[]): Promise<string[]> {
  if (first === undefined) return [];
  const wanted = await first.outputs();
  const found: string[] = [];
  for (const runner of others) {
    for (const [name, data] of await runner.outputs()) {
      const right = Array.from(wanted.get(name) ?? []);
      const largest = right.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
      const isClose = right.length === data.length && right.every((x, i) => x === data[i] || Math.abs(x - data[i]!) <= TOLERANCE * largest || Number.isNaN(x));
      if (!isClose) found.push(`${runner.name}: output '${name}' is not that of ${first.name}`);
    }
  }
  return found;
}

const cells = ({ model, threads, timings }: Row): string[][] =>
  timings.map(({ name, medianMillis, minMillis, runs }, i) => [
    i === 0 ? model : '',
    i === 0 ? String(threads) : '',
    name,
    medianMillis.toFixed(3),
    minMillis.toFixed(3),
    String(runs),
    (medianMillis / timings[0]!.medianMillis).toFixed(2),
  ]);

/** Times every case and prints the outcome: a table, or JSON where asked. */
export async function compareAll(cases: readonly Case[], given: Given): Promise<void> {
  const rows: Row[] = [];
  for (const threads of list(given.threads).map(Number)) {
    for (const test of cases) {
      const row = await measure(test, threads, given);
      rows.push(row);
      for (const failure of row.failures) process.stderr.write(`${test.name}: ${failure}\n`);
      if (!given.json) process.stderr.write(`${test.name}: ${row.timings.map((t) => `${t.name} ${t.medianMillis.toFixed(3)} ms`).join(', ')}\n`);
    }
  }
  const titles = ['model', 'threads', 'runner', 'median ms', 'min ms', 'runs', 'ratio'];
  const text = given.json
    ? JSON.stringify(rows)
    : table(
        titles,
        rows.flatMap(cells),
        titles.filter((title) => title !== 'model' && title !== 'runner'),
      );
  process.stdout.write(`${text}\n`);
}
