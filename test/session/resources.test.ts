// What a session allocates is let go, whatever fails and however often it runs; after a failure, and after the loss of the device, it runs on.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import { isTensor } from '../../src/graph/graph.ts';
import type { Graph, HostValue, Value } from '../../src/graph/graph.ts';
import type { KernelModule } from '../../src/kernel/ir.ts';
import { requireKernels, takesModels } from '../../src/runtime/device.ts';
import type { Source, Target } from '../../src/runtime/device.ts';
import { loadModel } from '../../src/session/create.ts';
import { DeviceRunner } from '../../src/session/deviceRunner.ts';
import { resolveTarget } from '../../src/session/devices.ts';
import { ModelRunner } from '../../src/session/modelRunner.ts';
import { PlacementLog } from '../../src/session/placement.ts';
import { CountingDevice } from './countingDevice.ts';
import { devices, doubling, throughText } from './models.ts';

const chips = devices.filter((name) => name !== 'reference');
const RUNS = 10_000;
const WARM_RUNS = 2000;
/** Runs between two collections: garbage that waits for one is no growth. */
const COLLECT_EVERY = 500;
/** One object of 1 KiB a run would be 10 MiB. */
const MOST_GROWTH_BYTES = 8 << 20;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');
/** What native objects hold is let go in a turn after their wrappers were collected. */
async function collect(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const feedsOf = (graph: Graph, ...values: readonly HostValue[]): Map<Value, HostValue> => new Map(graph.inputs.map((input, i) => [input, values[i]!]));
const numbersOf = (value: HostValue | undefined): number[] => {
  if (value === undefined || !isTensor(value)) throw new TypeError('not a tensor');
  return toNumbers(value);
};
const contextOf = (chip: string) => ({ target: resolveTarget(chip), maxMemoryBytes: 1 << 30, seed: 0, strict: false, placement: new PlacementLog() });
const failureOf = async (work: Promise<unknown>): Promise<unknown> => work.then(() => undefined, (error: unknown) => error); // prettier-ignore

describe.each(chips)('on %s', async (chip) => {
  const target = resolveTarget(chip);
  await target.probe();
  const opened = await target.openDevice({ threads: 2 });
  afterAll(() => opened.dispose());
  const text = loadModel(throughText()).graph;
  const x = tensorFrom('f32', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]);
  const doubled = [2, 4, 6, 8, 10, 12, 14, 16];

  it(`does not grow over ${RUNS} runs`, { timeout: 120_000 }, async () => {
    const device = new CountingDevice(opened);
    const { graph } = loadModel(doubling());
    const runner = new ModelRunner(graph, { ...contextOf(chip), target, device });
    const feeds = feedsOf(graph, tensorFrom('f32', [3], [1, 2, 3]));
    const run = async (count: number): Promise<{ readonly bytes: number; readonly buffers: number }> => {
      for (let i = 0; i < count; i++) {
        await runner.run(feeds);
        // Every use is kept by its name; here they are only many.
        device.uses.length = 0;
        if (i % COLLECT_EVERY === 0) await collect();
      }
      await collect();
      return { bytes: process.memoryUsage.rss(), buffers: device.alive.size };
    };
    const before = await run(WARM_RUNS);
    const after = await run(RUNS);
    expect(after.buffers).toBe(before.buffers);
    expect(after.bytes - before.bytes).toBeLessThan(MOST_GROWTH_BYTES);
    await runner.dispose();
    expect(device.alive.size).toBe(0);
  });

  it('frees everything when any use of the device fails, and runs again after', { timeout: 60_000 }, async () => {
    const feeds = feedsOf(text, x);
    const whole = new CountingDevice(opened);
    const first = new ModelRunner(text, { ...contextOf(chip), target, device: whole });
    expect(numbersOf((await first.run(feeds))[0])).toEqual(doubled);
    expect(new Set(whole.uses)).toEqual(new Set(['allocate', 'load', 'createQueue', 'write', 'dispatch', 'finish', ...(whole.uses.includes('read') ? ['read'] : []), 'wrap']));
    await first.dispose();
    for (let failAt = 0; failAt < whole.uses.length; failAt++) {
      const device = new CountingDevice(opened);
      device.failAt = failAt;
      const runner = new ModelRunner(text, { ...contextOf(chip), target, device });
      const where = `use ${failAt}: ${whole.uses[failAt]}`;
      const error = await failureOf(runner.run(feeds));
      expect(error, where).toBeInstanceOf(AnychipError);
      if (error instanceof AnychipError) {
        expect(error.code, where).toBe('limit');
        expect(error.message, where).toMatch(/(kernel|program)/);
        expect(error.message, where).toMatch(/MatMul (before|after)/);
        expect(error.hint, where).toBe('Use less.');
      }
      // The session did not notice more than that one run failed.
      expect(numbersOf((await runner.run(feeds))[0]), where).toEqual(doubled);
      await runner.dispose();
      expect(device.alive.size, where).toBe(0);
    }
  });

  it('names the kernel whose call failed', async () => {
    const device = new CountingDevice(opened);
    const runner = new ModelRunner(text, { ...contextOf(chip), target, device });
    await runner.run(feedsOf(text, x));
    const before = device.uses.length;
    await runner.run(feedsOf(text, x));
    device.failAt = device.uses.length + device.uses.slice(before).lastIndexOf('dispatch');
    device.failure = () => new TypeError('a driver without manners');
    const error = await failureOf(runner.run(feedsOf(text, x)));
    expect(error).toMatchObject({ code: 'device', reason: 'the device failed: a driver without manners' });
    expect(String(error)).toMatch(/kernel.* \(.*MatMul after/);
    await runner.dispose();
    expect(device.alive.size).toBe(0);
  });

  it.skipIf(takesModels(target))('says which nodes the compiler stumbled over, and compiles again for the next run', async () => {
    const kernels = requireKernels(target);
    const device = new CountingDevice(opened);
    let isBroken = true;
    const damage = (unit: string | Uint8Array): string | Uint8Array => (typeof unit === 'string' ? `${unit}\nthis is no language;\n` : unit.subarray(0, unit.length - 9));
    const faulty: Target = {
      ...kernels,
      capabilities: kernels.capabilities,
      createRenderer: () => {
        const renderer = kernels.createRenderer();
        const render = (module: KernelModule): Source => {
          const source = renderer.render(module);
          return isBroken ? { ...source, units: source.units.map(damage) } : source;
        };
        return { render, renderKernel: (module, kernel) => renderer.renderKernel(module, kernel) };
      },
    };
    const runner = new ModelRunner(text, { ...contextOf(chip), target: faulty, device });
    const error = await failureOf(runner.run(feedsOf(text, x)));
    expect(error).toMatchObject({ code: 'device', hint: expect.stringMatching(/./) });
    expect(String(error)).toMatch(/kernel \w+ \(MatMul before\)/);
    isBroken = false;
    expect(numbersOf((await runner.run(feedsOf(text, x)))[0])).toEqual(doubled);
    await runner.dispose();
    expect(device.alive.size).toBe(0);
  });

  it('opens a lost device anew', async () => {
    const opens: CountingDevice[] = [];
    const runner = await DeviceRunner.open(text, { ...contextOf(chip), target }, async () => {
      const device = new CountingDevice(await target.openDevice({ threads: 1 }));
      device.failure = () => new AnychipError('device', 'the device was reset', { hint: 'Run again.' });
      opens.push(device);
      return device;
    });
    const feeds = feedsOf(text, x);
    const run = async (): Promise<number[]> => numbersOf((await runner.run(feeds))[0]);
    expect(await run()).toEqual(doubled);
    opens[0]!.isLost = true;
    expect(await Promise.all([run(), run(), run()])).toEqual([doubled, doubled, doubled]);
    expect(opens.length).toBe(2);
    expect(opens[0]!.alive.size).toBe(0);
    // Lost in the middle of a run: that run fails, the next does not.
    opens[1]!.failAt = opens[1]!.uses.length + 1;
    const during = failureOf(runner.run(feeds));
    expect(await during).toMatchObject({ code: 'device' });
    opens[1]!.isLost = true;
    expect(await run()).toEqual(doubled);
    expect(opens.length).toBe(3);
    await runner.dispose();
    for (const device of opens) expect(device.alive.size).toBe(0);
  });

  it('runs that overlap do not disturb each other, on one session or on several', { timeout: 60_000 }, async () => {
    const wide = loadModel(throughText(96)).graph;
    const runners = [new ModelRunner(wide, { ...contextOf(chip), target, device: opened }), new ModelRunner(wide, { ...contextOf(chip), target, device: opened })];
    const runs = Array.from({ length: 24 }, async (_, i) => {
      const rows = 1 + (i % 3) * 40;
      const data = Float32Array.from({ length: rows * 96 }, (_, k) => ((k * 7 + i * 13) % 64) / 8);
      const [y] = await runners[i % 2]!.run(feedsOf(wide, { dtype: 'f32', shape: [rows, 96], data }));
      expect(numbersOf(y)).toEqual(Array.from(data, (v) => 2 * v));
    });
    await Promise.all(runs);
    await Promise.all(runners.map((runner) => runner.dispose()));
  });
});
