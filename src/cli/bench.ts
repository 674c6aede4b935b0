// `anychip bench`: how long one run takes, and how long it takes to get there.
import { Command } from 'commander';
import { benchmark } from '../inspect/benchmark.ts';
import { profile } from '../inspect/profile.ts';
import type { KernelProfile } from '../inspect/profile.ts';
import type { BenchReport } from '../inspect/benchmark.ts';
import { loadModel, openModel } from '../session/create.ts';
import type { InferenceSession } from '../session/inferenceSession.ts';
import { findDevices, requireAll } from '../conformance/agreement.ts';
import type { Candidate } from '../conformance/agreement.ts';
import { AnychipError } from '../core/error.ts';
import type { HostValue } from '../graph/graph.ts';
import type { Model } from '../formats/onnx/import.ts';
import { options } from './options.ts';
import { prepareFeeds } from './feeds.ts';
import type { FeedOptions } from './feeds.ts';
import { endProgress, formatBytes, formatMillis, percent, print, printJson, progress, table } from './print.ts';
import { sessionOptions } from './sessionOptions.ts';
import { tuneFirst } from './tuneFirst.ts';
import type { GivenSession } from './sessionOptions.ts';

interface Given extends GivenSession, FeedOptions {
  readonly device: readonly string[];
  readonly requireAll?: boolean;
  readonly json?: boolean;
  readonly runs?: number;
  readonly profile?: boolean;
  readonly tune?: boolean;
}

/** Runs over which kernels are timed, and the rows that are shown. */
const PROFILE_RUNS = 7;
const SHOWN_KERNELS = 40;

export const bench = new Command('bench')
  .description('time a model on a device, or on several in turns')
  .argument('<model>', 'ONNX file')
  .addOption(options.devices)
  .addOption(options.requireAll)
  .addOption(options.threads)
  .addOption(options.runs)
  .addOption(options.profile)
  .addOption(options.tune)
  .addOption(options.bind)
  .addOption(options.input)
  .addOption(options.inputs)
  .addOption(options.mean)
  .addOption(options.std)
  .addOption(options.seed)
  .addOption(options.maxMemory)
  .addOption(options.strict)
  .addOption(options.allow)
  .addOption(options.precision)
  .addOption(options.json)
  .action(async (path: string, given: Given) => {
    const model = loadModel(path);
    const { values } = prepareFeeds(model.graph, given);
    if (given.tune === true) await tuneFirst(given.device, model, values, sessionOptions(given));
    return given.device.length > 1 ? benchEach(model, values, given) : benchOne(model, values, given);
  });

async function benchOne(model: Model, values: ReadonlyMap<string, HostValue>, given: Given): Promise<void> {
  progress('compiling');
  const session = await openModel(model, { ...sessionOptions(given), executionProviders: given.device });
  try {
    progress(`timing on ${session.device.name}`);
    const [report] = await benchmark([session], values, given.runs);
    const kernels = given.profile === true ? await profile(session, values, given.runs ?? PROFILE_RUNS) : undefined;
    endProgress();
    if (given.json === true) return printJson({ ...report, ...(kernels === undefined ? {} : { kernels }) });
    printReport(report!, session.device.why);
    for (const host of session.hostNodes) print(`on the host: ${host.op} '${host.name}': ${host.reason}`);
    if (kernels !== undefined) printKernels(kernels);
  } finally {
    await session.release();
  }
}

async function benchEach(model: Model, values: ReadonlyMap<string, HostValue>, given: Given): Promise<void> {
  if (given.profile === true) throw new AnychipError('bad-argument', 'kernels are timed on one device at a time', { hint: 'Give --profile with one device.' });
  const candidates = await findDevices(given.device);
  if (given.requireAll === true) requireAll(candidates);
  const sessions: InferenceSession[] = [];
  try {
    for (const { device } of candidates.filter(({ missing }) => missing === undefined)) {
      progress(`compiling for ${device}`);
      sessions.push(await openModel(model, { ...sessionOptions(given), executionProviders: [device] }));
    }
    progress('timing');
    printReports(await benchmark(sessions, values, given.runs), candidates, given.json === true);
  } finally {
    endProgress();
    await Promise.all(sessions.map((session) => session.release()));
  }
}

function printReports(reports: readonly BenchReport[], candidates: readonly Candidate[], asJson: boolean): void {
  endProgress();
  const missing = candidates.flatMap(({ device, missing }) => (missing === undefined ? [] : [{ device, ...missing }]));
  if (asJson) return printJson({ devices: reports, missing });
  const first = reports[0]!;
  const rows = reports.map((report) => [
    report.device,
    formatMillis(report.median_ms),
    formatMillis(report.min_ms),
    (report.median_ms / first.median_ms).toFixed(2),
    `${formatMillis(report.compile_ms)}${report.cached ? ' (cached)' : ''}`,
  ]);
  const titles = ['device', 'median', 'min', `× ${first.device}`, 'compile'];
  print(`${table(titles, rows, titles.slice(1, 4))}\n`);
  for (const { device, reason, hint } of missing) print(`${device} is not here: ${reason}. ${hint}`);
  print(`${first.runs} runs each, in turns; peak memory of all together ${formatBytes(first.peak_bytes)}`);
}

function printReport(report: BenchReport, why: string): void {
  print(`${report.device} (${why})`);
  print(`median ${formatMillis(report.median_ms)}, min ${formatMillis(report.min_ms)} of ${report.runs} runs`);
  print(`compile ${formatMillis(report.compile_ms)}${report.cached ? ' (from the cache)' : ''}, peak memory ${formatBytes(report.peak_bytes)}`);
}

function printKernels(kernels: readonly KernelProfile[]): void {
  if (kernels.length === 0) return print('this device cannot time kernels');
  const total = kernels.reduce((sum, kernel) => sum + kernel.micros, 0);
  const slowest = kernels.toSorted((a, b) => b.micros - a.micros).slice(0, SHOWN_KERNELS);
  const rows = slowest.map(({ kernel, calls, micros, flops, bytes, nodes }) => [
    kernel,
    String(calls),
    micros.toFixed(1),
    percent(micros, total),
    (flops / micros / 1e3).toFixed(2),
    (bytes / micros / 1e3).toFixed(2),
    nodes.join(', '),
  ]);
  const titles = ['kernel', 'calls', 'µs', 'share', 'GFLOP/s', 'GB/s', 'nodes'];
  print(`\n${table(titles, rows, titles.slice(1, -1))}`);
  print(`${kernels.length} kernels, ${formatMillis(total / 1000)} in all${kernels.length > slowest.length ? `; the slowest ${slowest.length} are shown` : ''}`);
}
