// `anychip build`: a model as a library that other programs link with.
import { basename } from 'node:path';
import { Command } from 'commander';
import { AnychipError } from '../core/error.ts';
import { bindingsFor } from '../session/bindings.ts';
import { buildLibrary } from '../session/buildLibrary.ts';
import { loadModel } from '../session/create.ts';
import { chooseDevice } from '../session/devices.ts';
import { lowerFor, narrowingTo } from '../session/modelRunner.ts';
import type { Allowance, Precision } from '../session/options.ts';
import { fillFeeds } from './feeds.ts';
import type { FeedOptions } from './feeds.ts';
import { options } from './options.ts';
import { writeFiles } from './outputs.ts';
import { endProgress, note, printJson, progress } from './print.ts';

interface Given extends FeedOptions {
  readonly device: string;
  readonly output: string;
  readonly name?: string;
  readonly allow?: readonly Allowance[];
  readonly precision?: Precision;
  readonly maxMemory?: number;
  readonly json?: boolean;
}

export const build = new Command('build')
  .description('make a library of a model, with a header and an example, that runs without Node')
  .argument('<model>', 'ONNX file')
  .addOption(options.device)
  .addOption(options.folder)
  .addOption(options.name)
  .addOption(options.bind)
  .addOption(options.input)
  .addOption(options.inputs)
  .addOption(options.allow)
  .addOption(options.precision)
  .addOption(options.maxMemory)
  .addOption(options.json)
  .action(async (path: string, given: Given) => {
    const { graph: model } = loadModel(path);
    const { values, random, assumed } = fillFeeds(model, { ...given, seed: 0 });
    if (assumed.length > 0)
      throw new AnychipError('bad-argument', `a library has one size for each dimension, and nothing fixes ${assumed.map((text) => text.split(' = ')[0]).join(', ')}`, {
        hint: 'Fix them with --bind NAME=N, or with an --input of that shape.',
      });
    const { target } = await chooseDevice([given.device]);
    const { graph } = lowerFor(model, new Set(model.inputs.filter(({ name }) => values.has(name))), narrowingTo(given.precision), target);
    const bindings = bindingsFor(graph, values);
    const made = graph.inputs.find(({ name }, i) => bindings[i]?.value !== undefined && random.includes(name));
    if (made !== undefined)
      throw new AnychipError('bad-argument', `the value of input '${made.name}' decides shapes or branches, so it must be known`, {
        hint: `Give it with --input ${made.name}=FILE.`,
      });
    progress(`compiling ${path}`);
    const { allow = [], maxMemory: maxMemoryBytes } = given;
    const name = given.name ?? basename(path).replace(/\.onnx$/i, '');
    const files = await buildLibrary(graph, target, bindings, { name, title: basename(path), allow, ...(maxMemoryBytes === undefined ? {} : { maxMemoryBytes }) });
    endProgress();
    const written = writeFiles(files, given.output);
    if (given.json === true) return printJson({ files: written });
    for (const file of written) note(`wrote ${file}`);
  });
