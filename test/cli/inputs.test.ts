// Files and names on the command line become values of inputs, or one message.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareFeeds } from '../../src/cli/feeds.ts';
import { readInputs } from '../../src/cli/inputs.ts';
import { splitInput } from '../../src/cli/options.ts';
import { writeOutputs } from '../../src/cli/outputs.ts';
import { AnychipError } from '../../src/core/error.ts';
import { stringTensor, tensorFrom } from '../../src/core/tensor.ts';
import { encodeNpy } from '../../src/formats/npy.ts';
import { encodeTensor } from '../../src/formats/onnx/tensorProto.ts';
import type { Dim, Graph, HostValue } from '../../src/graph/graph.ts';
import { valueOf } from '../session/models.ts';

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'anychip-test-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const graphOf = (inputs: Readonly<Record<string, readonly Dim[]>>): Graph => ({
  name: 'g',
  inputs: Object.entries(inputs).map(([name, shape]) => valueOf(name, 'f32', shape)),
  outputs: [],
  nodes: [],
  constants: new Map(),
});
const file = (name: string, bytes: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const codeOf = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    if (error instanceof AnychipError) return error.code;
    throw error;
  }
  return 'none';
};
const pair = tensorFrom('f32', [2], [1, 2]);

it('reads each kind of file', () => {
  const graph = graphOf({ x: ['n'] });
  const paths = [file('x.npy', encodeNpy(pair)), file('x.pb', encodeTensor(pair, 'x')), file('x.json', '[1, 2]'), file('named.json', '{"x": [1, 2]}')];
  for (const path of paths) expect(readInputs(graph, { input: [`x=${path}`] }).get('x'), path).toEqual(pair);
});

it('scales a picture to the size, layout and channels that the input wants', () => {
  const png = new PNG({ width: 4, height: 2 });
  for (let i = 0; i < 8; i++) png.data.set([255, 0, 51, 255], 4 * i);
  const path = file('red.png', PNG.sync.write(png));
  const planes = readInputs(graphOf({ x: [1, 3, 2, 2] }), { input: [`x=${path}`] }).get('x');
  expect(planes).toEqual(tensorFrom('f32', [1, 3, 2, 2], [1, 1, 1, 1, 0, 0, 0, 0, 0.2, 0.2, 0.2, 0.2]));
  const pixels = readInputs(graphOf({ x: ['b', 'h', 'w', 3] }), { input: [`x=${path}`], mean: [55], std: [100] }).get('x');
  expect(pixels).toMatchObject({ shape: [1, 2, 4, 3] });
  expect(pixels).toMatchObject({ data: Float32Array.from({ length: 24 }, (_, i) => [2, -0.55, -0.04][i % 3]!) });
});

it('finds the files of a folder by name or by number', () => {
  const inner = mkdtempSync(join(folder, 'inputs-'));
  writeFileSync(join(inner, 'a.npy'), encodeNpy(pair));
  writeFileSync(join(inner, 'input_1.pb'), encodeTensor(pair, ''));
  expect([...readInputs(graphOf({ a: [2], b: [2] }), { inputs: inner }).keys()]).toEqual(['a', 'b']);
  expect(codeOf(() => readInputs(graphOf({ c: [2] }), { inputs: inner }))).toBe('bad-argument');
});

it('refuses what does not fit with one message', () => {
  const graph = graphOf({ x: ['n', 2] });
  const npy = file('flat.npy', encodeNpy(pair));
  for (const [input, code] of [
    [`x=${npy}`, 'bad-argument'],
    [`y=${npy}`, 'bad-argument'],
    [`x=${join(folder, 'none.npy')}`, 'bad-file'],
    [`x=${file('cut.npy', encodeNpy(pair).subarray(0, 20))}`, 'bad-file'],
    [`x=${file('no.json', '{')}`, 'bad-file'],
    [`x=${file('x.txt', '1')}`, 'bad-argument'],
    [`x=${file('i64.npy', encodeNpy(tensorFrom('i64', [1, 2], [1n, 2n])))}`, 'bad-argument'],
  ] as const) {
    expect(
      codeOf(() => readInputs(graph, { input: [input] })),
      input,
    ).toBe(code);
  }
});

it('splits NAME=FILE where names hold equal signs', () => {
  expect(splitInput('a=b=c.npy', ['a=b'])).toEqual(['a=b', 'c.npy']);
  expect(splitInput('a=b=c.npy', ['a'])).toEqual(['a', 'b=c.npy']);
  expect(splitInput('c.npy', ['only'])).toEqual(['only', 'c.npy']);
});

it('makes the same random inputs for the same seed, and binds dimensions by name', () => {
  const graph = graphOf({ x: ['n', 3], y: ['n'] });
  const first = prepareFeeds(graph, { seed: 1, bind: { n: 2 } });
  expect(first.values.get('x')).toMatchObject({ shape: [2, 3] });
  expect(first).toMatchObject({ random: ['x', 'y'], assumed: [] });
  expect(prepareFeeds(graph, { seed: 1, bind: { n: 2 } }).values).toEqual(first.values);
  expect(prepareFeeds(graph, { seed: 2, bind: { n: 2 } }).values).not.toEqual(first.values);
  expect(prepareFeeds(graph, { seed: 1 }).assumed).toEqual(['n = 1']);
  expect(codeOf(() => prepareFeeds(graph, { seed: 1, bind: { m: 2 } }))).toBe('bad-argument');
});

it('writes outputs under safe names, NumPy where it can', () => {
  const outputs = new Map<string, HostValue>([
    ['../up/a', pair],
    ['..', tensorFrom('bf16', [1], [1])],
    ['.._up_a', stringTensor([1], ['s'])],
  ]);
  const target = join(folder, 'new', 'out');
  const written = writeOutputs(outputs, target);
  expect(written.every((path) => path.startsWith(target + '/') && !path.slice(target.length + 1).includes('/'))).toBe(true);
  expect(new Set(written).size).toBe(3);
  expect(codeOf(() => writeOutputs(outputs, join(written[0]!, 'below a file')))).toBe('bad-argument');
});
