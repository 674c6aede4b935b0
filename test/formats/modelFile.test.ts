// Weights of a large model stay in its file until they are read: whoever removes the file does no harm, whoever changes it is noticed.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { storedIn } from '../../src/core/stored.ts';
import { bytesOf, numeric } from '../../src/core/tensor.ts';
import { readModelFile } from '../../src/formats/onnx/file.ts';
import { writeMessage } from '../../src/formats/onnx/writeMessage.ts';
import type { Constant } from '../../src/graph/graph.ts';

const folder = mkdtempSync(join(tmpdir(), 'anychip-model-'));
const path = join(folder, 'model.onnx');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WEIGHTS = 1 << 19;
const weights = Float32Array.from({ length: WEIGHTS }, (_, i) => i);
const model = writeMessage('ModelProto', {
  irVersion: 10n,
  opsetImport: [{ domain: '', version: 21n }],
  graph: {
    name: 'large',
    initializer: [
      // One byte more or less in its name, and what follows lies at other addresses.
      { name: 'weights', dims: [BigInt(WEIGHTS)], dataType: 1, rawData: storedIn(new Uint8Array(weights.buffer)) },
      { name: 'one', dims: [1n], dataType: 1, rawData: storedIn(new Uint8Array(Float32Array.of(7).buffer)) },
    ],
    node: [{ opType: 'Add', input: ['weights', 'one'], output: ['y'] }],
    output: [{ name: 'y' }],
  },
});

const constantsOf = (): readonly Constant[] => [...readModelFile(path).graph.constants.values()];
const holdsWeights = (constant: Constant): boolean => Buffer.compare(bytesOf(numeric(constant.read())), new Uint8Array(weights.buffer)) === 0;
beforeEach(() => writeFileSync(path, model));

it('weights are read when they are asked for, whole or in parts', () => {
  const [first, second] = constantsOf();
  expect(holdsWeights(first!)).toBe(true);
  expect([...numeric(second!.read()).data]).toEqual([7]);
  const into = new Uint8Array(8);
  expect(first!.stored!.read(400, 8, into)).toBe(into);
  expect(into).toEqual(bytesOf({ dtype: 'f32', shape: [2], data: weights.subarray(100, 102) }));
});

it('a file that is removed is there as long as its model', () => {
  const [first] = constantsOf();
  rmSync(path);
  expect(holdsWeights(first!)).toBe(true);
});

it('a file that is replaced leaves the model what it was', () => {
  const [first] = constantsOf();
  rmSync(path);
  writeFileSync(path, 'another');
  expect(holdsWeights(first!)).toBe(true);
});

it('a file that was written to is an error of its own', () => {
  const [first] = constantsOf();
  writeFileSync(path, model.subarray(0, model.length - 1));
  expect(() => first!.read()).toThrow(/has changed since it was opened/);
});
