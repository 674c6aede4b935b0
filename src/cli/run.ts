// `anychip run`: one run of a model on given or random inputs; on several devices, one run on each.
import { Command } from 'commander';
import { loadModel, openModel } from '../session/create.ts';
import type { Widened } from '../session/inferenceSession.ts';
import type { Precision } from '../session/options.ts';
import type { Placement } from '../session/placement.ts';
import { prepareFeeds } from './feeds.ts';
import type { FeedOptions } from './feeds.ts';
import { options } from './options.ts';
import { writeOutputs } from './outputs.ts';
import { endProgress, formatBytes, formatMillis, note, printJson, progress } from './print.ts';
import { runForEach } from './runOnEach.ts';
import { sessionOptions } from './sessionOptions.ts';
import { tuneFirst } from './tuneFirst.ts';
import type { GivenSession } from './sessionOptions.ts';
import { printOutputs, summaries } from './summary.ts';

interface Given extends GivenSession, FeedOptions {
  readonly device: readonly string[];
  readonly requireAll?: boolean;
  readonly output?: string;
  readonly tune?: boolean;
  readonly json?: boolean;
}

export const run = new Command('run')
  .description('run a model once and show its outputs')
  .argument('<model>', 'ONNX file')
  .addOption(options.devices)
  .addOption(options.requireAll)
  .addOption(options.input)
  .addOption(options.inputs)
  .addOption(options.output)
  .addOption(options.bind)
  .addOption(options.strict)
  .addOption(options.allow)
  .addOption(options.precision)
  .addOption(options.threads)
  .addOption(options.tune)
  .addOption(options.mean)
  .addOption(options.std)
  .addOption(options.seed)
  .addOption(options.maxMemory)
  .addOption(options.json)
  .action(async (path: string, given: Given) => {
    const model = loadModel(path);
    const feeds = prepareFeeds(model.graph, given);
    const { values, random, assumed } = feeds;
    if (given.tune === true) await tuneFirst(given.device, model, values, sessionOptions(given));
    if (given.device.length > 1) return runForEach(given.device, model, feeds, given);
    progress(`compiling ${path}`);
    const session = await openModel(model, { ...sessionOptions(given), executionProviders: given.device });
    try {
      const start = performance.now();
      const outputs = await session.runValues(values);
      const millis = performance.now() - start;
      endProgress();
      const files = given.output === undefined ? [] : writeOutputs(outputs, given.output);
      if (given.json === true) {
        const { device, placement, hostNodes: host, widened } = session;
        return printJson({ device: device.name, why: device.why, millis, random, assumed, outputs: summaries(outputs), placement, host, widened, files });
      }
      note(`device ${session.device.name} (${session.device.why}), ${formatMillis(millis)} with compilation where it was due`);
      notePlacement(session.device.name, session.placement);
      for (const host of session.hostNodes) note(`on the host: ${host.op} '${host.name}' (${host.bytes} bytes in): ${host.reason}`);
      noteWidened(session.widened, given.precision);
      printOutputs(outputs);
      for (const file of files) note(`wrote ${file}`);
    } finally {
      await session.release();
    }
  });

function noteWidened(widened: readonly Widened[], precision: Precision | undefined): void {
  const list = widened.map(({ title, reach }) => `${title} (${reach.toPrecision(3)})`).join(', ');
  if (widened.length > 0) note(`f32, because ${precision} cannot hold what they give: ${list}`);
}

function notePlacement(name: string, { device, host, bytesMoved }: Placement): void {
  if (host > 0) note(`nodes: ${device} on ${name}, ${host} on the host, ${formatBytes(bytesMoved)} moved between them`);
}
