// `anychip bench`: how long one run takes, and how long it takes to get there.
import { Command } from 'commander';
import { benchmark } from '../inspect/benchmark.ts';
import { loadModel } from '../session/create.ts';
import { seededFeeds } from '../session/feeds.ts';
import { InferenceSession } from '../session/inferenceSession.ts';
import { options } from './options.ts';
import { readInputs } from './inputs.ts';
import type { InputOptions } from './inputs.ts';
import { formatBytes, formatMillis, note, print, printJson } from './print.ts';
import { sessionOptions } from './sessionOptions.ts';
import type { GivenSession } from './sessionOptions.ts';

interface Given extends GivenSession, InputOptions {
  readonly json?: boolean;
  readonly runs?: number;
}

export const bench = new Command('bench')
  .description('time a model on a device')
  .argument('<model>', 'ONNX file')
  .addOption(options.device)
  .addOption(options.threads)
  .addOption(options.runs)
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
    const { values, assumed } = seededFeeds(model.graph, readInputs(model.graph, given), given.bind ?? {}, given.seed);
    if (assumed.length > 0 && given.json !== true) note(`assumed ${assumed.join(', ')}; fix with --bind`);
    const session = await InferenceSession.fromModel(model, sessionOptions(given));
    try {
      const report = await benchmark(session, values, given.runs);
      if (given.json === true) return printJson(report);
      print(`${report.device} (${session.device.why})`);
      print(`median ${formatMillis(report.median_ms)}, min ${formatMillis(report.min_ms)} of ${report.runs} runs`);
      print(`compile ${formatMillis(report.compile_ms)}${report.cached ? ' (from the cache)' : ''}, peak memory ${formatBytes(report.peak_bytes)}`);
      for (const host of session.hostNodes) print(`on the host: ${host.op} '${host.name}': ${host.reason}`);
    } finally {
      await session.release();
    }
  });
