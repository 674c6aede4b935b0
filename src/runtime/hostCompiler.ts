// The C++ compiler of this machine: what builds virtual chips and compiles their kernels. It must not know what for.
import { statSync } from 'node:fs';
import { arch } from 'node:process';
import { AnychipError } from '../core/error.ts';
import { execute, firstLines, locate } from './hostCommand.ts';

/** A command that compiles C++ for this processor: a program and the arguments that come first. */
export interface HostCompiler {
  readonly command: readonly string[];
  /** Everything that decides what it makes, besides arguments and source. */
  readonly identity: string;
  /** First line of what it says of itself. */
  readonly version: string;
}

const CANDIDATES = ['c++', 'g++', 'clang++'];
const MACHINE_FLAGS = arch === 'arm64' ? ['-mcpu=native'] : ['-march=native'];

let found: Promise<HostCompiler> | undefined;

/** The first that starts: CXX alone if it is set, else the usual names. Rejects with a 'device' error where there is none. */
export const findHostCompiler = (): Promise<HostCompiler> => (found ??= search());

async function search(): Promise<HostCompiler> {
  const own = process.env['CXX']?.trim();
  const problems: string[] = [];
  for (const command of own !== undefined && own !== '' ? [own.split(/\s+/)] : CANDIDATES.map((name) => [name])) {
    const path = locate(command[0]!);
    const said = path === undefined ? { ok: false, output: 'not installed' } : await execute(command, ['--version']);
    if (path === undefined || !said.ok) {
      problems.push(`${command.join(' ')}: ${said.output.split('\n')[0]}`);
      continue;
    }
    const { size, mtimeMs } = statSync(path);
    const version = said.output.split('\n')[0] ?? '';
    const native = await execute([...command, ...MACHINE_FLAGS], ['-E', '-x', 'c++', '/dev/null']);
    return { command: [...command, ...(native.ok ? MACHINE_FLAGS : [])], version, identity: [path, size, mtimeMs, ...command, native.ok].join(' ') };
  }
  throw new AnychipError('device', `no C++ compiler works here: ${problems.join('; ')}`, {
    hint: 'Install g++ or clang (on Debian: apt-get install g++), or set CXX.',
    facts: { problems },
  });
}

/** Runs the compiler. Rejects with a 'device' error that quotes it. */
export async function runHostCompiler(compiler: HostCompiler, args: readonly string[]): Promise<void> {
  const { ok, output } = await execute(compiler.command, args);
  if (ok) return;
  throw new AnychipError('device', `${compiler.command.join(' ')} failed: ${firstLines(output)}`, {
    hint: 'Set CXX to another C++ compiler.',
    facts: { command: [...compiler.command, ...args].join(' '), output },
  });
}
