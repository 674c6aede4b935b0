// A process whose own code uses koffi: what koffi is told before any library is loaded cannot be told any more.
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { doubling } from './models.ts';

const program = (libraries: string): string => `
  import koffi from 'koffi';
  ${libraries}
  const { InferenceSession, Tensor } = await import('./src/index.ts');
  const session = await InferenceSession.create(Buffer.from(process.argv[1], 'base64'), { executionProviders: ['cpu'], intraOpNumThreads: 2 });
  for (let i = 0; i < 3; i++) console.log([...(await session.run({ x: new Tensor('float32', [1, -3], [2]) })).y.data].join());
  await session.release();
`;

it.each([
  ['has loaded a library', 'koffi.load(null);'],
  ['has loaded none', ''],
])('runs on cpu beside code that %s', (_, libraries) => {
  const args = ['--import', 'tsx', '--input-type=module', '-e', program(libraries), '--', Buffer.from(doubling()).toString('base64')];
  expect(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim().split('\n')).toEqual(['2,-6', '2,-6', '2,-6']);
});
