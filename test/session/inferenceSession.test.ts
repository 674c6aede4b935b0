// Code written for onnxruntime-node: every way to create a session and to run it, on every device that works here.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InferenceSession as Ort, InferenceSessionFactory } from 'onnxruntime-common';
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from 'vitest';
import type { HostValue } from '../../src/graph/graph.ts';
import byDefault, { AnychipError, InferenceSession, Tensor } from '../../src/index.ts';
import { chooseDevice } from '../../src/session/devices.ts';
import { devices, doubling, passedThrough, passing, withDefault } from './models.ts';

const floats = (...values: number[]): Tensor => new Tensor('float32', Float32Array.from(values), [values.length]);
const errorOf = async (promise: Promise<unknown>): Promise<AnychipError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AnychipError)) throw new Error(`not an AnychipError: ${String(error)}`);
  return error;
};

describe('types', () => {
  it('are those of onnxruntime-common', () => {
    expectTypeOf<InferenceSession>().toExtend<Ort>();
    expectTypeOf(InferenceSession).toExtend<InferenceSessionFactory>();
    expectTypeOf<Ort.SessionOptions>().toExtend<InferenceSession.SessionOptions>();
    expectTypeOf<InferenceSession.FeedsType>().toEqualTypeOf<Ort.FeedsType>();
    expect(byDefault).toMatchObject({ InferenceSession, Tensor });
  });
});

describe('create', () => {
  const bytes = doubling();
  let folder = '';
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'anychip-test-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('takes a path, bytes, a buffer, and a part of a buffer', async () => {
    const path = join(folder, 'model.onnx');
    writeFileSync(path, bytes);
    const wide = new ArrayBuffer(bytes.byteLength + 7);
    new Uint8Array(wide).set(bytes, 3);
    const shared = new SharedArrayBuffer(bytes.byteLength);
    new Uint8Array(shared).set(bytes);
    const options = { executionProviders: ['reference'] };
    for (const session of [
      await InferenceSession.create(path, options),
      await InferenceSession.create(bytes, options),
      await InferenceSession.create(Buffer.from(bytes), options),
      await InferenceSession.create(Uint8Array.from(bytes).buffer, options),
      await InferenceSession.create(shared, options),
      await InferenceSession.create(wide, 3, bytes.byteLength, options),
    ]) {
      const { y } = await session.run({ x: floats(1, 2) });
      expect(y).toMatchObject({ type: 'float32', dims: [2], data: Float32Array.of(2, 4) });
      await session.release();
    }
    expect((await errorOf(InferenceSession.create(wide, 3, 1e6))).code).toBe('bad-argument');
    expect((await errorOf(InferenceSession.create(wide, -1))).code).toBe('bad-argument');
    expect((await errorOf(InferenceSession.create(join(folder, 'none.onnx')))).code).toBe('bad-file');
  });

  it('takes providers by name or as objects, and passes over those it does not have', async () => {
    const named = await InferenceSession.create(bytes, { executionProviders: [{ name: 'tensorrt', deviceId: 0 }, 'coreml', { name: 'reference' }] });
    expect(named.device.name).toBe('reference');
    expect(named.device.why).toMatch(/tensorrt: there is no such device/);
    expect((await InferenceSession.create(bytes, { executionProviders: [] })).device.name).toBe((await chooseDevice(['auto'])).name);
    const error = await errorOf(InferenceSession.create(bytes, { executionProviders: ['tensorrt'] }));
    expect([error.code, error.message]).toEqual(['bad-argument', "there is no device 'tensorrt'"]);
  });

  it('accepts what only tunes onnxruntime, and says what it cannot do', async () => {
    const tuned = { graphOptimizationLevel: 'all', executionMode: 'parallel', enableCpuMemArena: false, enableMemPattern: true, logSeverityLevel: 3, logId: 'x' } as const;
    await InferenceSession.create(bytes, { ...tuned, intraOpNumThreads: 1, interOpNumThreads: 1, extra: { session: {} }, preferredOutputLocation: 'cpu' });
    const refused: readonly (readonly [InferenceSession.SessionOptions, string])[] = [
      [{ enableProfiling: true }, 'unsupported'],
      [{ optimizedModelFilePath: 'x.onnx' }, 'unsupported'],
      [{ preferredOutputLocation: 'gpu-buffer' }, 'unsupported'],
      [{ enableGraphCapture: true }, 'unsupported'],
      [{ intraOpNumThreads: -1 }, 'bad-argument'],
      [{ freeDimensionOverrides: { n: 1.5 } }, 'bad-argument'],
    ];
    for (const [options, code] of refused) expect((await errorOf(InferenceSession.create(bytes, options))).code, JSON.stringify(options)).toBe(code);
    // @ts-expect-error: not a level
    expect((await errorOf(InferenceSession.create(bytes, { graphOptimizationLevel: 'most' }))).message).toMatch(/must be one of disabled/);
  });
});

describe.each(devices)('run on %s', (device) => {
  const open = (model: Uint8Array): Promise<InferenceSession> => InferenceSession.create(model, { executionProviders: [device] });

  it('returns all outputs, those named, or those given', async () => {
    const session = await open(doubling());
    expect([session.inputNames, session.outputNames]).toEqual([['x'], ['y', 'z']]);
    expect(session.inputMetadata).toEqual([{ name: 'x', isTensor: true, type: 'float32', shape: ['n'] }]);
    expect(session.outputMetadata[1]).toEqual({ name: 'z', isTensor: true, type: 'float32', shape: ['n'] });
    const feeds = { x: floats(1, -3) };
    expect(Object.keys(await session.run(feeds))).toEqual(['y', 'z']);
    expect(Object.keys(await session.run(feeds, { tag: 'a run' }))).toEqual(['y', 'z']);
    expect(Object.keys(await session.run(feeds, ['z'], { tag: 'a run' }))).toEqual(['z']);
    const place = floats(0, 0);
    const memory = place.data;
    const results = await session.run(feeds, { y: place, z: null });
    expect(results['y']).toBe(place);
    expect(place.data).toBe(memory);
    expect([...place.data]).toEqual([2, -6]);
    expect([...(results['z']!.data as Float32Array)]).toEqual([-1, 3]);
    await session.release();
  });

  it('writes to given tensors whatever memory they share', async () => {
    const session = await open(doubling());
    const [x, expected] = [[1, -3, 5], { y: [2, -6, 10], z: [-1, 3, -5] }];
    const part = (buffer: ArrayBuffer, from: number): Tensor => new Tensor('float32', new Float32Array(buffer, from * 4, x.length), [x.length]);
    const valuesOf = (results: Awaited<ReturnType<typeof session.run>>): unknown => ({
      y: [...(results['y']!.data as Float32Array)],
      z: [...(results['z']!.data as Float32Array)],
    });
    const together = new ArrayBuffer(64);
    expect(valuesOf(await session.run({ x: floats(...x) }, { y: part(together, 1), z: part(together, 7) }))).toEqual(expected);
    const fed = floats(...x);
    expect(valuesOf(await session.run({ x: fed }, { y: fed, z: floats(0, 0, 0) }))).toEqual(expected);
    // Again and again, each run into what the one before was given.
    const places = { y: floats(0, 0, 0), z: floats(0, 0, 0) };
    for (let i = 0; i < 3; i++) expect(valuesOf(await session.run({ x: floats(...x) }, places))).toEqual(expected);
    const before = [...places.z.data];
    await errorOf(session.run({ x: floats(7, 8, 9) }, { y: floats(0, 0), z: new Tensor('int32', [0, 0, 0], [3]) }));
    expect([...places.z.data]).toEqual(before);
    await session.release();
  });

  it('refuses what does not fit, and can be used after', async () => {
    const session = await open(doubling());
    const feeds = { x: floats(1, 2) };
    const refused: readonly (() => Promise<unknown>)[] = [
      () => session.run({}),
      () => session.run({ x: floats(1), other: floats(1) }),
      () => session.run({ x: new Tensor('int32', [1, 2], [2]) }),
      () => session.run({ x: new Tensor('float32', [1, 2], [1, 2]) }),
      () => session.run(feeds, ['nothing']),
      () => session.run(feeds, []),
      () => session.run(feeds, { y: floats(0, 0, 0) }),
      () => session.run(feeds, { y: new Tensor('int32', [0, 0], [2]) }),
      // @ts-expect-error: not feeds
      () => session.run(floats(1)),
      // @ts-expect-error: not fetches
      () => session.run(feeds, 'y'),
    ];
    for (const run of refused) expect(await errorOf(run())).toMatchObject({ code: 'bad-argument' });
    expect((await session.run(feeds))['y']!.data).toEqual(Float32Array.of(2, 4));
    await session.release();
  });

  it('leaves inputs with a value in the model to the caller', async () => {
    const session = await open(withDefault());
    expect(session.inputNames).toEqual(['x']);
    expect((await session.run({ x: floats(1, 2) }))['y']!.data).toEqual(Float32Array.of(11, 12));
    expect((await session.run({ x: floats(1, 2), bias: floats(1) }))['y']!.data).toEqual(Float32Array.of(2, 3));
    await session.release();
  });

  it('names what control flow passes through', async () => {
    const session = await open(passedThrough());
    const { looped, chosen } = await session.run({ x: new Tensor('string', ['a', 'b'], [2]) });
    expect([looped!.data, chosen!.data]).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    await session.release();
  });

  it('hands out memory that the caller may change', async () => {
    const session = await open(withDefault());
    const first = await session.run({ x: floats(1, 2) });
    (first['fixed']!.data as Float32Array)[0] = 0;
    expect((await session.run({ x: floats(1, 2) }))['fixed']!.data).toEqual(Float32Array.of(7));
    await session.release();
    const same = await open(passing('f32'));
    const x = floats(5);
    const { y } = await same.run({ x });
    (y!.data as Float32Array)[0] = 1;
    expect(x.data).toEqual(Float32Array.of(5));
    await same.release();
  });

  it('runs that overlap do not disturb each other, whatever their shapes', async () => {
    const session = await open(doubling());
    const runs = Array.from({ length: 40 }, async (_, i) => {
      const x = Float32Array.from({ length: 1 + (i % 2) }, (_, k) => i + k);
      const { y, z } = await session.run({ x: new Tensor('float32', x, [x.length]) });
      expect(y!.data).toEqual(x.map((v) => v + v));
      expect(z!.data).toEqual(x.map((v) => -v));
    });
    await Promise.all(runs);
    await session.release();
  });

  it('puts out plans while runs hold them', async () => {
    const session = await open(passing('f32'));
    const runs = Array.from({ length: 60 }, async (_, i) => {
      const x = new Float32Array(1 + (i % 30)).fill(i);
      expect((await session.run({ x: new Tensor('float32', x, [x.length]) }))['y']!.data).toEqual(x);
    });
    await Promise.all(runs);
    expect(session.plans.length).toBeLessThanOrEqual(16);
    await session.release();
  });

  it('may be released during a run, and refuses runs after', async () => {
    const session = await open(doubling());
    const run = session.run({ x: floats(1, 2) });
    const [result] = await Promise.all([run, session.release(), session.release()]);
    expect(result['y']!.data).toEqual(Float32Array.of(2, 4));
    expect((await errorOf(session.run({ x: floats(1) }))).message).toMatch(/released/);
  });

  it('counts nodes by where they ran, and no bytes for what the caller hands from run to run', async () => {
    const session = await open(doubling());
    expect(session.placement).toMatchObject({ host: 0, bytesMoved: 0 });
    let x: HostValue = { dtype: 'f32', shape: [2], data: Float32Array.of(1, 2) };
    for (let i = 0; i < 3; i++) x = (await session.runValues(new Map([['x', x]]))).get('y')!;
    expect(x).toMatchObject({ data: Float32Array.of(8, 16) });
    expect([session.placement, session.hostNodes]).toEqual([{ device: 2, host: 0, bytesMoved: 0 }, []]);
    await session.release();
  });

  it('passes tensors of every type', async () => {
    const arrays: readonly Tensor[] = [
      new Tensor('float32', [1.5, -2], [2]),
      new Tensor('float64', [1e300, -2], [2]),
      new Tensor('int8', [-128, 127], [2]),
      new Tensor('uint8', [0, 255], [2]),
      new Tensor('int16', [-32768, 32767], [2]),
      new Tensor('uint16', [0, 65535], [2]),
      new Tensor('int32', [-(2 ** 31), 2 ** 31 - 1], [2]),
      new Tensor('uint32', [0, 2 ** 32 - 1], [2]),
      new Tensor('int64', [-(2n ** 63n), 2n ** 63n - 1n], [2]),
      new Tensor('uint64', [0n, 2n ** 64n - 1n], [2]),
      new Tensor('bool', [true, false], [2]),
      new Tensor('string', ['ä', ''], [2]),
      new Tensor('float16', Uint16Array.of(0x3c00, 0xc000, 0x7c00), [3]),
    ];
    const names = { float32: 'f32', float64: 'f64', float16: 'f16', int8: 'i8', uint8: 'u8', int16: 'i16', uint16: 'u16', int32: 'i32', uint32: 'u32', int64: 'i64', uint64: 'u64', bool: 'bool', string: 'string' } as const; // prettier-ignore
    for (const x of arrays) {
      const name = Object.entries(names).find(([type]) => type === x.type)![1];
      const session = await open(passing(name));
      const { y } = await session.run({ x });
      expect(y, x.type).toMatchObject({ type: x.type, dims: x.dims });
      expect(y!.data, x.type).toEqual(x.data);
      const place = new Tensor(x.type, x.type === 'string' ? ['', ''] : x.data.slice(), x.dims);
      expect((await session.run({ x }, { y: place }))['y']!.data, x.type).toEqual(x.data);
      await session.release();
    }
  });

  it('takes elements of four bits one a byte or two a byte, and returns two', async () => {
    for (const [type, dtype, values] of [
      ['int4', 'i4', [-8, 7, -1]],
      ['uint4', 'u4', [15, 0, 9]],
    ] as const) {
      const session = await open(passing(dtype));
      const nibbles = values.map((value) => value & 15);
      const packed = Uint8Array.of(nibbles[0]! | (nibbles[1]! << 4), nibbles[2]!);
      for (const data of [packed, Uint8Array.from(values)]) {
        const { y } = await session.run({ x: new Tensor(type, data, [3]) });
        expect(y).toMatchObject({ type, dims: [3], data: packed });
      }
      expect((await session.run({ x: new Tensor(type, Uint8Array.of(nibbles[0]!), [1]) }))['y']!.data).toEqual(Uint8Array.of(nibbles[0]!));
      await session.release();
    }
  });

  it('reads tensors over a part of a buffer, and empty and scalar ones', async () => {
    const session = await open(doubling());
    const wide = Float32Array.of(9, 1, 2, 9);
    expect((await session.run({ x: new Tensor('float32', wide.subarray(1, 3), [2]) }))['y']!.data).toEqual(Float32Array.of(2, 4));
    expect((await session.run({ x: new Tensor('float32', [], [0]) }))['y']).toMatchObject({ dims: [0], size: 0 });
    await session.release();
    const scalar = await open(doubling('i64', []));
    expect((await scalar.run({ x: new Tensor('int64', [21n], []) }))['y']).toMatchObject({ dims: [], data: BigInt64Array.of(42n) });
    await scalar.release();
  });
});
