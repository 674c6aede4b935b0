// `anychip bench`: how long one run takes, and how long it takes to get there.
import { Command } from 'commander';
import { benchmark } from '../inspect/benchmark.ts';
import { profile } from '../inspect/profile.ts';
import type { KernelProfile } from '../inspect/profile.ts';
import { loadModel, openModel } from '../session/create.ts';
import { options } from './options.ts';
import { prepareFeeds } from './feeds.ts';
import type { FeedOptions } from './feeds.ts';
import { endProgress, formatBytes, formatMillis, percent, print, printJson, progress, table } from './print.ts';
import { sessionOptions } from './sessionOptions.ts';
import type { GivenSession } from './sessionOptions.ts';

interface Given extends GivenSession, FeedOptions {
  readonly json?: boolean;
  readonly runs?: number;
  readonly profile?: boolean;
}

/** Runs over which kernels are timed, and the rows that are shown. */
const PROFILE_RUNS = 7;
const SHOWN_KERNELS = 40;

export const bench = new Command('bench')
  .description('time a model on a device')
  .argument('<model>', 'ONNX file')
  .addOption(options.device)
  .addOption(options.threads)
  .addOption(options.runs)
  .addOption(options.profile)
  .addOption(options.bind)
  .addOption(options.input)
  .addOption(options.inputs)
  .addOption(options.mean)
  .addOption(options.std)
  .addOption(options.seed)
  .addOption(options.maxMemory)
  .addOption(options.strict)
  .addOption(options.json)
  .action(async (path: string, given: Given) => {
    const model = loadModel(path);
    const { values } = prepareFeeds(model.graph, given);
    progress(`compiling ${path}`);
    const session = await openModel(model, sessionOptions(given));
    try {
      progress(`timing ${path} on ${session.device.name}`);
      const report = await benchmark(session, values, given.runs);
      const kernels = given.profile === true ? await profile(session, values, given.runs ?? PROFILE_RUNS) : undefined;
      endProgress();
      if (given.json === true) return printJson({ ...report, ...(kernels === undefined ? {} : { kernels }) });
      print(`${report.device} (${session.device.why})`);
      print(`median ${formatMillis(report.median_ms)}, min ${formatMillis(report.min_ms)} of ${report.runs} runs`);
      print(`compile ${formatMillis(report.compile_ms)}${report.cached ? ' (from the cache)' : ''}, peak memory ${formatBytes(report.peak_bytes)}`);
      for (const host of session.hostNodes) print(`on the host: ${host.op} '${host.name}': ${host.reason}`);
      if (kernels !== undefined) printKernels(kernels);
    } finally {
      await session.release();
    }
  });

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
