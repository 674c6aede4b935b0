// External data: where it may lie, how it is read, and what is refused.
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { bytesOf, numeric } from '../../src/core/tensor.ts';
import { externalMemory } from '../../src/formats/onnx/externalMemory.ts';
import { readModelFile } from '../../src/formats/onnx/file.ts';
import type { Constant } from '../../src/graph/graph.ts';
import { info, model, node } from '../badInput/models.ts';

const COUNT = 5_000_000;
const data = new Uint8Array(Float32Array.from({ length: COUNT }, (_, i) => i).buffer);
let outside = '';
let folder = '';

beforeAll(() => {
  outside = mkdtempSync(join(tmpdir(), 'anychip-external-'));
  folder = join(outside, 'model');
  mkdirSync(join(folder, 'sub'), { recursive: true });
  writeFileSync(join(outside, 'secret.bin'), data);
  for (const name of ['w.bin', join('sub', 'w.bin')]) writeFileSync(join(folder, name), data);
  symlinkSync(join(outside, 'secret.bin'), join(folder, 'symbolic.bin'));
  symlinkSync(join(folder, 'w.bin'), join(folder, 'inner.bin'));
  symlinkSync(outside, join(folder, 'up'));
  linkSync(join(outside, 'secret.bin'), join(folder, 'hard.bin'));
});
afterAll(() => rmSync(outside, { recursive: true, force: true }));

/** The constant of a model whose weight of `count` floats lies where `entries` say. */
function open(entries: Readonly<Record<string, string>>, count = COUNT): Constant {
  const bytes = model({
    name: 'g',
    input: [info('x', [1])],
    output: [info('y', undefined)],
    initializer: [{ name: 'w', dims: [BigInt(count)], dataType: 1, dataLocation: 1, externalData: Object.entries(entries).map(([key, value]) => ({ key, value })) }],
    node: [node('Add', ['x', 'w'], ['y'])],
  });
  const path = join(folder, 'model.onnx');
  writeFileSync(path, bytes);
  const [constant] = readModelFile(path).graph.constants.values();
  return constant!;
}

function errorOf(body: () => unknown): AnychipError {
  try {
    body();
  } catch (error) {
    if (error instanceof AnychipError) return error;
    throw error;
  }
  throw new AnychipError('mismatch', 'it was taken');
}

describe('external data', () => {
  test('is read from beside the model, whole or in pieces', () => {
    const constant = open({ location: 'w.bin' });
    expect(Buffer.compare(bytesOf(numeric(constant.read())), data)).toBe(0);
    expect(Buffer.compare(Buffer.concat([0, 1, 2].map((i) => constant.stored!.read((i * data.byteLength) / 4, i === 2 ? undefined : data.byteLength / 4))), data)).toBe(0);
  });

  test('that the caller holds is read whole or in pieces', () => {
    const held = externalMemory(new Map([['w.bin', data]]))({ location: './w.bin', offset: 4, length: undefined }, data.byteLength - 4);
    expect(Buffer.compare(held.read(), data.subarray(4))).toBe(0);
    expect(Buffer.compare(held.read(8, 12), data.subarray(12, 24))).toBe(0);
  });

  test('is read from a folder below, at an offset', () => {
    const constant = open({ location: 'sub/w.bin', offset: '4096', length: '12' }, 3);
    expect([...numeric(constant.read()).data]).toEqual([1024, 1025, 1026]);
  });

  const refused: Readonly<Record<string, readonly [entries: Readonly<Record<string, string>>, message: RegExp]>> = {
    'a folder above': [{ location: '../secret.bin' }, /leaves the folder/],
    'a folder above, by the other slash': [{ location: '..\\secret.bin' }, /leaves the folder/],
    'a folder above, from below': [{ location: 'sub/../../secret.bin' }, /leaves the folder/],
    'an absolute path': [{ location: '/etc/passwd' }, /not a relative path/],
    'a drive': [{ location: 'C:\\secret.bin' }, /not a relative path/],
    'a symbolic link that leaves': [{ location: 'symbolic.bin' }, /symbolic link/],
    'a symbolic link that stays': [{ location: 'inner.bin' }, /symbolic link/],
    'a folder that is a link': [{ location: 'up/secret.bin' }, /link/],
    'a hard link': [{ location: 'hard.bin' }, /hard link/],
    'a device': [{ location: '/dev/zero' }, /not a relative path/],
    'a folder': [{ location: 'sub' }, /not a plain file/],
    'nothing there': [{ location: 'nowhere.bin' }, /missing/],
    'an empty location': [{ location: '' }, /not a relative path/],
    'no location': [{ offset: '0' }, /without a location/],
    'a name with a zero': [{ location: 'w.bin\0.txt' }, /not a relative path/],
    'an offset beyond the file': [{ location: 'w.bin', offset: '20000000' }, /needs/],
    'an offset that overflows': [{ location: 'w.bin', offset: '999999999999999' }, /needs/],
    'a negative offset': [{ location: 'w.bin', offset: '-4' }, /offset '-4'/],
    'an offset that is no number': [{ location: 'w.bin', offset: '0x10' }, /offset '0x10'/],
    'another length than the tensor has': [{ location: 'w.bin', length: '8' }, /8 bytes where/],
  };
  for (const [name, [entries, message]] of Object.entries(refused)) {
    test(`refuses ${name}`, () => {
      const error = errorOf(() => open(entries));
      expect(['bad-file', 'bad-model']).toContain(error.code);
      expect(error.message).toMatch(message);
      expect(error.message).toContain("tensor 'w'");
    });
  }

  test('that has become shorter since is an error of its own', () => {
    writeFileSync(join(folder, 'short.bin'), data);
    const constant = open({ location: 'short.bin' });
    truncateSync(join(folder, 'short.bin'), 100);
    expect(errorOf(() => constant.read()).message).toMatch(/become shorter/);
  });

  test('of a tensor larger than its file is refused before anything is allocated', () => {
    expect(errorOf(() => open({ location: 'w.bin' }, 2 ** 40)).message).toMatch(/needs/);
  });
});
