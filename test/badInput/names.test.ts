// Names in a model may hold anything: they reach neither the code that is made of it nor paths outside the folder for outputs.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeOutputs } from '../../src/cli/outputs.ts';
import { compile, scheduleStep, specializeFor } from '../../src/compile.ts';
import { scalar } from '../../src/core/tensor.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import { bindingsFor } from '../../src/session/bindings.ts';
import { requireKernels } from '../../src/runtime/device.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { seededFeeds } from '../../src/session/feeds.ts';
import { openModel } from '../../src/session/create.ts';
import { floats, info, model, node } from './models.ts';

const EVIL = 'EVIL*/ } int system(char *); __attribute__((constructor)) void f() { system("x"); } /*\n#include "/etc/passwd"\\';
const hostile = importModel(
  model({
    name: EVIL,
    input: [info(`x${EVIL}`, [`d${EVIL}`, 4])],
    output: [info(`y${EVIL}`, undefined)],
    initializer: [floats(`w${EVIL}`, [4, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])],
    node: [node('MatMul', [`x${EVIL}`, `w${EVIL}`], [`m${EVIL}`]), node('Tanh', [`m${EVIL}`], [`t${EVIL}`]), node('Softmax', [`t${EVIL}`], [`y${EVIL}`])],
  }),
);
const { values } = seededFeeds(hostile.graph, new Map(), {}, 0);
const bindings = bindingsFor(hostile.graph, values);

test('no name of a model reaches rendered source', () => {
  for (const device of ['cpu', 'wasm']) {
    const target = requireKernels(resolveTarget(device));
    const steps = specializeFor(hostile.graph, target, bindings).steps.flatMap((step) => (step.kind === 'device' ? [step] : []));
    expect(steps).not.toHaveLength(0);
    for (const step of steps) {
      for (const unit of target.createRenderer().render(scheduleStep(step, target).module).units) expect(Buffer.from(unit).includes('EVIL')).toBe(false);
    }
  }
});

test('nor a binary, and the model runs under its names', async () => {
  const plan = await compile(hostile.graph, resolveTarget('wasm'), bindings);
  for (const step of plan.steps) if (step.kind === 'device') expect(Buffer.from(step.binary.bytes).includes('EVIL')).toBe(false);
  const session = await openModel(hostile, { executionProviders: ['wasm'] });
  expect([...(await session.runValues(values)).keys()]).toEqual([`y${EVIL}`]);
  await session.release();
});

test('names that collide with parts of JavaScript are names like others', async () => {
  const names = ['__proto__', 'constructor', 'toString'];
  const { graph } = importModel(
    model({ name: 'g', input: names.map((name) => info(name, [2])), output: [info('hasOwnProperty', [2])], node: [node('Sum', names, ['hasOwnProperty'])] }),
  );
  const feeds = seededFeeds(graph, new Map(), {}, 0).values;
  const session = await openModel({ ...hostile, graph }, { executionProviders: ['reference'] });
  expect([...(await session.runValues(feeds)).keys()]).toEqual(['hasOwnProperty']);
});

test('outputs are written inside their folder, each under a name of its own', () => {
  const root = mkdtempSync(join(tmpdir(), 'anychip-names-'));
  const folder = join(root, 'out');
  try {
    const names = ['../up', '/etc/absolute', '..', '.', '', 'a/b', 'a\\b', 'A/B', 'con\u0000', 'x'.repeat(5000), EVIL];
    writeOutputs(new Map(names.map((name) => [name, scalar('f32', 1)])), folder);
    expect(readdirSync(root)).toEqual(['out']);
    expect(readdirSync(folder)).toHaveLength(names.length);
    expect(existsSync('/etc/absolute.npy')).toBe(false);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
