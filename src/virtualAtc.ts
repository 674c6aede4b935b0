// The compiler of virtual Ascend chips, called like atc: a file of ONNX of an opset that atc reads, to an offline model that
// virtual/ascend/model.cpp loads. What the model computes is compiled for this processor, by the same way as for the device `cpu`.
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compile } from './compile.ts';
import { AnychipError } from './core/error.ts';
import { bytesOf, numeric, tensorBytes } from './core/tensor.ts';
import { importModel } from './formats/onnx/import.ts';
import type { Constant, Graph } from './graph/graph.ts';
import type { InputBinding } from './passes/binding.ts';
import type { DeviceStep, ExecutionPlan, Port } from './plan.ts';
import { createCpuTarget } from './targets/cpu/target.ts';

const OPSETS = { least: 11, most: 18 };
const ONNX = '5';

const fail = (reason: string): never => {
  throw new AnychipError('bad-argument', `ATC (virtual): ${reason}`);
};

function bindingOf({ name, type }: Graph['inputs'][number]): InputBinding {
  if (type?.kind !== 'tensor' || type.dtype === 'string' || type.shape === undefined) return fail(`the shape of input ${name} is not fixed`);
  const shape = type.shape.map((dim) => (typeof dim === 'number' ? dim : fail(`dimension ${dim} of input ${name} is not fixed`)));
  return { type: { dtype: type.dtype, shape }, value: undefined };
}

/** The one device program of the plan, whose inputs and outputs are the model's, in some order. */
function programOf({ steps }: ExecutionPlan): DeviceStep {
  const hosted = steps.flatMap((step) => (step.kind === 'host' ? [`${step.node.op} (${step.reason})`] : step.kind === 'rest' ? ['shapes that depend on data'] : []));
  if (hosted.length > 0) return fail(`operators that the chip has not: ${hosted.join(', ')}`);
  const [step] = steps;
  return step?.kind === 'device' && steps.length === 1 ? step : fail('it computes nothing');
}

const dataOf = (constant: Constant): Uint8Array => bytesOf(numeric(constant.read()));
const portBytes = ({ dtype, shape }: Port): number => tensorBytes(dtype, shape);

/** The file: a mark, the chip, 64-bit numbers, then the pieces they measure, one after the other. */
function pack(soc: string, graph: Graph, plan: ExecutionPlan): Buffer {
  const step = programOf(plan);
  const { arenaBytes, weightsBytes, scratchBytes } = step.memory;
  const portOf = (ports: readonly Port[], slot: number): number => ports.findIndex((port) => port.slot === slot);
  const inputs = plan.inputs.map((slot, i) => {
    const { type } = plan.bindings[i]!;
    return [tensorBytes(type!.dtype, type!.shape), portOf(step.inputs, slot)];
  });
  const outputs = plan.outputs.map((slot) => {
    const at = portOf(step.outputs, slot);
    return at < 0 ? fail('an output that is no result') : [portBytes(step.outputs[at]!), at];
  });
  if (new Set(outputs.map(([, at]) => at)).size !== step.outputs.length) return fail('two outputs that are one result');
  const loads = step.loads.map(({ constant, offsetBytes }) => ({ offsetBytes, data: dataOf(constant) }));
  const staged = step.staged.map((list) => list.map(dataOf));
  const numbers = [
    arenaBytes,
    weightsBytes,
    scratchBytes,
    step.binary.bytes.byteLength,
    inputs.length,
    outputs.length,
    step.inputs.length,
    loads.length,
    staged.length,
    ...inputs.flat(),
    ...outputs.flat(),
    ...loads.flatMap(({ offsetBytes, data }) => [offsetBytes, data.byteLength]),
    ...staged.flatMap((list) => [list.length, ...list.map((data) => data.byteLength)]),
  ];
  const names = graph.inputs.map(({ name }) => `${name}\0`).join('');
  const head = Buffer.alloc(80);
  head.write('ANYCHIP VIRTUAL\0', 0);
  head.write(soc, 16);
  const words = Buffer.from(BigInt64Array.from([...numbers, names.length], BigInt).buffer);
  return Buffer.concat([head, words, Buffer.from(names), step.binary.bytes, ...loads.map(({ data }) => data), ...staged.flat()]);
}

async function main(): Promise<void> {
  const option = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { model: option, output: option, framework: option, soc_version: option, input_format: option, precision_mode_v2: option, log: option },
  });
  const { model = fail('no --model'), output = fail('no --output'), framework, soc_version: soc = fail('no --soc_version') } = values;
  if (framework !== ONNX) fail(`--framework=${framework} is not that of ONNX`);
  const { graph, opsets } = importModel(readFileSync(model));
  const opset = opsets.get('') ?? 0;
  if (opset < OPSETS.least || opset > OPSETS.most || opsets.size > 1)
    fail(`operators of ${JSON.stringify([...opsets])}, those of ai.onnx ${OPSETS.least} to ${OPSETS.most} are read`);
  const plan = await compile(graph, createCpuTarget(), graph.inputs.map(bindingOf));
  writeFileSync(`${output}.om`, pack(soc, graph, plan));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
