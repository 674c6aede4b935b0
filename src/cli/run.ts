// `anychip run`: one run of a model on given or random inputs.
import { Command } from 'commander';
import { formatShape } from '../core/shape.ts';
import { numberReader } from '../core/tensor.ts';
import { isTensor } from '../graph/graph.ts';
import type { HostValue } from '../graph/graph.ts';
import { describeValue } from '../reference/interpret.ts';
import { loadModel, openModel } from '../session/create.ts';
import { prepareFeeds } from './feeds.ts';
import type { FeedOptions } from './feeds.ts';
import { options } from './options.ts';
import { writeOutputs } from './outputs.ts';
import { endProgress, formatMillis, note, print, printJson, progress, table } from './print.ts';
import { sessionOptions } from './sessionOptions.ts';
import type { GivenSession } from './sessionOptions.ts';

interface Given extends GivenSession, FeedOptions {
  readonly output?: string;
  readonly json?: boolean;
}

export const run = new Command('run')
  .description('run a model once and show its outputs')
  .argument('<model>', 'ONNX file')
  .addOption(options.device)
  .addOption(options.input)
  .addOption(options.inputs)
  .addOption(options.output)
  .addOption(options.bind)
  .addOption(options.strict)
  .addOption(options.threads)
  .addOption(options.mean)
  .addOption(options.std)
  .addOption(options.seed)
  .addOption(options.maxMemory)
  .addOption(options.json)
  .action(async (path: string, given: Given) => {
    const model = loadModel(path);
    const { values, random, assumed } = prepareFeeds(model.graph, given);
    progress(`compiling ${path}`);
    const session = await openModel(model, sessionOptions(given));
    try {
      const start = performance.now();
      const outputs = await session.runValues(values);
      const millis = performance.now() - start;
      endProgress();
      const files = given.output === undefined ? [] : writeOutputs(outputs, given.output);
      if (given.json === true) {
        const shown = [...outputs].map(([name, value]) => ({ name, type: describeValue(value), ...summary(value) }));
        return printJson({ device: session.device.name, why: session.device.why, millis, random, assumed, outputs: shown, host: session.hostNodes, files });
      }
      note(`device ${session.device.name} (${session.device.why}), ${formatMillis(millis)} with compilation where it was due`);
      for (const host of session.hostNodes) note(`on the host: ${host.op} '${host.name}' (${host.bytes} bytes in): ${host.reason}`);
      print(
        table(
          ['output', 'type', 'values'],
          [...outputs].map(([name, value]) => [name, describeValue(value), preview(value)]),
        ),
      );
      for (const file of files) note(`wrote ${file}`);
    } finally {
      await session.release();
    }
  });

/** The first elements, and for numbers the largest with its place: enough to see what a classifier says. */
function preview(value: HostValue): string {
  const { first, largest } = summary(value);
  if (first === undefined) return value === null ? 'nothing' : `${Array.isArray(value) ? value.length : 0} elements`;
  return `${first.join(' ')}${isTensor(value) && value.data.length > first.length ? ' …' : ''}${largest === undefined ? '' : `  largest ${largest.value} at ${formatShape(largest.index)}`}`;
}

interface Summary {
  readonly first?: readonly (string | number)[];
  readonly largest?: { readonly value: number; readonly index: readonly number[] };
}

const SHOWN = 6;

function summary(value: HostValue): Summary {
  if (!isTensor(value)) return {};
  if (value.dtype === 'string') return { first: value.data.slice(0, SHOWN).map((text) => JSON.stringify(text)) };
  const read = numberReader(value);
  const first = Array.from({ length: Math.min(SHOWN, value.data.length) }, (_, i) => Number(read(i).toPrecision(6)));
  if (value.data.length <= SHOWN) return { first };
  let at = 0;
  for (let i = 1; i < value.data.length; i++) if (read(i) > read(at)) at = i;
  return { first, largest: { value: Number(read(at).toPrecision(6)), index: indexOf(at, value.shape) } };
}

function indexOf(flat: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let rest = flat;
  for (const size of shape.toReversed()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return index;
}
