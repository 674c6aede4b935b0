// Finding a C compiler: CC is followed where it is set and refused where it does not work, and what was found is remembered by its file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { tensorFrom } from '../../src/core/tensor.ts';
import { bindingsFor, compile, loadModel, loadPlan, onTrace, PlanSession, resolveTarget, savePlan } from '../../src/index.ts';
import { openModel } from '../../src/session/create.ts';
import { doubling } from '../session/models.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import { createCpuTarget } from '../../src/targets/cpu/target.ts';
import { chooseUnit } from '../../src/targets/cpu/facts.ts';
import { compileUnits, findToolchain } from '../../src/targets/cpu/toolchain.ts';
import type { Toolchain } from '../../src/targets/cpu/toolchain.ts';

const { ok: works } = await createCpuTarget().probe();
let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'anychip-toolchain-test-'))));
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});
const find = (tried: Toolchain[], accept: (t: Toolchain) => boolean = () => true): Promise<Toolchain> =>
  findToolchain(new CompileCache(folder), (toolchain) => {
    tried.push(toolchain);
    return accept(toolchain) ? Promise.resolve() : Promise.reject(new Error('it compiles wrongly'));
  });

describe('the vector unit', () => {
  it.runIf(process.arch === 'x64')('is the widest of the processor, or the one asked for', () => {
    expect(chooseUnit(['avx2', 'avx', 'sse2'], undefined)).toMatchObject({ unit: { title: 'AVX2', lanes: 8 }, isNative: true });
    expect(chooseUnit(['avx512f', 'avx2', 'avx'], 'AVX2')).toMatchObject({ unit: { lanes: 8, flags: ['-march=x86-64-v3'] }, isNative: false });
    expect(chooseUnit([], undefined)).toMatchObject({ unit: { title: 'SSE2', lanes: 4 } });
    expect(() => chooseUnit(['avx2'], 'AVX-512')).toThrow(/no such vectors/);
  });
});

describe('the toolchain', () => {
  it.each(['no-such-compiler', '/no/such/compiler -O2', '/', 'false'])('refuses CC="%s" and says what to do', async (command) => {
    vi.stubEnv('CC', command);
    const tried: Toolchain[] = [];
    await expect(find(tried)).rejects.toMatchObject({ code: 'device', hint: expect.stringMatching(/set CC/), message: expect.stringContaining(command.split(' ')[0]!) });
    expect(tried).toEqual([]);
    expect(await createCpuTarget(new CompileCache(folder)).probe()).toMatchObject({ ok: false, reason: expect.stringContaining(command.split(' ')[0]!) });
  });

  it.runIf(works)('follows CC with arguments, and remembers what it found', async () => {
    vi.stubEnv('CC', '  cc   -O0 ');
    const tried: Toolchain[] = [];
    const found = await find(tried);
    expect(found.command).toEqual(['cc', '-O0']);
    expect(found.version).not.toBe('');
    expect(tried).toHaveLength(1);
    expect(await find(tried)).toEqual(found);
    expect(tried).toHaveLength(1);
    // Another command is another toolchain.
    vi.stubEnv('CC', 'cc');
    await find(tried);
    expect(tried).toHaveLength(2);
  });

  it.runIf(works)('falls back to what the compiler takes for granted, and names the last problem where nothing helps', async () => {
    vi.stubEnv('CC', 'cc');
    const tried: Toolchain[] = [];
    const found = await find(tried, ({ flags, libraries }) => flags.length === 0 && libraries.includes('-lm'));
    expect(found).toMatchObject({ flags: [], libraries: ['-lm'] });
    expect(tried.length).toBeGreaterThan(2);
    rmSync(folder, { recursive: true, force: true });
    await expect(find([], () => false)).rejects.toMatchObject({ message: expect.stringContaining('it compiles wrongly') });
  });

  it.runIf(works)('is not needed for a plan that was compiled', async () => {
    const { graph } = loadModel(doubling('f32', [3]));
    const feeds = new Map([['x', tensorFrom('f32', [3], [1, 2, 3])]]);
    const plan = loadPlan(savePlan(await compile(graph, resolveTarget('cpu'), bindingsFor(graph, feeds))));
    vi.stubEnv('CC', '/no/such/compiler');
    await expect(openModel(loadModel(doubling('f32', [3])), { executionProviders: ['cpu'] })).rejects.toMatchObject({ code: 'device' });
    const session = await PlanSession.open(plan);
    expect((await session.runValues(feeds)).get('y')).toMatchObject({ data: Float32Array.of(2, 4, 6) });
    await session.release();
  });

  it.runIf(works)('says how many units of a program are compiled', async () => {
    const told: unknown[] = [];
    const stop = onTrace((event) => event.kind === 'progress' && told.push(event.facts), 2);
    const found = await find([]);
    await compileUnits(found, ['int a(void) { return 1; }', 'int b(void) { return 2; }', 'int c(void) { return 3; }']).finally(stop);
    expect(told).toEqual([0, 1, 2, 3].map((done) => ({ done, of: 3 })));
  });

  it.runIf(works)('works where nothing can be cached', async () => {
    const target = createCpuTarget(new CompileCache('/dev/null/cache'));
    expect(await target.probe()).toMatchObject({ ok: true });
  });
});
