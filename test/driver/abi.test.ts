// Rows of the driver table against headers: CUDA's where they are installed, and headers made here that differ.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { claimsOf, complaintsIn, probeText } from '../../src/driver/abi.ts';
import { abis } from '../../src/targets/abis.ts';

const check = (...args: readonly string[]): { readonly status: number | null; readonly stdout: string } =>
  spawnSync(process.execPath, ['--import', 'tsx', 'scripts/checkAbi.ts', ...args], { encoding: 'utf8' });

const hasCompiler = spawnSync('c++', ['--version']).status === 0;
const HEADERS = ['/usr/local/cuda/include', '/usr/include'].find((folder) => existsSync(join(folder, 'cuda.h')));

describe.skipIf(!hasCompiler || HEADERS === undefined)("CUDA's headers", () => {
  it('say what its row takes them to say', () => {
    const { status, stdout } = check('--headers', HEADERS!, '--target', 'cuda');
    expect(stdout).toMatch(/cuda: cuda\.h: (\d+) of \1 as expected/);
    expect(status).toBe(0);
  }, 60_000);
});

describe.skipIf(!hasCompiler)('headers that differ', () => {
  const folder = mkdtempSync(join(tmpdir(), 'anychip-headers-'));
  writeFileSync(
    join(folder, 'cuda.h'),
    `typedef enum { CUDA_ERROR_NO_DEVICE = 100, CUDA_ERROR_NOT_READY = 601 } CUresult;
typedef long long CUdevice;
extern "C" CUresult cuInit(unsigned flags);
extern "C" CUresult cuMemAlloc_v2(unsigned long long *address, unsigned bytes);
extern "C" const char *cuDriverGetVersion(int *version);
`,
  );

  it('are told apart claim by claim, with what they have instead', () => {
    const { status, stdout } = check('--headers', folder, '--target', 'cuda');
    expect(status).toBe(1);
    const lines = stdout.split('\n');
    expect(lines.filter((line) => /cuInit|NO_DEVICE/.test(line))).toEqual([]);
    expect(lines).toContain('  CUDA_ERROR_NOT_READY = 600: the headers have 601');
    expect(lines).toContain('  sizeof(CUdevice) = 4: the headers have 8');
    expect(lines.find((line) => line.includes('cuMemAlloc_v2(pointer, size)'))).toMatch(/the headers have CUresult \(\*\)\(long long unsigned int\*, unsigned int\)/);
    expect(lines.find((line) => line.includes('cuDriverGetVersion'))).toMatch(/the headers have const char\* \(\*\)\(int\*\)/);
    expect(lines).toContain('  cuMemFree_v2(pointer): the headers have no such thing');
    expect(lines).toContainEqual(expect.stringMatching(/nvrtc\.h: left out, nvrtc\.h: No such file/));
  }, 60_000);

  it('are refused by name where the target has none', () => {
    expect(check('--headers', folder, '--target', 'none').status).not.toBe(0);
  }, 60_000);
});

describe.skipIf(!hasCompiler)('claims', () => {
  it('stand on the lines they are said to', () => {
    const { table, parts } = abis['cuda']!;
    const claims = claimsOf(parts[0]!, table);
    const { text, firstLine } = probeText({ ...parts[0]!, headers: [] }, claims, 'holds');
    let stderr = '';
    try {
      execFileSync('c++', ['-std=c++17', '-fsyntax-only', '-fmax-errors=0', '-x', 'c++', '-'], { input: text, stdio: ['pipe', 'ignore', 'pipe'] });
    } catch (error) {
      stderr = String(error instanceof Error && 'stderr' in error ? error.stderr : '');
    }
    expect(complaintsIn(stderr, claims, firstLine).size).toBe(claims.length);
  }, 60_000);
});
