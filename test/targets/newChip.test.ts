// docs/new-chip.md is held to its word: its code, exactly as written, becomes a chip in a copy of the sources, its types are checked, and
// models run on it against the vendor's library, which is C of its own. The same code is registered from outside, too.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerTarget } from '../../src/target.ts';
import { createCpuTarget } from '../../src/targets/cpu/target.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const suite = '/usr/share/libonnx-testdata/data';
/** Elements, halves, rows that a block shares, products, windows, indices, order. */
const cases = [
  'add_bcast',
  'cast_FLOAT_to_FLOAT16',
  'softmax_axis_1',
  'reduce_sum_square_keepdims_random',
  'matmul_3d',
  'conv_with_strides_padding',
  'maxpool_2d_strides',
  'gather_elements_1',
  'scatternd_add',
  'cumsum_2d_axis_1',
  'top_k',
].map((name) => `test_${name}`);
const LIST = 'src/targets/targets.ts';
const OUTSIDE = 'acme.ts';

/** The blocks of a page that name a file, by that name. */
const blocksOf = (page: string): ReadonlyMap<string, string> =>
  new Map([...readFileSync(join(root, page), 'utf8').matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)].map((match) => [match[1]!, match[2]!]));
const blocks = blocksOf('docs/new-chip.md');
const chip = [...blocks].filter(([name]) => name !== LIST && name !== OUTSIDE);

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** The import goes to the others, the entry to the head of the list. */
function enlist(list: string): string {
  const [line = '', entry = ''] = blocks.get(LIST)!.split('\n');
  return list.replace(/^import \{ createCpuTarget/m, `${line}\n$&`).replace(/^\s*createCpuTarget\(\),$/m, `    ${entry}\n$&`);
}

const hasCompiler = ((): boolean => {
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe('the page', () => {
  it('fits on one, and in Chinese has the same code', () => {
    const lines = chip.reduce((sum, [, code]) => sum + code.trimEnd().split('\n').length, 0);
    expect(chip.map(([name]) => name)).toEqual(['driver', 'language', 'target'].map((name) => `src/targets/acme/${name}.ts`));
    expect(lines).toBeLessThanOrEqual(120);
    expect([...blocksOf('docs/new-chip.zh-CN.md')]).toEqual([...blocks]);
  });
});

it('takes no name that is taken', () => {
  const cpu = createCpuTarget();
  for (const name of [cpu.name, 'auto', 'reference']) expect(() => registerTarget({ ...cpu, name })).toThrow(expect.objectContaining({ code: 'bad-argument' }));
});

describe.skipIf(!hasCompiler)('the chip of the page', { timeout: 300_000 }, () => {
  let folder = '';
  let env: NodeJS.ProcessEnv = {};
  const node = (...args: string[]): string =>
    execFileSync(process.execPath, ['--import', 'tsx', ...args], { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const anychip = (...args: string[]): unknown => JSON.parse(node('src/cli/main.ts', ...args, '--json'));
  const digits = join(root, 'examples/models/digits.onnx');

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'anychip-chip-'));
    cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true });
    for (const name of ['package.json', 'tsconfig.json', '.oxlintrc.json']) cpSync(join(root, name), join(folder, name));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    const vendor = join(root, 'test/targets/acme');
    cpSync(vendor, join(folder, 'sdk'), { recursive: true });
    execFileSync('cc', ['-shared', '-fPIC', '-O1', '-o', join(folder, 'sdk/libacme.so'), join(vendor, 'driver.c')]);
    env = { ...process.env, LD_LIBRARY_PATH: join(folder, 'sdk'), PATH: `${join(folder, 'sdk')}:${process.env['PATH']}`, ANYCHIP_CACHE: join(folder, 'cache') };
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  describe('in the tree', () => {
    beforeAll(() => {
      for (const [name, code] of chip) write(join(folder, name), code);
      write(join(folder, LIST), enlist(readFileSync(join(root, LIST), 'utf8')));
    });
    afterAll(() => {
      rmSync(join(folder, 'src/targets/acme'), { recursive: true });
      cpSync(join(root, LIST), join(folder, LIST));
    });

    it('has the right types, and keeps the habits of the house', () => {
      const run = (tool: string, ...args: string[]): string => execFileSync(join(root, 'node_modules/.bin', tool), args, { cwd: folder, encoding: 'utf8' });
      expect(run('tsc', '-p', 'tsconfig.json', '--noEmit')).toBe('');
      expect(run('oxlint', 'src/targets')).toMatch(/0 errors/);
    });

    it('reads digits as the reference does', () => {
      const report = anychip('run', digits, '--device', 'reference,acme', '--require-all', '--strict');
      expect(report).toMatchObject({ agree: true, devices: [{ device: 'reference' }, { device: 'acme', status: 'ran', agrees: true, placement: { host: 0 } }] });
    });

    it.skipIf(!existsSync(suite))(
      'passes cases of every kind of kernel',
      () => {
        for (const name of cases) cpSync(join(suite, 'node', name), join(folder, 'suite', name), { recursive: true });
        expect(anychip('conformance', join(folder, 'suite'), '--device', 'acme')).toMatchObject({ passed: cases.length, failed: 0 });
      },
      120_000,
    );

    it('says what is missing where it is not installed', () => {
      const without = { ...env, LD_LIBRARY_PATH: '' };
      const list: unknown = JSON.parse(
        execFileSync(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'devices', '--json'], { cwd: folder, env: without, encoding: 'utf8' }),
      );
      expect(JSON.stringify(list)).toMatch(/the driver of Acme is not installed: there is no libacme\.so/);
    });
  });

  describe('from outside', () => {
    const own = (): string => join(folder, 'own');
    beforeAll(() => {
      // A package as it would be installed, from the sources.
      const installed = join(own(), 'node_modules/anychip');
      write(join(installed, 'package.json'), JSON.stringify({ name: 'anychip', type: 'module', exports: { './target': './src/target.ts' } }));
      symlinkSync(join(folder, 'src'), join(installed, 'src'));
      write(join(own(), 'package.json'), JSON.stringify({ type: 'module' }));
      for (const [name, code] of chip) write(join(own(), name.replace(/.*\//, '')), code.replaceAll(/'\.\.\/\.\.\/[^']*'/g, "'anychip/target'"));
      write(join(own(), OUTSIDE), blocks.get(OUTSIDE)!);
    });

    it('is taken up by the command line', () => {
      const report: unknown = JSON.parse(node('--import', join(own(), OUTSIDE), 'src/cli/main.ts', 'run', digits, '--device', 'reference,acme', '--json'));
      expect(report).toMatchObject({ agree: true, devices: [{ device: 'reference' }, { device: 'acme', status: 'ran' }] });
    });
  });
});
