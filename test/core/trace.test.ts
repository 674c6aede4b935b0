// ANYCHIP_DEBUG: what is printed at each level, that nothing is without it, and that it turns the verifiers on.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const script = `
  import { trace, onTrace } from ${JSON.stringify(new URL('../../src/core/trace.ts', import.meta.url).href)};
  import { verifyIfDebugging } from ${JSON.stringify(new URL('../../src/core/verified.ts', import.meta.url).href)};
  let built = 0;
  for (const level of [1, 2, 3, 4, 5]) trace(level, () => (built++, { kind: 'pass', message: 'level ' + level }));
  const heard = [];
  const stop = onTrace((event) => heard.push(event.level), 2);
  for (const level of [1, 2, 3]) trace(level, () => ({ kind: 'pass', message: 'again' }));
  stop();
  trace(1, () => ({ kind: 'pass', message: 'after' }));
  let verified = 0;
  try { verifyIfDebugging('wrong', () => (verified++, ['a problem'])); } catch (error) { verified = error.code; }
  console.log(JSON.stringify({ built, heard, verified }));
`;

function run(level: string | undefined): { readonly printed: number; readonly result: unknown } {
  const { ANYCHIP_DEBUG: _, ...env } = process.env;
  const done = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: level === undefined ? env : { ...env, ANYCHIP_DEBUG: level },
    encoding: 'utf8',
  });
  return { printed: done.stderr.split('\n').filter((line) => line.startsWith('[anychip pass] level')).length, result: JSON.parse(done.stdout) };
}

describe('ANYCHIP_DEBUG', () => {
  it.each([
    [undefined, 0, 0],
    ['0', 0, 0],
    ['nonsense', 0, 0],
    ['1', 1, 'internal'],
    ['3', 3, 'internal'],
    ['5', 5, 'internal'],
  ] as const)('of %s', (level, printed, verified) => {
    expect(run(level)).toEqual({ printed, result: { built: printed, heard: [1, 2], verified } });
  });
});
