// Cases, each timed on all devices and peers in one interleaved run, and the table of it: what all benchmarks of models share.
import { readFileSync } from 'node:fs';
import type { ParseArgsConfig } from 'node:util';
import type { InferenceSession } from 'onnxruntime-common';
import { table } from '../src/cli/print.ts';
import type { Case } from '../src/conformance/suite.ts';
import { loadModel } from '../src/index.ts';
import { feedsFor, measure } from './measure.ts';
import type { Measured, Start } from './measure.ts';
import { openDevice, peers } from './runners.ts';
import type { Request } from './runners.ts';
import { wallClock } from './timing.ts';
import type { Clock } from './timing.ts';

/** For `parseArgs`: what every benchmark can be told. */
export const sharedOptions = {
  only: { type: 'string', default: '*' },
  devices: { type: 'string', default: 'cpu,wasm' },
  peers: { type: 'string', default: 'onnxruntime-node' },
  threads: { type: 'string', default: '1' },
  rounds: { type: 'string', default: '15' },
  clock: { type: 'string', default: 'wall' },
  json: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

export interface Given {
  readonly devices: string;
  readonly peers: string;
  readonly threads: string;
  readonly rounds: string;
  /** A name in `clocks`. */
  readonly clock: string;
  readonly json: boolean;
}

export const list = (text: string): string[] => text.split(',').filter((name) => name !== '');

/** The first data set of the case; seeded random inputs where it has none. */
function feedsOf(test: Case): InferenceSession.FeedsType {
  const files = test.dataSets[0]?.inputs ?? [];
  return feedsFor(
    loadModel(test.model).graph,
    files.map((file) => readFileSync(file)),
  );
}

/** Processor time of this process counts what was computed, however busy the machine is with others: for runners with one thread. */
const processorClock: Clock = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const clocks: Readonly<Record<string, Clock>> = { wall: wallClock, processor: processorClock };

const measureHere: MeasureCase = (test, threads, given) => {
  const request: Request = { model: test.model, feeds: feedsOf(test), threads };
  const starts = [
    ...list(given.peers).map((name): Start => ({ name, open: () => (peers[name] ?? noPeer(name))(request) })),
    ...list(given.devices).map((device): Start => ({ name: device, open: () => openDevice(device, request) })),
  ];
  const clock = clocks[given.clock];
  if (clock === undefined) throw new Error(`${given.clock} is no clock; there are ${Object.keys(clocks).join(', ')}`);
  return measure(starts, Number(given.rounds), clock);
};

function noPeer(name: string): never {
  throw new Error(`${name} is no peer; there are ${Object.keys(peers).join(', ')}`);
}

/** Of one model or operator, by all runners. */
export interface Row extends Measured {
  readonly model: string;
  readonly threads: number;
}

const cells = ({ model, threads, timings }: Row): string[][] =>
  timings.map(({ name, medianMillis, minMillis, runs, firstMillis }, i) => [
    i === 0 ? model : '',
    i === 0 ? String(threads) : '',
    name,
    medianMillis.toFixed(3),
    minMillis.toFixed(3),
    String(runs),
    (medianMillis / timings[0]!.medianMillis).toFixed(2),
    firstMillis.toFixed(0),
  ]);

/** How a case is measured: here, or in a browser's page. */
export type MeasureCase = (test: Case, threads: number, given: Given) => Promise<Measured>;

/** Times every case and prints the outcome: a table, or JSON where asked. */
export async function compareAll(cases: readonly Case[], given: Given, measureCase: MeasureCase = measureHere): Promise<void> {
  const rows: Row[] = [];
  for (const threads of list(given.threads).map(Number)) {
    for (const test of cases) {
      const row = { model: test.name, threads, ...(await measureCase(test, threads, given)) };
      rows.push(row);
      for (const failure of row.failures) process.stderr.write(`${test.name}: ${failure}\n`);
      if (!given.json) process.stderr.write(`${test.name}: ${row.timings.map((t) => `${t.name} ${t.medianMillis.toFixed(3)} ms`).join(', ')}\n`);
    }
  }
  const titles = ['model', 'threads', 'runner', 'median ms', 'min ms', 'runs', 'ratio', 'first ms'];
  const text = given.json
    ? JSON.stringify(rows)
    : table(
        titles,
        rows.flatMap(cells),
        titles.filter((title) => title !== 'model' && title !== 'runner'),
      );
  process.stdout.write(`${text}\n`);
}
