// The browser's face, as far as it runs without a browser: models and weights from URLs, Blobs and bytes, on the reference.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { InferenceSession as Ort, InferenceSessionFactory } from 'onnxruntime-common';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import * as node from '../../src/index.ts';
import { AnychipError, InferenceSession, loadModel, Tensor } from '../../src/web.ts';
import * as web from '../../src/web.ts';
import { info, model, node as nodeOf } from '../badInput/models.ts';
import { doubling } from './models.ts';

const options = { executionProviders: ['reference'] };
const floats = (...values: number[]): Tensor => new Tensor('float32', Float32Array.from(values), [values.length]);

/** y = x + w, where w of 3 floats lies at `location`. */
const withWeights = (location: string): Uint8Array =>
  model({
    name: 'g',
    input: [info('x', [3])],
    output: [info('y', undefined)],
    initializer: [{ name: 'w', dims: [3n], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: location }] }],
    node: [nodeOf('Add', ['x', 'w'], ['y'])],
  });
const weights = new Uint8Array(Float32Array.of(10, 20, 30).buffer);

const served: Readonly<Record<string, Uint8Array>> = {
  '/models/plain.onnx': doubling(),
  '/models/large.onnx': withWeights('./weights/w%201.bin'),
  '/models/weights/w%25201.bin': weights,
  '/models/leaving.onnx': withWeights('../secret.bin'),
  '/models/elsewhere.onnx': withWeights('http://elsewhere.example/w.bin'),
  '/secret.bin': weights,
  '/other/w.bin': weights,
};
const server = createServer(({ url }, response) => {
  const body = served[(url ?? '').replace(/\?.*/, '')];
  response.writeHead(body === undefined ? 404 : 200).end(body);
});
let origin = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  origin = `http://127.0.0.1:${isAddress(address) ? address.port : 0}`;
});
afterAll(() => void server.close());
const isAddress = (x: AddressInfo | string | null): x is AddressInfo => typeof x === 'object' && x !== null;

const errorOf = async (promise: Promise<unknown>): Promise<AnychipError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AnychipError)) throw new Error(`not an AnychipError: ${String(error)}`);
  return error;
};

async function sumOf(session: InferenceSession): Promise<unknown> {
  const { y } = await session.run({ x: floats(1, 2, 3) });
  return y!.data;
}

describe('anychip/web', () => {
  it('offers what the package offers under Node, but for tuning, by the same names and types', () => {
    // What was measured is remembered in a folder.
    expect([...Object.keys(web), 'tune'].sort()).toEqual(Object.keys(node).sort());
    expectTypeOf<InferenceSession>().toExtend<Ort>();
    expectTypeOf(InferenceSession).toExtend<InferenceSessionFactory>();
  });

  it('takes a URL, bytes, a buffer, part of a buffer, and a Blob', async () => {
    const bytes = doubling();
    const wide = new ArrayBuffer(bytes.byteLength + 7);
    new Uint8Array(wide).set(bytes, 3);
    for (const session of [
      await InferenceSession.create(`${origin}/models/plain.onnx?version=2`, options),
      await InferenceSession.create(new URL(`${origin}/models/plain.onnx`), options),
      await InferenceSession.create(bytes, options),
      await InferenceSession.create(Uint8Array.from(bytes).buffer, options),
      await InferenceSession.create(wide, 3, bytes.byteLength, options),
      await InferenceSession.create(new Blob([Uint8Array.from(bytes)]), options),
    ]) {
      expect((await session.run({ x: floats(1, 2) }))['y']!.data).toEqual(Float32Array.of(2, 4));
      await session.release();
    }
  });

  it('says what cannot be fetched, and what is no model', async () => {
    expect(await errorOf(loadModel(`${origin}/none.onnx`))).toMatchObject({ code: 'bad-file', message: expect.stringMatching(/none\.onnx: 404/) });
    expect(await errorOf(loadModel('http://127.0.0.1:1/x.onnx'))).toMatchObject({ code: 'bad-file' });
    expect(await errorOf(loadModel(`${origin}/secret.bin`))).toMatchObject({ code: 'bad-file' });
    expect(await errorOf(loadModel('http://['))).toMatchObject({ code: 'bad-argument' });
    // @ts-expect-error: not a model
    expect(await errorOf(InferenceSession.create(7))).toMatchObject({ code: 'bad-argument', message: expect.stringMatching(/by its URL, as a Blob or as bytes/) });
  });
});

describe('weights in another file', () => {
  it('are fetched from beside the model', async () => {
    expect(await sumOf(await InferenceSession.create(`${origin}/models/large.onnx`, options))).toEqual(Float32Array.of(11, 22, 33));
  });

  it('are not fetched from anywhere else', async () => {
    for (const name of ['leaving', 'elsewhere']) {
      expect(await errorOf(loadModel(`${origin}/models/${name}.onnx`))).toMatchObject({ code: 'bad-file' });
    }
  });

  it('come with bytes, as data or by URL', async () => {
    const bytes = withWeights('w.bin');
    for (const externalData of [
      [`${origin}/other/w.bin`],
      [{ path: 'w.bin', data: `${origin}/secret.bin` }],
      [{ path: './w.bin', data: weights }],
      [{ path: 'w.bin', data: new Blob([weights]) }],
    ]) {
      expect(await sumOf(await InferenceSession.create(bytes, { ...options, externalData }))).toEqual(Float32Array.of(11, 22, 33));
    }
    expect(await errorOf(InferenceSession.create(bytes, options))).toMatchObject({ code: 'bad-file', hint: expect.stringMatching(/externalData/) });
  });
});
