// Biren's chips on virtual ones: rendered SUPA C++, compiled by a program that is called twice and launched through the vendor's driver interface,
// computes what the reference computes; the chip and its compiler name the rule that is broken.
import { basename, dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findCompiler } from '../../src/driver/compiler.ts';
import type { CompilerTable } from '../../src/driver/table.ts';
import { createBuilder } from '../../src/graph/builder.ts';
import type { PrimGraph } from '../../src/graph/builder.ts';
import { createFolder } from '../../src/reference/fold.ts';
import { interpretPrims } from '../../src/reference/interpretPrims.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import { findHostCompiler } from '../../src/runtime/hostCompiler.ts';
import { packProgram } from '../../src/runtime/launchPlan.ts';
import { buildVirtualChip } from '../../src/runtime/virtualChip.ts';
import { scheduleGraph } from '../../src/schedule/scheduleGraph.ts';
import { birenTable } from '../../src/targets/biren/driver.ts';
import { birenChips } from '../../src/targets/biren/facts.ts';
import { createBirenTarget } from '../../src/targets/biren/target.ts';
import { createRandom, randomTensor } from '../schedule/randomGraph.ts';
import { expectClose, expectRandomGraphs, run, withText } from './onTarget.ts';

const virtual = createBirenTarget().virtual!;
const target = virtual.open('br100', 'biren:virtual')!;
const hasCompiler = await findHostCompiler().then(
  () => true,
  () => false,
);

/** Two kinds of kernels: threads that are alone, and threads that share a row. */
function rows(): PrimGraph {
  const b = createBuilder(createFolder());
  const x = b.input({ dtype: 'f32', shape: [6, 300] }, 'x');
  const e = b.exp(b.sub(x, b.reduce('max', x, [1])));
  return b.finish('rows', [x], [b.div(e, b.reduce('sum', e, [1]))]);
}
const rowsInput = [randomTensor(createRandom(4), 'f32', [6, 300])];

describe('kernels for Biren', () => {
  it('are SUPA C++, and compute nothing in f64', () => {
    expect(virtual.names).toEqual(['br100', 'br104']);
    expect(target.capabilities).toMatchObject({ family: 'simt', simt: { maxThreads: 1024, subgroupThreads: 32, sharedBytes: 32768, units: 128 } });
    expect(target.capabilities.storage).not.toContain('f64');
    const text = String(target.createRenderer().render(scheduleGraph(rows(), target.capabilities).module).units[0]);
    for (const word of ['#include <supa.h>', 'block_idx.x', 'thread_idx.x', '__shared__', '__syncthreads()', 'fmaf(']) expect(text).toContain(word);
    expect(text).not.toMatch(/double|blockIdx|threadIdx|__fmaf_rn|__int_as_float/);
  });
});

describe.skipIf(!hasCompiler)('biren:virtual', () => {
  it.each(virtual.names)(
    'computes what the reference computes: %s',
    async (name) => {
      const chip = virtual.open(name, `biren:virtual/${name}`)!;
      const [expected] = interpretPrims(rows(), rowsInput);
      expectClose((await run(chip, rows(), rowsInput))[0]!, expected!, name);
    },
    120_000,
  );

  it('computes random graphs as the reference does', () => expectRandomGraphs(target, 20), 120_000);

  it.each([
    ['a row that is not waited for', (t: string) => t.replaceAll('__syncthreads();', ''), /race|never-written/],
    ['an element past the end', (t: string) => t.replaceAll(/= block_idx\.x;/g, '= block_idx.x + 1;'), /out of bounds/],
    ['more shared memory than a block has', (t: string) => t.replace(/(__shared__ [^;]*)\[\d+\]/, '$1[8193]'), /limit of the chip.*at most 32768 are allowed/],
  ] as const)(
    'names %s',
    async (_, mutate, message) => {
      await expect(run(withText(target, mutate), rows(), rowsInput)).rejects.toThrow(message);
    },
    60_000,
  );
});

const KERNEL = 'extern "C" __global__ void __launch_bounds__(64)\nadd_one(const float *x, float *y) { const int i = block_idx.x * block_dim.x + thread_idx.x; y[i] = x[i] + 1; }\n';

describe.skipIf(!hasCompiler)("the compiler and the driver of Biren's virtual chip", async () => {
  const { title, memoryBytes, limits } = birenChips['br104']!;
  const facts = { architecture: 100, memoryBytes, maxThreads: 1024, subgroupThreads: 32, sharedBytes: 32768, units: 64, driverVersion: 0, ...limits };
  const { path, program } = await buildVirtualChip({ vendor: 'biren', family: 'simt', program: 'brcc', title, facts }, new CompileCache());
  type Program = NonNullable<CompilerTable['program']>;
  const compilerWith = (changed: Partial<Program>) =>
    findCompiler({ ...birenTable.compiler, program: { ...birenTable.compiler.program!, name: basename(program!), folders: [dirname(program!)], ...changed } });
  const device = () => createBirenTarget({ table: { ...birenTable, libraries: { other: [path] } } }).openDevice();
  const packed = (code: Uint8Array, threads = 64) => ({
    format: 'kernels-br100',
    bytes: packProgram({ kernels: [{ symbol: 'add_one', blocks: 1, threads }], init: [], run: [{ kernel: 0, args: [0, 1].map((base) => ({ base, offsetBytes: 0 })) }] }, code),
  });

  it('compile, link and launch', async () => {
    const code = await (await compilerWith({})).compile(KERNEL, 'br100');
    const opened = await device();
    const loaded = await opened.load(packed(code), { scratchBytes: 0 });
    const [x, y] = [opened.allocate(256), opened.allocate(256)];
    const queue = opened.createQueue();
    const output = new Float32Array(64);
    queue.write(x, 0, new Uint8Array(new Float32Array(64).fill(2).buffer));
    queue.dispatch(loaded, 'run', [x, y]);
    queue.read(y, 0, new Uint8Array(output.buffer));
    await queue.finish();
    expect([...output]).toEqual(Array.from({ length: 64 }, () => 3));
    const wide = await opened.load(packed(code, 2048), { scratchBytes: 0 });
    expect(() => queue.dispatch(wide, 'run', [x, y])).toThrow(/2048 threads in a block, at most 1024 are allowed/);
    for (const item of [wide, loaded, x, y, opened]) item.dispose();
  }, 60_000);

  it('refuse code that was not linked, and code for another architecture', async () => {
    const opened = await device();
    const { link: _, ...unlinked } = birenTable.compiler.program!;
    const object = await (
      await findCompiler({ ...birenTable.compiler, program: { ...unlinked, name: basename(program!), folders: [dirname(program!)] } })
    ).compile(KERNEL, 'br100');
    await expect(opened.load(packed(object), { scratchBytes: 0 })).rejects.toThrow(
      /sudrvModuleLoadFatBinary gave suErrorInvalidValue .*virtual Biren BR104.*no program for a virtual chip/,
    );
    const other = await (await compilerWith({})).compile(KERNEL, 'br110');
    await expect(opened.load(packed(other), { scratchBytes: 0 })).rejects.toThrow(/the program is for br110, the chip is br100/);
    opened.dispose();
  }, 60_000);

  it('say what they do not take', async () => {
    const compiler = await compilerWith({});
    await expect(compiler.compile('__global__ void k(unknown x) {}', 'br100')).rejects.toThrow(/unknown/);
    await expect(compiler.compile(KERNEL.replace('__global__', '__global_mega__'), 'br100')).rejects.toThrow(/tensor mode/);
    await expect((await compilerWith({ args: () => ['-c', '--supa-gpu-arch=br100'] })).compile(KERNEL, 'br100')).rejects.toThrow(/for the device alone/);
    await expect((await compilerWith({ args: () => ['-c', '--supa-device-only', '--offload-arch=br100'] })).compile(KERNEL, 'br100')).rejects.toThrow(
      /--offload-arch=br100: an option/,
    );
  }, 60_000);

  it('is missed by name', async () => {
    const { program: command } = birenTable.compiler;
    await expect(findCompiler({ ...birenTable.compiler, program: { ...command!, name: 'no-such-brcc', folders: [] } })).rejects.toMatchObject({
      code: 'device',
      message: expect.stringMatching(/brcc is not installed: there is no no-such-brcc/),
      hint: expect.stringMatching(/BIRENSUPA SDK/),
    });
  });
});
