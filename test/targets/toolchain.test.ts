// Finding a C compiler: CC is followed where it is set and refused where it does not work, and what was found is remembered by its file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import { createCpuTarget } from '../../src/targets/cpu/target.ts';
import { chooseUnit } from '../../src/targets/cpu/facts.ts';
import { findToolchain } from '../../src/targets/cpu/toolchain.ts';
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

  it.runIf(works)('works where nothing can be cached', async () => {
    const target = createCpuTarget(new CompileCache('/dev/null/cache'));
    expect(await target.probe()).toMatchObject({ ok: true });
  });
});
