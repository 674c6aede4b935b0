// The nets that the bench builds, at small sizes: as files they are the same nets, they compute what such nets must, and devices agree on them.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { inceptionLike, mobileNetLike, resNetLike, vggLike } from '../../bench/models/images.ts';
import type { Built } from '../../bench/models/net.ts';
import { dynamicLinear, fourBitProduct, quantisedImages, quantisedLinear } from '../../bench/models/quantised.ts';
import { decoderStep, encoder, linear } from '../../bench/models/transformers.ts';
import { writeCase } from '../../bench/models/write.ts';
import { toNumbers } from '../../src/core/tensor.ts';
import { decodeValue } from '../../src/formats/onnx/tensorProto.ts';
import { isTensor, requiredInputs } from '../../src/graph/graph.ts';
import type { Graph, HostValue } from '../../src/graph/graph.ts';
import { interpretGraph } from '../../src/reference/interpret.ts';
import { loadModel, openModel } from '../../src/session/create.ts';
import { seededFeeds } from '../../src/session/feeds.ts';

const folder = mkdtempSync(join(tmpdir(), 'anychip-nets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const size = { layers: 2, width: 16, heads: 4, inside: 32 };
const encoderSize = { ...size, length: 8 };
const image = { size: 32, width: 16, classes: 5 };
const decoderSize = { ...size, vocabulary: 31, positions: 16, past: 6 };

const nets: Readonly<Record<string, () => Built>> = {
  vgg: () => vggLike(image),
  inception: () => inceptionLike(image),
  mobileNet: () => mobileNetLike(image),
  resNet: () => resNetLike(image),
  resNetInt8: () => resNetLike(image, quantisedImages, [1, 1]),
  encoder: () => encoder('encoder', encoderSize),
  encoderInt8: () => encoder('encoder', encoderSize, quantisedLinear),
  encoderDynamic: () => encoder('encoder', encoderSize, dynamicLinear),
  decoder: () => decoderStep('decoder', decoderSize),
  int4: () => fourBitProduct('int4', 3, 64, 8),
};

function written(name: string): { readonly graph: Graph; readonly path: string; readonly feeds: Map<string, HostValue> } {
  const { model, dataSets } = writeCase(join(folder, name), name, nets[name]!());
  const { graph } = loadModel(model);
  const files = dataSets[0]?.inputs ?? [];
  const given = new Map(requiredInputs(graph).flatMap((input, i) => (files[i] === undefined ? [] : [[input.name, decodeValue(readFileSync(files[i]), input.type)]])));
  return { graph, path: model, feeds: seededFeeds(graph, given, {}, 0).values };
}

function referenceOf(graph: Graph, feeds: ReadonlyMap<string, HostValue>): Map<string, number[]> {
  const outputs = interpretGraph(
    graph,
    graph.inputs.map((value) => feeds.get(value.name) ?? null),
  );
  return new Map(graph.outputs.map((value, i) => [value.name, numbersOf(outputs[i])]));
}

function numbersOf(value: HostValue | undefined): number[] {
  if (value === undefined || !isTensor(value)) throw new Error('not a tensor');
  return toNumbers(value);
}

describe('nets of the bench', () => {
  it.each(Object.keys(nets))('%s gives on wasm what the reference gives', async (name) => {
    const { graph, path, feeds } = written(name);
    const session = await openModel(loadModel(path), { executionProviders: ['wasm'] });
    const outputs = await session.runValues(feeds);
    await session.release();
    for (const [output, right] of referenceOf(graph, feeds)) {
      const got = numbersOf(outputs.get(output));
      const most = right.reduce((max, x) => Math.max(max, Math.abs(x)), 0);
      expect(most).toBeGreaterThan(0);
      // A byte may be rounded the other way: one of 255 steps.
      const worst = right.reduce((max, x, i) => Math.max(max, Math.abs(x - got[i]!)), 0);
      expect(worst / most).toBeLessThan(/Int8|Dynamic/.test(name) ? 0.03 : 1e-4);
    }
  });

  it('an encoder gives tokens that are not masked the same, whatever the masked ones are', () => {
    const { graph, feeds } = written('encoder');
    const before = referenceOf(graph, feeds).get('hidden')!;
    const tokens = feeds.get('tokens')!;
    if (tokens === null || !isTensor(tokens) || tokens.dtype === 'string') throw new Error('no tokens');
    const data = Float32Array.from(tokens.data, Number);
    data.fill(3, 7 * 16);
    const after = referenceOf(graph, new Map([...feeds, ['tokens', { ...tokens, data }]])).get('hidden')!;
    expect(after.slice(0, 7 * 16)).toEqual(before.slice(0, 7 * 16));
    expect(after.slice(7 * 16)).not.toEqual(before.slice(7 * 16));
  });

  it('a step of a decoder hands on keys and values of before, one longer', () => {
    const { graph, feeds } = written('decoder');
    const outputs = referenceOf(graph, feeds);
    const [heads, past, each] = [4, 6, 4];
    const old = numbersOf(feeds.get('past_key_values.1.value'));
    const present = outputs.get('present.1.value')!;
    expect(present.length).toBe(heads * (past + 1) * each);
    for (let h = 0; h < heads; h++) {
      expect(present.slice(h * (past + 1) * each, (h * (past + 1) + past) * each)).toEqual(old.slice(h * past * each, (h + 1) * past * each));
    }
    expect(outputs.get('logits')).toHaveLength(31);
  });

  it('layers in bytes come close to layers in floats of the same inputs', () => {
    // The weights are other random numbers: what is alike is how far results reach.
    const deviation = (layer: typeof linear): number => {
      const { graph, feeds } = encoder('encoder', encoderSize, layer);
      const hidden = referenceOf(graph, feeds).get('hidden')!;
      return Math.sqrt(hidden.reduce((sum, x) => sum + x * x, 0) / hidden.length);
    };
    const right = deviation(linear);
    for (const layer of [quantisedLinear, dynamicLinear]) expect(Math.abs(deviation(layer) - right) / right).toBeLessThan(0.1);
  });
});
