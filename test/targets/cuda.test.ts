// CUDA without a GPU: the binding on a driver over host memory, and what the compiler makes of kernels of every kind.
import { describe, expect, it } from 'vitest';
import { findCompiler } from '../../src/driver/compiler.ts';
import type { DriverTable } from '../../src/driver/table.ts';
import { HostMemory } from '../../src/ffi/hostMemory.ts';
import { openNative } from '../../src/ffi/native.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { packProgram, unpackProgram } from '../../src/runtime/launchPlan.ts';
import type { LaunchPlan } from '../../src/runtime/launchPlan.ts';
import type { Allowance } from '../../src/core/allowance.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { cudaTable } from '../../src/targets/cuda/driver.ts';
import { createCudaTarget } from '../../src/targets/cuda/target.ts';
import { randomGraph } from '../schedule/randomGraph.ts';
import { buildFakeDriver } from './fakeDriver.ts';
import { allKinds, expectMachineCode, kernelKinds } from './kernelKinds.ts';

const path = buildFakeDriver();
const table: DriverTable = { ...cudaTable, libraries: { other: [path ?? ''] } };
const add = (from: number, to: number, offsetBytes = 0) => ({
  kernel: 0,
  args: [
    { base: from, offsetBytes },
    { base: to, offsetBytes },
  ],
});
const plan: LaunchPlan = { kernels: [{ symbol: 'add_one', blocks: 2, threads: 3 }], init: [add(0, 1)], run: [add(0, 1), add(1, 1, 16)] };
const program = (changed: Partial<LaunchPlan> = {}) => ({ format: 'kernels-sm_80', bytes: packProgram({ ...plan, ...changed }, new TextEncoder().encode('machine code')) });
const scratch = { scratchBytes: 0 };

describe.skipIf(path === undefined)('a driver of the shape of CUDA', async () => {
  const native = await openNative();
  const fake = native.open(path!);
  const count = (name: string): number => Number(fake.find(name, 'i32', [])());
  const fail = (symbol: string, status: number) => fake.find('fake_fail', 'void', ['pointer', 'i32'])(HostMemory.string(native, symbol).address, status);
  const open = () => createCudaTarget({ table }).openDevice();

  it('runs, replays what it captured, times, and gives everything back', async () => {
    const before = count('fake_live');
    const device = await open();
    const queue = device.createQueue();
    const [a, b, c] = [device.allocate(64), device.allocate(64), device.allocate(64)];
    const loaded = await device.load(program(), scratch);
    const input = new Float32Array(16).map((_, i) => i);
    const output = new Float32Array(16);
    const runOn = async (target: typeof b): Promise<number[]> => {
      queue.write(a, 0, new Uint8Array(input.buffer));
      queue.write(target, 0, new Uint8Array(64));
      queue.dispatch(loaded, 'run', [a, target]);
      queue.read(target, 0, new Uint8Array(output.buffer));
      await queue.finish();
      return [...output.subarray(0, 11)];
    };
    // Two blocks of three threads from 0, then from element 4: what the first left there, one more.
    const expected = [1, 2, 3, 4, 6, 7, 1, 1, 1, 1, 0];
    const replays = count('fake_replays');
    for (let i = 0; i < 5; i++) expect(await runOn(b)).toEqual(expected);
    expect(count('fake_replays') - replays).toBe(4);
    // Other memory is not what was captured.
    for (let i = 0; i < 3; i++) expect(await runOn(c)).toEqual(expected);
    queue.dispatch(loaded, { init: 0 }, [a, b]);
    queue.copy(b, 0, c, 32, 8);
    queue.read(c, 32, new Uint8Array(output.buffer, 0, 8));
    expect(await queue.profile!(loaded, [a, b], 2)).toEqual([250_000, 250_000]);
    expect([output[0], output[1]]).toEqual([1, 2]);
    loaded.dispose();
    loaded.dispose();
    for (const buffer of [a, b, c]) buffer.dispose();
    expect(() => queue.read(a, 0, new Uint8Array(4))).toThrow(/disposed/);
    device.dispose();
    device.dispose();
    expect(count('fake_live')).toBe(before);
  });

  it('says how much memory is missing, and goes on', async () => {
    const device = await open();
    const kept = device.allocate(1000);
    expect(() => device.allocate(2 ** 21)).toThrow(
      expect.objectContaining({
        code: 'limit',
        message: expect.stringMatching(/out of memory.*cuMemAlloc_v2 gave CUDA_ERROR_OUT_OF_MEMORY.*2097152 bytes/),
        hint: expect.stringMatching(/smaller/),
      }),
    );
    device.allocate(1000).dispose();
    kept.dispose();
    device.dispose();
  });

  it('says which launch failed, and goes on', async () => {
    const before = count('fake_live');
    const device = await open();
    const queue = device.createQueue();
    const [a, b] = [device.allocate(64), device.allocate(64)];
    const tooWide = await device.load(program({ kernels: [{ symbol: 'add_one', blocks: 1, threads: 2000 }] }), scratch);
    expect(() => queue.dispatch(tooWide, 'run', [a, b])).toThrow(
      expect.objectContaining({ code: 'device', facts: { status: 701, call: 0 }, hint: expect.stringMatching(/Compile/) }),
    );
    const loaded = await device.load(program(), scratch);
    queue.dispatch(loaded, 'run', [a, b]);
    // The second run is captured.
    fail('cuLaunchKernel', 719);
    expect(() => queue.dispatch(loaded, 'run', [a, b])).toThrow(
      expect.objectContaining({ code: 'device', message: expect.stringMatching(/CUDA_ERROR_LAUNCH_FAILED \(said by the driver\)/) }),
    );
    queue.dispatch(loaded, 'run', [a, b]);
    fail('cuStreamQuery', 719);
    await expect(queue.finish()).rejects.toMatchObject({ code: 'device', hint: expect.stringMatching(/process again/) });
    await queue.finish();
    for (const item of [tooWide, loaded, a, b, device]) item.dispose();
    expect(count('fake_live')).toBe(before);
  });

  it('refuses programs of other machines, and damaged ones', async () => {
    const device = await open();
    await expect(device.load({ ...program(), format: 'kernels-sm_90' }, scratch)).rejects.toMatchObject({ code: 'device' });
    // The same architecture, other numbers.
    await expect(device.load({ ...program(), chip: 'Fake Two' }, scratch)).rejects.toMatchObject({
      code: 'device',
      message: 'the program was compiled for Fake Two, this is Fake One',
    });
    (await device.load({ ...program(), chip: 'Fake One' }, scratch)).dispose();
    await expect(device.load({ ...program(), bytes: program().bytes.subarray(0, 9) }, scratch)).rejects.toMatchObject({ code: 'bad-file' });
    await expect(device.load(program({ kernels: [{ symbol: 'none', blocks: 1, threads: 1 }] }), scratch)).rejects.toMatchObject({ code: 'device' });
    device.dispose();
  });

  it('has several devices, and says what is missing', async () => {
    const { library, program: command } = table.compiler;
    const compiler = { ...table.compiler, library: { ...library!, names: { other: ['libnone.so'] } }, program: { ...command!, name: 'no-such-compiler' } };
    const target = createCudaTarget({ table: { ...table, compiler } });
    expect(await target.probe()).toMatchObject({ ok: false, needs: 'software', reason: expect.stringMatching(/^NVRTC is not installed/) });
    expect(target.capabilities).toMatchObject({ simt: { maxThreads: 1024, subgroupThreads: 32, sharedBytes: 49152, units: 7 } });
    expect(await createCudaTarget({ table }).at!(2).probe()).toMatchObject({ ok: false, needs: 'hardware', reason: 'there is no device 2: the driver finds 2' });
    expect(createCudaTarget({ table }).at!(1).name).toBe('cuda:1');
    fail('cuInit', 100);
    expect(await createCudaTarget({ table }).probe()).toMatchObject({ ok: false, reason: expect.stringMatching(/finds no device/) });
    const none = createCudaTarget({ table: { ...table, libraries: { other: ['libnone.so'] } } });
    expect(await none.probe()).toMatchObject({ ok: false, reason: expect.stringMatching(/the driver of CUDA is not installed/) });
  });
});

const compiler = await findCompiler(cudaTable.compiler).catch(() => undefined);

/** Skipped where neither NVRTC nor nvcc is installed. */
describe.skipIf(compiler === undefined)('the compiler of CUDA', () => {
  const target = createCudaTarget();
  const textOf = (source: PrimGraph, allow: readonly Allowance[] = []): string => {
    const [text] = target.createRenderer().render(scheduleGraph(source, target.capabilities, allow).module).units;
    return typeof text === 'string' ? text : '';
  };
  it.each(['sm_80', 'sm_90'])(
    'makes machine code of kernels of every kind, for %s',
    async (architecture) => {
      const text = textOf(allKinds, ['tf32']);
      for (const input of ['f16', 'bf16', 'i8', 'tf32']) expect(text).toContain(`_${input}_m16n16`);
      await expectMachineCode(compiler!, text, architecture);
    },
    120_000,
  );

  it('makes machine code of a random graph', async () => expectMachineCode(compiler!, textOf(randomGraph(100, 14).graph), 'sm_90'), 60_000);

  it('is quoted where it fails', async () => {
    await expect(compiler!.compile('__global__ void k(unknown x) {}', 'sm_80')).rejects.toThrow(/unknown/);
  }, 60_000);

  it('compiles for a machine that is not here', async () => {
    const module = scheduleGraph(kernelKinds.get('elements')!, target.capabilities).module;
    const { binary } = await createCudaTarget({ architecture: 'sm_90' }).createCompiler().compile(target.createRenderer().render(module));
    expect(unpackProgram(binary.bytes).plan.kernels).toHaveLength(module.kernels.length);
    if (!(await target.probe()).ok) expect(binary.format).toBe('kernels-sm_90');
  }, 60_000);
});
