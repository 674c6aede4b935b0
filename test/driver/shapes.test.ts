// Drivers of other shapes than CUDA's, in C over host memory: no contexts, events or graphs, the kind of a copy in its arguments, answers
// anywhere among the arguments, packed arguments or ones handed in one by one. The same binding takes them all; only the row differs.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fn, size, text, u32 } from '../../src/driver/table.ts';
import type { DriverTable } from '../../src/driver/table.ts';
import { createDriverTarget } from '../../src/driver/target.ts';
import { words } from '../../src/driver/words.ts';
import { createCudaLanguage } from '../../src/render/cuda/language.ts';
import { packProgram } from '../../src/runtime/launchPlan.ts';

const SOURCE = `
#include <stdlib.h>
#include <string.h>
static int device = -1, blocks, threads; static char given[64];
int oInit(void *config) { return config != 0; }
int oCount(unsigned *n) { *n = 3; return 0; }
int oUse(int d) { device = d; return 0; }
int oInfo(int kind, size_t *f, size_t *t) { *f = 10; *t = 20; return kind != 1; }
int oAlloc(void **p, size_t n, int policy) { if (device != 1 || policy != 7) return 5; if (n > 4096) return 42; *p = aligned_alloc(64, (n + 63) / 64 * 64); return 0; }
int oFree(void *p) { free(p); return 0; }
int oCopy(void *to, size_t most, const void *from, size_t n, int kind, void *stream) { if (most != n || kind < 1 || kind > 3 || !stream) return 6; memcpy(to, from, n); return 0; }
int oLoad(const char *image, size_t n, void **m) { if (n != 4 || memcmp(image, "code", 4)) return 7; *m = &device; return 0; }
int oUnload(void *m) { return 0; }
int oKernel(void *m, const char *name, void **k) { *k = &blocks; return strcmp(name, "add_one") ? 8 : 0; }
static int run(float *from, float *to, int n) { for (int i = 0; i < n; i++) to[i] = from[i] + 1; return 0; }
int oLaunchPacked(void *k, unsigned n, const void *args, size_t bytes, void *stream) { float *p[2]; if (bytes != 16 || !stream) return 9; memcpy(p, args, 16); return run(p[0], p[1], n * 4); }
int oSet(const void *value, size_t n, size_t offset) { memcpy(given + offset, value, n); return 0; }
int oConfigure(int b, int t, void *stream) { blocks = b; threads = t; return stream == 0; }
int oLaunchSet(void *k) { float *p[2]; memcpy(p, given, 16); return run(p[0], p[1], blocks * threads); }
struct record { int kind; const char *code; int size; unsigned long long hash; const char *name; };
int oLaunchRecord(const struct record *k) { return k->kind || k->size != 4 || memcmp(k->code, "code", 4) || !k->hash ? -7 : strcmp(k->name, "add_one") ? -8 : oLaunchSet(0); }
static int waited; int oWaited(void *s) { waited = 1; return 0; }
int oCopyNow(void *to, const void *from, size_t n) { int early = !waited; waited = 0; memcpy(to, from, n); return early ? -6 : 0; }
int oModel(int *out, int attribute, int device) { *out = attribute == 4 ? 250 + device : -1; return 0; }
int oStream(void **s) { *s = malloc(1); return 0; }
int oDestroy(void *s) { free(s); return 0; }
int oWait(void *s) { return 0; }
const char *oName(int status) { return status == 8 ? "O_NO_KERNEL" : 0; }
`;

function build(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'anychip-shapes-'));
  writeFileSync(join(folder, 'other.c'), SOURCE);
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-w', '-o', join(folder, 'libother.so'), join(folder, 'other.c')]);
    return join(folder, 'libother.so');
  } catch {
    return undefined;
  }
}
const path = build();

const copy = (kind: number) => fn('oCopy', 'to', 'bytes', 'from', 'bytes', u32(kind), 'stream');
const packed: DriverTable = {
  title: 'Other',
  vendor: 'nobody',
  libraries: { other: [path ?? ''] },
  install: 'Nothing to install.',
  pciVendors: [],
  calls: {
    init: fn<never>('oInit', size(0)),
    countDevices: fn('oCount', 'out'),
    useDevice: fn('oUse', 'device'),
    memoryInfo: fn('oInfo', u32(1), 'free', 'total'),
    allocate: fn('oAlloc', 'out', 'bytes', u32(7)),
    free: fn('oFree', 'address'),
    copyIn: copy(1),
    copyOut: copy(2),
    copy: copy(3),
    loadModule: fn('oLoad', 'image', 'bytes', 'out'),
    unloadModule: fn('oUnload', 'module'),
    findKernel: fn('oKernel', 'module', 'name', 'out'),
    launch: fn('oLaunchPacked', 'kernel', 'blocks', 'args', 'argBytes', 'stream'),
    createStream: fn('oStream', 'out'),
    destroyStream: fn('oDestroy', 'stream'),
    waitForStream: fn('oWait', 'stream'),
    errorName: text('oName', 'status'),
  },
  launchArguments: 'packed',
  attributes: {},
  architecture: { always: 'o1' },
  noDevice: [1],
  errors: { 42: { name: 'O_NO_MEMORY', ...words.outOfMemory } },
  compiler: { title: 'the compiler of Other', install: 'Compile the model elsewhere.' },
};
const separate: DriverTable = {
  ...packed,
  launchArguments: 'separate',
  calls: { ...packed.calls, setArgument: fn('oSet', 'value', 'bytes', 'offset'), configure: fn('oConfigure', 'blocks', 'threads', 'stream'), launch: fn('oLaunchSet', 'kernel') },
};
const { loadModule: _, unloadModule: __, findKernel: ___, memoryInfo: ____, ...withoutModules } = separate.calls;
const copyNow = fn('oCopyNow', 'to', 'from', 'bytes');
/** Kernels are records, copies take no stream, statuses are negative, and the device says its model. */
const records: DriverTable = {
  ...separate,
  calls: {
    ...withoutModules,
    copyIn: copyNow,
    copyOut: copyNow,
    copy: copyNow,
    deviceAttribute: fn('oModel', 'out', 'attribute', 'device'),
    launch: fn('oLaunchRecord', 'kernel'),
    waitForStream: fn('oWaited', 'stream'),
  },
  record: { bytes: 40, codeAt: 8, codeBytesAt: 16, hashAt: 24, nameAt: 32 },
  architecture: { attribute: 4, models: { 0: { name: 'O0', architecture: 'o0' }, 2: { name: 'O1', architecture: 'o1' }, 300: { name: 'O3', architecture: 'o3' } } },
  signless: true,
};
const targetOf = (table: DriverTable) =>
  createDriverTarget({
    name: 'other',
    evidence: 'E0',
    rank: 0,
    table,
    language: createCudaLanguage({ name: 'other-c' }),
    least: { attributes: { maxThreads: 256, sharedBytes: 1 << 14, subgroupThreads: 1, units: 8, major: 0, minor: 0 }, memoryBytes: 1 << 20, matrixUnitsOf: () => [] },
    architecture: 'o1',
  });

describe.skipIf(path === undefined)('a driver', () => {
  const call = { kernel: 0, args: [0, 1].map((base) => ({ base, offsetBytes: 8 * base })) };
  const binary = (symbol: string, code = 'code') => ({
    format: 'kernels-o1',
    bytes: packProgram({ kernels: [{ symbol, blocks: 2, threads: 4 }], init: [], run: [call, call] }, new TextEncoder().encode(code)),
  });

  it.each([
    ['that is given packed arguments', packed],
    ['that is given one argument after the other', separate],
    ['that is given records of kernels', records],
  ])('%s', async (_, table) => {
    const device = await targetOf(table).at!(1).openDevice();
    const queue = device.createQueue();
    const [a, b, c] = [device.allocate(64), device.allocate(64), device.allocate(64)];
    const program = await device.load(binary('add_one'), { scratchBytes: 0 });
    const input = new Float32Array(16).map((_, i) => i);
    const output = new Float32Array(8);
    for (let i = 0; i < 3; i++) {
      queue.write(a, 0, new Uint8Array(input.buffer));
      queue.dispatch(program, 'run', [a, b]);
      queue.copy(b, 8, c, 0, 32);
      queue.read(c, 0, new Uint8Array(output.buffer));
      await queue.finish();
      expect([...output]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    }
    expect(queue.profile).toBeUndefined();
    for (const item of [program, a, b, c, device]) item.dispose();
  });

  it('answers errors that are known in words, and by its own name those that are not', async () => {
    const device = await targetOf(packed).at!(1).openDevice();
    expect(() => device.allocate(10_000)).toThrow(
      expect.objectContaining({ code: 'limit', message: expect.stringMatching(/out of memory: oAlloc gave O_NO_MEMORY, for 10000 bytes with 10 of 20 free/) }),
    );
    await expect(device.load(binary('none'), { scratchBytes: 0 })).rejects.toMatchObject({ code: 'device', message: expect.stringMatching(/oKernel gave O_NO_KERNEL/) });
    await expect(device.load(binary('add_one', 'other'), { scratchBytes: 0 })).rejects.toMatchObject({ message: expect.stringMatching(/oLoad gave error 7/) });
    device.dispose();
  });

  it('answers a negative status in words, and tells no free memory where it cannot', async () => {
    const device = await targetOf(records).at!(1).openDevice();
    expect(() => device.allocate(10_000)).toThrow(/out of memory: oAlloc gave O_NO_MEMORY, for 10000 bytes$/);
    const queue = device.createQueue();
    const [a, b] = [device.allocate(64), device.allocate(64)];
    const program = await device.load(binary('none'), { scratchBytes: 0 });
    expect(() => queue.dispatch(program, 'run', [a, b])).toThrow(/oLaunchRecord gave O_NO_KERNEL/);
    for (const item of [program, a, b, device]) item.dispose();
    await expect(targetOf({ ...records, architecture: { attribute: 4, models: { 300: { name: 'O3', architecture: 'o3' } } } }).openDevice()).rejects.toThrow(
      /of a model that is not known \(250\)/,
    );
  });

  it('that is given records wants a piece of code for each', async () => {
    const device = await targetOf(records).at!(1).openDevice();
    const plan = { kernels: [{ symbol: 'add_one', blocks: 2, threads: 4 }], init: [], run: [call] };
    await expect(device.load({ format: 'kernels-o1', bytes: packProgram(plan) }, { scratchBytes: 0 })).rejects.toMatchObject({ code: 'bad-file' });
    device.dispose();
  });

  it('without a compiler says where to compile', async () => {
    expect(await targetOf(packed).probe()).toMatchObject({ ok: false, needs: 'software', hint: 'Compile the model elsewhere.' });
  });
});
