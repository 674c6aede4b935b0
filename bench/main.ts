// anychip's devices beside ONNX Runtime and TensorFlow.js, in turns in one run: times, ratios, parts of the machine's peak, starts, memory.
//   npm run bench -- [--only GLOB] [--models DIR]... [--threads 2] [--devices cpu,wasm] [--out DIR]
// Ratios are the peer's time by anychip's: above 1 anychip is ahead. DIRs of models hold files, or one folder a model in the layout of ONNX's backend tests.
// --out writes bench.json, bench.md and bench.svg; a run of all cases writes them into bench/results. --list names the cases.
// --rounds 12 and --seconds 6 bound the turns of a case, --quick takes few and leaves starts out. --peers '' times anychip alone.
// --clock processor counts processor time, for one thread on a busy machine. --write DIR only writes the models, for other tools to look at.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Case } from '../src/conformance/suite.ts';
import type { Graph, HostValue } from '../src/graph/graph.ts';
import { loadModel } from '../src/index.ts';
import { createCpuTarget } from '../src/targets/cpu/target.ts';
import type { Samples } from './agreement.ts';
import { casesOf } from './cases.ts';
import type { BenchCase } from './cases.ts';
import { feedsOf, valuesFor } from './feeds.ts';
import { writeFeeds } from './feedFile.ts';
import { loadNow, machineFacts, versionsHere } from './machine.ts';
import { openProbes } from './probes.ts';
import type { Probes } from './probes.ts';
import { Runners } from './race.ts';
import { bundleWorker, removeBundle } from './remote.ts';
import { markdownOf } from './report/markdown.ts';
import { svgOf } from './report/svg.ts';
import { terminalTable } from './report/terminal.ts';
import { ratioOf } from './results.ts';
import type { Race, Results, Row } from './results.ts';
import { clocks } from './timing.ts';
import type { ClockName } from './timing.ts';
import { workOf } from './work.ts';

const { values: given } = parseArgs({
  options: {
    only: { type: 'string' },
    models: { type: 'string', multiple: true, default: ['examples/models'] },
    devices: { type: 'string', default: 'cpu,wasm' },
    peers: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '12' },
    seconds: { type: 'string', default: '6' },
    clock: { type: 'string', default: 'wall' },
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
    write: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

/** Peers of a device, the one that it is compared with first. */
const rivals: Readonly<Record<string, readonly string[]>> = { wasm: ['onnxruntime-web', 'tfjs-wasm'] };
const OTHERS = ['onnxruntime-node'];

const list = (text: string): string[] => text.split(',').filter((name) => name !== '');
const isClock = (name: string): name is ClockName => name in clocks;
const clock = isClock(given.clock) ? given.clock : fail(`${given.clock} is no clock; there are ${Object.keys(clocks).join(', ')}`);
const threads = Number(given.threads);
const turns = given.quick ? { rounds: 3, least: 2, millis: 1000 } : { rounds: Number(given.rounds), least: 5, millis: 1000 * Number(given.seconds) };
const cases = casesOf(given.models, given.only);

function fail(reason: string): never {
  throw new Error(reason);
}

const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** A load from which on others take time. */
const BUSY = 0.7;

/** What is measured of a case besides its races. */
interface Surroundings {
  readonly folder: string;
  readonly probes: Probes;
}

function read(test: Case): { readonly graph: Graph; readonly values: ReadonlyMap<string, HostValue> } {
  const { graph } = loadModel(test.model);
  return {
    graph,
    values: valuesFor(
      graph,
      (test.dataSets[0]?.inputs ?? []).map((file) => readFileSync(file)),
    ),
  };
}

async function measure(test: BenchCase, { folder, probes }: Surroundings): Promise<Row> {
  const place = mkdtempSync(join(folder, 'case-'));
  try {
    const files = test.files(place);
    const { graph, values } = read(files);
    const feeds = writeFeeds(join(folder, 'feeds.bin'), feedsOf(values));
    const work = workOf(graph, values, createCpuTarget());
    const before = probes.measure();
    const races: Race[] = [];
    let samples: Samples | undefined;
    for (const device of list(given.devices)) {
      const peers = (rivals[device] ?? OTHERS).filter((peer) => given.peers === undefined || list(given.peers).includes(peer));
      const starts = test.isWhole && !given.quick;
      const runners = new Runners({ device, peers, model: files.model, feeds, threads, turns, clock, tolerance: test.tolerance, reuses: test.reuses ?? false, starts, folder });
      const found = await runners.race(samples);
      races.push(found.race);
      samples = found.samples;
    }
    return { name: test.name, group: test.group, work, probes: { before, after: probes.measure() }, races };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

const progressOf = ({ name, races, problem }: Row): string =>
  `${name}: ${problem ?? races.map((race) => `${race.device.runner} ${race.device.timing?.medianMillis.toFixed(3) ?? '–'} ms, ratio ${ratioOf(race)?.toFixed(2) ?? '–'}`).join('; ')}`;

/** `keep` is given what there is behind each case, so that little is lost where a run is cut off. */
async function measureAll(keep: (results: Results) => void): Promise<Results> {
  const folder = mkdtempSync(join(tmpdir(), 'anychip-bench-'));
  // However this ends: what was built may be large.
  process.on('exit', () => {
    removeBundle();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
  const [started, load] = [Date.now(), loadNow()];
  if (load > BUSY && clock === 'wall') say(`the machine is busy (load ${load.toFixed(1)}): times that pass say little`);
  const [probes, versions] = [await openProbes(threads, clock), await versionsHere(), await bundleWorker()];
  const rows: Row[] = [];
  const resultsNow = (): Results => {
    const [date, seconds] = [new Date(started).toISOString().slice(0, 10), (Date.now() - started) / 1000];
    return { date, machine: machineFacts({ before: load, after: loadNow() }), versions, threads, clock, seconds, rows };
  };
  for (const test of cases) {
    const row = await measure(test, { folder, probes }).catch((error: unknown): Row => ({
      name: test.name,
      group: test.group,
      races: [],
      problem: error instanceof Error ? error.message : String(error),
    }));
    say(progressOf(row));
    rows.push(row);
    keep(resultsNow());
  }
  return resultsNow();
}

function writeResults(results: Results, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const files = { 'bench.json': `${JSON.stringify(results, null, 1)}\n`, 'bench.md': markdownOf(results, 'bench.svg'), 'bench.svg': svgOf(results) };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

const wanted = given.write;
if (wanted !== undefined) for (const test of cases) say(test.files(join(wanted, test.name)).model);
else if (given.list) process.stdout.write(`${cases.map(({ name, group }) => `${group}: ${name}`).join('\n')}\n`);
else if (cases.length === 0) fail(`no case matches '${given.only}': --list names them`);
else {
  const out = given.out ?? (given.only === undefined && !given.quick ? fileURLToPath(new URL('results', import.meta.url)) : undefined);
  const results = await measureAll((found) => out !== undefined && writeResults(found, out));
  process.stdout.write(`${terminalTable(results)}\n`);
  if (out !== undefined) say(`written into ${out}: bench.json, bench.md, bench.svg`);
}
