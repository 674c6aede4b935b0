// Compilers that are programs: told from others of their name by what lies beside them, one call a unit, and a second by another program.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LaunchedCompiler, findCompiler, findProgram } from '../../src/driver/compiler.ts';
import type { CompilerProgram } from '../../src/driver/table.ts';
import { CompileCache } from '../../src/runtime/compileCache.ts';
import { unpackProgram } from '../../src/runtime/launchPlan.ts';
import { kunlunTable } from '../../src/targets/kunlun/driver.ts';

const root = mkdtempSync(join(tmpdir(), 'anychip-toolchain-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const [wrong, right, log] = [join(root, 'wrong'), join(root, 'right'), join(root, 'log')];
const script = (path: string, body: string): void => {
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
};
for (const folder of [wrong, right]) mkdirSync(folder);
script(join(wrong, 'acc'), 'exit 1');
script(join(right, 'acc'), `echo "acc $*" >> ${log}; grep -q broken unit.acc && { echo "unit.acc:1: broken" >&2; exit 1; }; { echo object; cat unit.acc; } > out`);
script(join(right, 'acc-convert'), `echo "acc-convert $*" >> ${log}; { echo linked; cat "$1"; } > "$2"`);
writeFileSync(join(right, 'rules.t'), '');

const program: CompilerProgram = {
  name: 'acc',
  folders: [wrong, right],
  beside: 'rules.t',
  args: (architecture) => [`-march=${architecture}`],
  input: 'unit.acc',
  link: (architecture, folder) => ({ args: ['out', 'linked', architecture, folder], linker: { name: 'acc-convert', folders: [folder] } }),
};
const table = { title: 'acc', install: 'Install acc.', program };
const compile = (units: readonly string[]) =>
  new LaunchedCompiler(new CompileCache(join(root, 'cache')), table, async () => Promise.resolve({ architecture: 'a1' })).compile({
    language: 'acc',
    units,
    launches: { kernels: units.map((_, i) => ({ symbol: `k${i}`, blocks: 1, threads: 1 })), init: [], run: [] },
  });

describe('a compiler that is a program', () => {
  it('is the one with its own files beside it', async () => {
    expect(findProgram(program)).toBe(join(right, 'acc'));
    expect(findProgram({ name: 'acc', folders: [wrong, right] })).toBe(join(wrong, 'acc'));
    await expect(findCompiler({ ...table, program: { ...program, beside: 'other.t' } })).rejects.toMatchObject({
      message: expect.stringMatching(/there is no acc/),
      hint: 'Install acc.',
    });
  });

  it('makes a piece of code of each unit, each kept by itself', async () => {
    const first = await compile(['one', 'two', 'three']);
    expect(first.cached).toBe(false);
    const { pieces, plan } = unpackProgram(first.binary.bytes);
    expect(pieces.map((piece) => new TextDecoder().decode(piece))).toEqual(['one', 'two', 'three'].map((text) => `linked\nobject\n${text}`));
    expect(plan.kernels.map(({ symbol }) => symbol)).toEqual(['k0', 'k1', 'k2']);
    const calls = readFileSync(log, 'utf8').trim().split('\n');
    expect(calls.filter((call) => call === 'acc -march=a1 -o out unit.acc')).toHaveLength(3);
    expect(calls.filter((call) => call === `acc-convert out linked a1 ${right}`)).toHaveLength(3);
    expect((await compile(['three', 'one'])).cached).toBe(true);
    expect((await compile(['three', 'four'])).cached).toBe(false);
    expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(8);
  });

  it('is quoted when it fails', async () => {
    await expect(compile(['one', 'broken'])).rejects.toMatchObject({ code: 'device', message: expect.stringMatching(/^acc failed: unit.acc:1: broken/) });
  });

  it("of Kunlunxin's chips is told from other clangs", () => {
    const { link, args, beside } = kunlunTable.compiler.program;
    expect(beside).toBe('xpu-kernel.t');
    expect(args('xpu3', '', '/xtdk/bin')).toEqual(expect.arrayContaining(['--xpu-arch=xpu3', '-I/xtdk/include']));
    expect(link('xpu3', '/xtdk/bin')).toEqual({ args: ['out', 'linked', '/xtdk/bin'], linker: { name: 'xpu3-elfconv-triton', folders: ['/xtdk/bin'] } });
  });
});
