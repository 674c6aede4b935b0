// Whole models on every device, in f32 and in f16: the digit reader of the demo against the reference, and the cases of a folder that
// ANYCHIP_MODELS names (one folder a model, in the layout of ONNX's backend tests) against the outputs that lie there.
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compareValues } from '../src/conformance/compare.ts';
import { opsOf } from '../src/conformance/runData.ts';
import { runCase } from '../src/conformance/runCase.ts';
import { listCases } from '../src/conformance/suite.ts';
import type { Case } from '../src/conformance/suite.ts';
import { toleranceFor } from '../src/conformance/tolerances.ts';
import { decodeValue } from '../src/formats/onnx/tensorProto.ts';
import { readModelFile } from '../src/formats/onnx/file.ts';
import { requiredInputs } from '../src/graph/graph.ts';
import { explain } from '../src/inspect/explain.ts';
import { interpretGraph } from '../src/reference/interpret.ts';
import { bindingsFor } from '../src/session/bindings.ts';
import { openModel } from '../src/session/create.ts';
import { listDevices, resolveTarget } from '../src/session/devices.ts';
import { seededFeeds } from '../src/session/feeds.ts';
import { closeDefaults } from '../src/session/modelRunner.ts';
import { precisions } from '../src/session/options.ts';
import type { Precision } from '../src/session/options.ts';

const found = (await listDevices()).filter(({ name, availability }) => availability.ok && name !== 'reference');
type Width = 'f32' | Precision;
const widths: readonly Width[] = ['f32', ...precisions];
const has = (device: string, width: Width): boolean => resolveTarget(device).capabilities.storage.includes(width);
/** The option of a session. */
const narrowed = (width: Width): { readonly precision?: Precision } => (width === 'f32' ? {} : { precision: width });

describe.each(found.map(({ name }) => name))('the digit reader on %s', (device) => {
  const model = readModelFile('examples/models/digits.onnx');
  const { values } = seededFeeds(model.graph, new Map(), {}, 0);
  const expected = interpretGraph(
    model.graph,
    model.graph.inputs.map(({ name }) => values.get(name) ?? null),
  );

  it.each(widths.filter((width) => has(device, width)))(
    'answers as the reference does, in %s',
    async (width) => {
      const session = await openModel(model, { executionProviders: [device], ...narrowed(width) });
      const outputs = await session.runValues(values);
      model.graph.outputs.forEach(({ name }, i) => {
        expect(
          compareValues(outputs.get(name) ?? null, expected[i]!, (tensor) => toleranceFor(opsOf(model.graph), tensor.dtype, narrowed(width).precision)).mismatch,
          name,
        ).toBeUndefined();
      });
      await session.release();
    },
    60_000,
  );
});

const folder = process.env['ANYCHIP_MODELS'] ?? '';
const cases = existsSync(folder) ? listCases(folder) : [];

/** What a virtual chip computes within some 20 s, MFLOP; those with cores run one instruction after the other. */
const MOST: Readonly<Record<string, number>> = { simt: 1200, tile: 500, model: 100 };

/** MFLOP of a case, as kernels of threads would do them. */
function workOf({ model, dataSets }: Case): number {
  const { graph } = readModelFile(model);
  const inputs = requiredInputs(graph);
  const feeds = new Map(inputs.map((value, i) => [value.name, decodeValue(readFileSync(dataSets[0]!.inputs[i]!), value.type)]));
  const closed = closeDefaults(graph, new Set(inputs));
  const { programs } = explain(closed, resolveTarget('cpu'), bindingsFor(closed, feeds));
  return programs.flatMap(({ calls }) => calls).reduce((sum, { flops }) => sum + flops, 0) / 1e6;
}

describe.skipIf(cases.length === 0)('models of ANYCHIP_MODELS', () => {
  const sized = cases.map((test) => ({ test, work: workOf(test) }));
  const runs = found.flatMap(({ name, family, availability }) =>
    sized
      .filter(({ work }) => !(availability.ok && availability.isVirtual === true) || work <= (MOST[family] ?? Infinity))
      .flatMap(({ test }) => (['f32', 'f16'] as const).map((width) => [name, test.name, width, test] as const)),
  );

  it.each(runs)(
    '%s: %s in %s',
    async (device, _, width, test) => {
      expect(await runCase(test, { device, ...narrowed(width) })).toMatchObject({ kind: 'passed' });
    },
    120_000,
  );
});
