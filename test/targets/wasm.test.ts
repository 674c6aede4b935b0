// WebAssembly as a device: threads over a shared memory, runs in the background, memory that is given back, limits, and the end of it all.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { tensorFrom, toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { createFolder } from '../../src/reference/fold.ts';
import type { Device, Target } from '../../src/runtime/device.ts';
import { ProgramRunner } from '../../src/session/programRunner.ts';
import { WasmDevice } from '../../src/targets/wasm/device.ts';
import { detectFeatures } from '../../src/targets/wasm/features.ts';
import { nodeHost } from '../../src/targets/wasm/nodeHost.ts';
import { MAX_BUFFER_BYTES, WasmMemory } from '../../src/targets/wasm/memory.ts';
import { createWasmTarget } from '../../src/targets/wasm/target.ts';
import { stepOf } from '../schedule/step.ts';

const target = createWasmTarget(nodeHost);

/** max(x·w + x, 0) of n rows: wide enough to be shared, and more than a millisecond. */
function product(n: number): { readonly graph: PrimGraph; readonly input: NumericTensor } {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: [n, n] }, 'x');
  const w = b.constant(
    tensorFrom(
      'f32',
      [n, n],
      Array.from({ length: n * n }, (_, i) => ((i * 7) % 11) - 5),
    ),
  );
  const graph = b.finish('product', [x], [b.max(b.add(b.matmul(x, w), x), b.scalar('f32', 0))]);
  return {
    graph,
    input: tensorFrom(
      'f32',
      [n, n],
      Array.from({ length: n * n }, (_, i) => ((i * 5) % 13) - 6),
    ),
  };
}

async function runOn(device: Device, graph: PrimGraph, inputs: readonly NumericTensor[], runs = 1, made: Target = target): Promise<NumericTensor[][]> {
  const runner = await ProgramRunner.load(device, await stepOf(graph, made), 2 ** 30);
  const results: NumericTensor[][] = [];
  for (let i = 0; i < runs; i++) results.push(await runner.run(inputs));
  runner.dispose();
  return results;
}

/** How often the event loop turns before `work` is done; a run on this thread leaves it no more than a few turns. */
async function turnsUntil(work: Promise<unknown>): Promise<number> {
  const state = { isDone: false };
  void work.then(() => (state.isDone = true));
  for (let turns = 0; ; turns++) {
    if (state.isDone) return turns;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('threads', () => {
  let device: Device;
  beforeAll(async () => void (device = await target.openDevice({ threads: 3 })));
  afterAll(() => device.dispose());

  it('share wide kernels and agree with the reference, run after run', async () => {
    const { graph, input } = product(160);
    const expected = toNumbers(interpretPrims(graph, [input])[0]!);
    for (const [result] of await runOn(device, graph, [input], 2)) expect(toNumbers(result!)).toEqual(expected);
    // Helpers sent for by the first run are there when the next program has been loaded.
    for (const [result] of await runOn(device, graph, [input], 8)) expect(toNumbers(result!)).toEqual(expected);
  });

  it('leave the event loop to others while a long run goes on', async () => {
    const { graph, input } = product(1000);
    const runner = await ProgramRunner.load(device, await stepOf(graph, target), 2 ** 30);
    await runner.run([input]);
    expect(await turnsUntil(runner.run([input]))).toBeGreaterThan(20);
    runner.dispose();
  });

  it('serve several programs whose runs overlap', async () => {
    const cases = [40, 90, 150, 220].map((n) => product(n));
    const results = await Promise.all(cases.map(({ graph, input }) => runOn(device, graph, [input], 3)));
    cases.forEach(({ graph, input }, i) => {
      const expected = toNumbers(interpretPrims(graph, [input])[0]!);
      for (const [result] of results[i]!) expect(toNumbers(result!)).toEqual(expected);
    });
  });
});

describe('one thread on a memory of its own', () => {
  it('is what remains where memory cannot be shared', async () => {
    const features = { ...detectFeatures(nodeHost), isShared: false, relaxed: false };
    const device = new WasmDevice(nodeHost, features, 8);
    expect(device.limits.threads).toBe(1);
    const { graph, input } = product(100);
    const { WasmRenderer } = await import('../../src/render/wasm/renderer.ts');
    const alone: Target = {
      ...target,
      createRenderer: () => new WasmRenderer(features),
      createCompiler: () => ({
        compile: ({ units: [bytes] }) => Promise.resolve({ binary: { format: 'wasm-simd', bytes: bytes instanceof Uint8Array ? bytes : new Uint8Array() }, cached: false }),
      }),
    };
    const [result] = (await runOn(device, graph, [input], 1, alone)).flat();
    expect(toNumbers(result!)).toEqual(toNumbers(interpretPrims(graph, [input])[0]!));
    device.dispose();
  });
});

describe('memory', () => {
  it('joins blocks that were freed, and grows only where none is large enough', () => {
    const memory = new WasmMemory(false, 1024);
    const blocks = Array.from({ length: 10 }, () => memory.allocate(5000));
    expect(new Set(blocks.map((b) => b.address % 64))).toEqual(new Set([0]));
    const sorted = blocks.map((b) => b.address).sort((a, b) => a - b);
    sorted.slice(1).forEach((at, i) => expect(at - sorted[i]!).toBeGreaterThanOrEqual(5000));
    const size = memory.memory.buffer.byteLength;
    for (const i of [1, 7, 3, 5, 9, 0, 2, 8, 6, 4]) blocks[i]!.dispose();
    const whole = memory.allocate(60_000);
    expect(whole.address).toBe(1024);
    expect(memory.memory.buffer.byteLength).toBe(size);
    memory.allocate(60_000);
    expect(memory.memory.buffer.byteLength).toBeGreaterThan(size);
  });

  it('says what it cannot hold', () => {
    const memory = new WasmMemory(true, 1024);
    expect(() => memory.allocate(MAX_BUFFER_BYTES + 1)).toThrowError(expect.objectContaining({ code: 'limit' }));
    expect(memory.allocate(100).address).toBe(1024);
  });
});

describe('programs', () => {
  it('of another engine are refused', async () => {
    const device = await target.openDevice({ threads: 1 });
    await expect(device.load({ format: 'elf-x86-64', bytes: new Uint8Array() }, { scratchBytes: 0 })).rejects.toThrowError(AnychipError);
    device.dispose();
  });
});
