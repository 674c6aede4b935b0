// OpenCL as a device, on whatever driver is here: agreement with the reference, the compile cache, limits, and errors that say where.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { Builder, Operand, PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import type { Device } from '../../src/runtime/device.ts';
import { packProgram, unpackProgram } from '../../src/runtime/launchPlan.ts';
import { ProgramRunner } from '../../src/session/programRunner.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import { createOpenClTarget } from '../../src/targets/opencl/target.ts';
import { createRandom, randomGraph, randomTensor } from '../schedule/randomGraph.ts';
import { stepOf } from '../schedule/step.ts';
import { expectClose } from '../kernel/machine.ts';

const families = ['simd', 'simt'] as const;
const availability = await createOpenClTarget().probe();
const MAX_BYTES = 2 ** 30;

interface Problem {
  readonly graph: PrimGraph;
  readonly inputs: readonly NumericTensor[];
}
function problem(shape: readonly number[], build: (b: Builder, x: Operand) => readonly Operand[]): Problem {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape }, 'x');
  return { graph: b.finish('problem', [x], build(b, x)), inputs: [randomTensor(createRandom(7), 'f32', shape)] };
}

const problems: Readonly<Record<string, Problem>> = {
  'elements in a long row': problem([10_001], (b, x) => [b.add(b.exp(b.neg(b.abs(x))), b.scalar('f32', 1))]),
  'softmax of long rows': problem([5, 700], (b, x) => {
    const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
    return [b.div(e, b.reduce('sum', e, [1]))];
  }),
  'softmax of many short rows': problem([512, 12], (b, x) => {
    const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
    return [b.div(e, b.reduce('sum', e, [1]))];
  }),
  'a product with what follows it': problem([70, 90], (b, x) => [b.max(b.matmul(x, b.constant(randomTensor(createRandom(3), 'f32', [90, 130]))), b.scalar('f32', 0))]),
  'a padded convolution in groups': problem([2, 6, 19, 17], (b, x) => [
    b.conv(x, b.constant(randomTensor(createRandom(4), 'f32', [16, 3, 3, 3])), { strides: [2, 1], dilations: [1, 1], low: [1, 1], high: [1, 1], groups: 2, acc: 'f32' }),
  ]),
  'the first of rows longer than a run': problem([3, 300], (b, x) => b.topK(x, 1, 200, true)),
  'positions of extremes': problem([7, 900], (b, x) => [b.argReduce('max', x, 1, false), b.argReduce('min', x, 1, true)]),
};

describe.skipIf(!availability.ok).each(families)('opencl with kernels of %s', (family) => {
  const target = createOpenClTarget(new CompileCache(), family);
  let device: Device;
  beforeAll(async () => {
    await target.probe();
    device = await target.openDevice();
  });
  afterAll(() => device.dispose());

  const runOn = async ({ graph, inputs }: Problem): Promise<NumericTensor[]> => {
    const runner = await ProgramRunner.load(device, await stepOf(graph, target), MAX_BYTES);
    const outputs = await runner.run(inputs);
    runner.dispose();
    return outputs;
  };

  it.each(Object.entries(problems))(
    'computes %s',
    async (name, p) => {
      const outputs = await runOn(p);
      interpretPrims(p.graph, p.inputs).forEach((expected, i) => expectClose(outputs[i]!, expected, name));
    },
    60_000,
  );

  it('computes random graphs', async () => {
    for (let seed = 100; seed < 106; seed++) {
      const { graph, inputs } = randomGraph(seed, 14);
      const outputs = await runOn({ graph, inputs });
      interpretPrims(graph, inputs).forEach((expected, i) => expectClose(outputs[i]!, expected, `seed ${seed}`));
    }
  }, 120_000);

  it('keeps programs, and runs them again and again', async () => {
    const p = problems['elements in a long row']!;
    const source = target.createRenderer();
    expect(source.renderKernel).toBeDefined();
    const step = await stepOf(p.graph, target);
    const runner = await ProgramRunner.load(device, step, MAX_BYTES);
    const [first] = await runner.run(p.inputs);
    for (let i = 0; i < 20; i++) expect(toNumbers((await runner.run(p.inputs))[0]!)).toEqual(toNumbers(first!));
    runner.dispose();
  }, 60_000);

  it('says when memory ends, and goes on', async () => {
    expect(() => device.allocate(2 ** 45)).toThrow(expect.objectContaining({ code: 'limit' }));
    const p = problems['elements in a long row']!;
    expectClose((await runOn(p))[0]!, interpretPrims(p.graph, p.inputs)[0]!, 'after the failure');
  }, 60_000);

  it('names the kernel and the nodes of a launch that fails', async () => {
    const p = problems['elements in a long row']!;
    const step = await stepOf(p.graph, target);
    const { plan, code } = unpackProgram(step.binary.bytes);
    const broken = { ...plan, kernels: plan.kernels.map((k) => ({ ...k, threads: k.threads + 1 })) };
    const runner = await ProgramRunner.load(device, { ...step, binary: { ...step.binary, bytes: packProgram(broken, code) } }, MAX_BYTES);
    const [call] = step.report;
    await expect(runner.run(p.inputs)).rejects.toMatchObject({ code: 'device', path: [`kernel ${call!.kernel} (${call!.nodes.join(', ')})`] });
    runner.dispose();
  }, 60_000);

  it('refuses programs of other machines, and damaged ones', async () => {
    const step = await stepOf(problems['elements in a long row']!.graph, target);
    await expect(device.load({ ...step.binary, format: 'elf' }, { scratchBytes: 0 })).rejects.toMatchObject({ code: 'device' });
    await expect(device.load({ ...step.binary, bytes: step.binary.bytes.subarray(0, 40) }, { scratchBytes: 0 })).rejects.toMatchObject({ code: 'bad-file' });
  }, 60_000);

  it('quotes the compiler', async () => {
    const failing = target.createCompiler().compile({ language: 'opencl-c', units: ['__kernel void k(unknown x) {}'], launches: { kernels: [], init: [], run: [] } });
    await expect(failing).rejects.toThrow(AnychipError);
    await expect(failing).rejects.toThrow(/unknown/);
  }, 60_000);
});
