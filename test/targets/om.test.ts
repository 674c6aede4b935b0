// Whole models on a virtual Ascend: each device program becomes a file of ONNX, atc's stand-in an offline model, and the model interface of
// ACL runs it. Answers are the reference's; what cannot be exported, compiled or loaded is said.
import { describe, expect, it } from 'vitest';
import { toNumbers } from '../../src/core/tensor.ts';
import { AnychipError } from '../../src/core/error.ts';
import { compile } from '../../src/compile.ts';
import { explain } from '../../src/inspect/explain.ts';
import { requireKernels, takesModels } from '../../src/runtime/device.ts';
import type { ModelEngine } from '../../src/runtime/device.ts';
import { interpretGraph } from '../../src/reference/interpret.ts';
import { bindingsFor } from '../../src/session/bindings.ts';
import { loadModel } from '../../src/session/create.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { PlacementLog } from '../../src/session/placement.ts';
import { PlanRunner } from '../../src/session/planRunner.ts';
import { createOmEngine } from '../../src/targets/ascend/om/engine.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';

const open = (): ModelEngine => createOmEngine().virtual!.open('910b4', 'ascend:om:virtual/910b4')!;
const engine = open();
const works = (await engine.probe()).ok;
const { graph } = loadModel('examples/models/digits.onnx');
const image = randomTensor(createRandom(3), 'f32', [1, 1, 32, 32]);
const bindings = bindingsFor(graph, new Map([['image', image]]));

describe('an engine of whole models', () => {
  it('is told by its capabilities, and has no kernels to show', () => {
    const named = resolveTarget('ascend:om');
    expect(takesModels(named)).toBe(true);
    expect(() => requireKernels(named)).toThrow(/ascend:om is given models whole/);
    expect(resolveTarget('ascend:om:1').name).toBe('ascend:om:1');
    expect(resolveTarget('ascend:om:virtual/910b2').name).toBe('ascend:om:virtual/910b2');
  });

  it('is explained by the operators that it is given', () => {
    const [program] = explain(graph, engine, bindings).programs;
    expect(program).toMatchObject({ opset: 18, kernelsAfter: graph.nodes.length });
    expect(program!.calls.map(({ kernel }) => kernel)).toEqual(graph.nodes.map(({ op }) => op));
  });

  it('says in a sentence what is missing', async () => {
    const availability = await createOmEngine({ find: () => Promise.reject(new AnychipError('device', 'atc is not on PATH', { hint: 'Install it.' })) }).probe();
    if (!availability.ok) expect(availability.reason).toMatch(/no chip of Huawei|libascendcl|finds no device|atc/);
  });
});

describe.skipIf(!works)('on a virtual chip', { timeout: 300_000 }, () => {
  const runOn = async (on: ModelEngine): Promise<unknown> => {
    const plan = await compile(graph, on, bindings);
    const device = await on.openDevice();
    const context = { device, maxMemoryBytes: 2 ** 30, seed: 0, strict: true, placement: new PlacementLog(), createRunner: () => expect.fail('nothing waits for shapes') };
    try {
      const runner = await PlanRunner.load(plan, context);
      const results = [];
      for (let i = 0; i < 3; i++) results.push(await runner.run([image]));
      await runner.dispose();
      expect(results[1]).toEqual(results[0]);
      expect(results[2]).toEqual(results[0]);
      return results[0];
    } finally {
      device.dispose();
    }
  };

  it('gives the answers of the reference', async () => {
    const [actual] = (await runOn(engine)) as [Parameters<typeof toNumbers>[0]];
    const [expected] = interpretGraph(graph, [image]) as [Parameters<typeof toNumbers>[0]];
    expect(actual.shape).toEqual(expected.shape);
    toNumbers(actual).forEach((x, i) => expect(x).toBeCloseTo(toNumbers(expected)[i]!, 5));
  });

  it('keeps what was compiled, for its own chip only', async () => {
    const again = await compile(graph, open(), bindings);
    expect(again.compile.cached).toBe(true);
    const [step] = again.steps;
    if (step?.kind !== 'device') expect.fail('no device program');
    const { binary } = step as Extract<typeof step, { kind: 'device' }>;
    expect(binary.format).toBe('om-Ascend910B4');
    const own = await engine.openDevice();
    const load = async (changed: Partial<typeof binary>) => own.load({ ...binary, ...changed }, { scratchBytes: 0 });
    await expect(load({ format: 'om-Ascend910B2' })).rejects.toMatchObject({ code: 'device', message: expect.stringMatching(/for om-Ascend910B2, this is om-Ascend910B4/) });
    // What looks like the chip's own and is not is found out by the runtime.
    const foreign = Buffer.from(binary.bytes);
    foreign.write('Ascend910B2', foreign.indexOf('Ascend910B4'));
    await expect(load({ bytes: foreign })).rejects.toMatchObject({
      message: expect.stringMatching(/aclmdlLoadFromMem gave ACL_ERROR_DESERIALIZE_MODEL.*compiled for Ascend910B2, this is Ascend910B4/),
    });
    await expect(load({ bytes: binary.bytes.subarray(0, 300) })).rejects.toMatchObject({ message: expect.stringMatching(/damaged/) });
    own.dispose();
  });

  it('quotes atc where it fails', async () => {
    const broken = { language: 'onnx', units: [new Uint8Array([1, 2, 3])] };
    await expect(engine.createCompiler().compile(broken)).rejects.toMatchObject({ code: 'device', message: expect.stringMatching(/^atc failed: /) });
  });
});
