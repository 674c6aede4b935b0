// `anychip explain`: what a compilation made of a model.
import { Command } from 'commander';
import { AnychipError } from '../core/error.ts';
import { explain, kernelSource } from '../inspect/explain.ts';
import type { ExplainedProgram, Explanation } from '../inspect/explain.ts';
import { bindingsFor } from '../session/bindings.ts';
import { lowerFor, narrowingTo } from '../session/modelRunner.ts';
import type { NodePrecision } from '../session/modelRunner.ts';
import { loadModel } from '../session/create.ts';
import { chooseDevice } from '../session/devices.ts';
import type { Allowance, Precision } from '../session/options.ts';
import { options } from './options.ts';
import { prepareFeeds } from './feeds.ts';
import type { FeedOptions } from './feeds.ts';
import { endProgress, formatBytes, percent, print, printJson, progress, table } from './print.ts';

interface Given extends FeedOptions {
  readonly device: string;
  readonly source?: string;
  readonly allow?: readonly Allowance[];
  readonly precision?: Precision;
  readonly json?: boolean;
}

export const explainModel = new Command('explain')
  .description('show how a model compiles: kernels, bytes, memory, placement')
  .argument('<model>', 'ONNX file')
  .addOption(options.device)
  .addOption(options.source)
  .addOption(options.allow)
  .addOption(options.precision)
  .addOption(options.bind)
  .addOption(options.input)
  .addOption(options.inputs)
  .addOption(options.mean)
  .addOption(options.std)
  .addOption(options.seed)
  .addOption(options.json)
  .action(async (path: string, given: Given) => {
    const model = loadModel(path);
    const { target, decide } = await chooseDevice([given.device]);
    if (target === undefined)
      throw new AnychipError('bad-argument', 'the reference compiles nothing, so there is nothing to explain', { hint: 'Take another device: anychip devices.' });
    const { values, assumed } = prepareFeeds(model.graph, given);
    progress(`compiling ${path}`);
    const fed = new Set(model.graph.inputs.filter(({ name }) => values.has(name)));
    const { graph, nodes } = lowerFor(model.graph, fed, narrowingTo(given.precision), target);
    const bindings = bindingsFor(graph, values);
    const how = { allow: given.allow ?? [], ...(decide === undefined ? {} : { decide }) };
    if (given.source !== undefined) {
      const source = kernelSource(graph, target, bindings, given.source, how);
      endProgress();
      return given.json === true ? printJson({ kernel: given.source, source }) : print(source);
    }
    const explanation = explain(graph, target, bindings, how);
    endProgress();
    if (given.json === true) return printJson({ ...explanation, precision: nodes, assumed });
    printExplanation(explanation, nodes);
  });

function printExplanation(explanation: Explanation, precision: readonly NodePrecision[]): void {
  const { device, model, nodes, programs, placement } = explanation;
  print(`${model === '' ? 'model' : model} on ${device}: ${nodes} nodes, ${programs.length} device program${programs.length === 1 ? '' : 's'}\n`);
  programs.forEach((program, i) => printProgram(program, programs.length > 1 ? `program ${i + 1}\n` : ''));
  const count = (where: string): number => placement.filter((p) => p.where === where).length;
  print(
    `placement: ${count('device')} on ${device}, ${count('folded')} folded while compiling, ${count('host')} on the host, ${count('later')} placed when their shapes are known`,
  );
  const dtypes = new Map(precision.map(({ title, dtype }) => [title, dtype]));
  const columns = dtypes.size === 0 ? ['node', 'name', 'where', 'kernels, or why'] : ['node', 'name', 'where', 'in', 'kernels, or why'];
  const rows = placement.map(({ op, name, where, kernels, reason }) => {
    const dtype = dtypes.size === 0 ? [] : [dtypes.get(`${op} ${name}`) ?? ''];
    return [op, name, where, ...dtype, reason === '' ? kernels.join(', ') : reason];
  });
  print(`\n${table(columns, rows)}`);
  printPrecision(precision);
}

/** What each node with floats computes in, where the model's floats are narrowed. */
function printPrecision(precision: readonly NodePrecision[]): void {
  if (precision.length === 0) return;
  const counts = new Map<string, number>();
  for (const { dtype } of precision) counts.set(dtype, (counts.get(dtype) ?? 0) + 1);
  print(`\nprecision: ${[...counts].map(([dtype, count]) => `${count} nodes in ${dtype}`).join(', ')}`);
  for (const { title, reason } of precision) if (reason !== '') print(`${title} is f32: ${reason}`);
}

function printProgram(program: ExplainedProgram, title: string): void {
  const { memory, opset } = program;
  const unit = opset === undefined ? 'kernel' : 'operator';
  const rows = program.calls.map((call, i) => [
    String(i),
    call.kernel,
    formatBytes(call.readBytes),
    formatBytes(call.writeBytes),
    call.flops === 0 ? '' : `${(call.flops / 1e6).toFixed(2)}`,
    call.nodes.join(', '),
  ]);
  print(`${title}${table(['#', unit, 'reads', 'writes', 'MFLOP', 'nodes'], rows, ['#', 'reads', 'writes', 'MFLOP'])}\n`);
  if (opset !== undefined) {
    return print(`given to the engine whole, as a model of opset ${opset}: ${program.kernelsAfter} operators (${program.distinctKernels} different)\n`);
  }
  print(`kernels: ${program.kernelsBefore} before fusion, ${program.kernelsAfter} after (${program.distinctKernels} different)`);
  print(`bytes moved: ${formatBytes(program.bytesBefore)} before fusion, ${formatBytes(program.bytesAfter)} after (${percent(program.bytesAfter, program.bytesBefore)})`);
  print(
    `arena: ${formatBytes(memory.arenaBytes)}; all intermediates ${formatBytes(memory.intermediateBytes)}; lower bound (largest live set) ${formatBytes(memory.lowerBoundBytes)}`,
  );
  print(`weights: ${formatBytes(memory.weightsBytes)}; scratch ${formatBytes(memory.scratchBytes)} a thread\n`);
}
