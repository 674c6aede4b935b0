// The C compiler of this machine: finding one that works, and running it. What was found is remembered in the cache, by the file it is.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AnychipError } from '../../core/error.ts';
import { isRecord } from '../../core/pack.ts';
import { trace } from '../../core/trace.ts';
import type { CompileCache } from '../../runtime/compileCache.ts';
import { contentKey } from '../../runtime/compileCache.ts';
import { execute, firstLines, locate } from '../../runtime/hostCommand.ts';
import { cpuFacts } from './facts.ts';

/** A command that compiles C: a program and the arguments that come first, as in `zig cc`. */
export interface Toolchain {
  readonly command: readonly string[];
  /** First line of what it says of itself. */
  readonly version: string;
  readonly flags: readonly string[];
  /** What ends the linking of a shared library. */
  readonly libraries: readonly string[];
}

/**
 * Integers wrap, memory is reused under other types, and floating point keeps NaN, infinities, signed zeros and each rounding: products
 * and sums are fused only where the kernel says so.
 */
const BASE_FLAGS = ['-O2', '-ftree-slp-vectorize', '-fPIC', '-fwrapv', '-fno-strict-aliasing', '-fno-math-errno', '-fno-trapping-math', '-ffp-contract=off', '-w'];
/**
 * Tried in order. GCC looks for what an access may meet through all stores before it: kernels are long lists of them, and a third of the time
 * passes that way. Looking at the last few gives the same code.
 */
const SHORTCUTS: readonly (readonly string[])[] = [['--param=sccvn-max-alias-queries-per-access=50'], []];
const LINK_FLAGS = ['-shared', '-fPIC'];
/**
 * Tried in order. This process has the libraries of C already, and reading them again takes longer than all other linking; binding at
 * once shows when loading whether anything is missing.
 */
const LIBRARIES: readonly (readonly string[])[] = [['-nostdlib', '-Wl,-z,now', '-lgcc'], ['-lm']];
const CANDIDATES = ['cc', 'gcc', 'clang'];

type Command = Pick<Toolchain, 'command' | 'flags' | 'libraries'>;
/** Runs the compiler in a folder of its own. Rejects with a 'device' error that quotes it. */
type Run = (args: readonly string[]) => Promise<void>;

async function inFolder(toolchain: Command, make: (folder: string, run: Run) => Promise<string>): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), 'anychip-'));
  const run: Run = async (args) => {
    const { ok, output } = await execute(toolchain.command, args, folder);
    if (ok) return;
    throw new AnychipError('device', `${toolchain.command.join(' ')} failed: ${firstLines(output)}`, {
      hint: 'Set CC to another C compiler, or use the wasm device.',
      facts: { command: [...toolchain.command, ...args].join(' '), output },
    });
  };
  try {
    return readFileSync(join(folder, await make(folder, run)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeUnit(toolchain: Command, folder: string, unit: string, name: string): { readonly object: string; readonly args: readonly string[] } {
  writeFileSync(join(folder, `${name}.c`), unit);
  return { object: `${name}.o`, args: ['-c', ...BASE_FLAGS, ...toolchain.flags, '-o', `${name}.o`, `${name}.c`] };
}

/** Compiles one C unit into an object file. Rejects with a 'device' error that quotes the compiler. */
export const compileObject = (toolchain: Command, unit: string): Promise<Uint8Array> =>
  inFolder(toolchain, async (folder, run) => {
    const { object, args } = writeUnit(toolchain, folder, unit, 'unit');
    await run(args);
    return object;
  });

/** Compiles C units, side by side, into one shared library, with `objects` of `compileObject`, which may be on their way; `files` lie beside the units. Rejects with a 'device' error that quotes the compiler. */
export const compileUnits = (
  toolchain: Command,
  units: readonly string[],
  objects: readonly (Uint8Array | Promise<Uint8Array>)[] = [],
  files: readonly { readonly name: string; readonly content: Uint8Array }[] = [],
): Promise<Uint8Array> =>
  inFolder(toolchain, async (folder, run) => {
    for (const { name, content } of files) writeFileSync(join(folder, name), content);
    const made = units.map((unit, i) => writeUnit(toolchain, folder, unit, `unit${i}`));
    const waiting = made.map(({ args }) => args);
    let done = 0;
    const tell = (): void => trace(2, () => ({ kind: 'progress', message: `compiled ${done} of ${made.length} units`, facts: { done, of: made.length } }));
    tell();
    const worker = async (): Promise<void> => {
      for (let args = waiting.shift(); args !== undefined; args = waiting.shift()) {
        await run(args);
        done++;
        tell();
      }
    };
    const writing = objects.map(async (bytes, i) => writeFileSync(join(folder, `object${i}.o`), await bytes));
    await Promise.all([...Array.from({ length: Math.min(waiting.length, cpuFacts().cores) }, worker), ...writing]);
    await run([...LINK_FLAGS, '-o', 'out.so', ...made.map(({ object }) => object), ...objects.map((_, i) => `object${i}.o`), ...toolchain.libraries]);
    return 'out.so';
  });

/** Compiles and checks a tiny program. Rejects with an error that says what went wrong. */
export type TryOut = (toolchain: Toolchain) => Promise<void>;

const TRIAL_ERRORS_SHOWN = 3;

/** The commands to try: CC alone if it is set, else the usual names. */
function candidates(): string[][] {
  const own = process.env['CC']?.trim();
  return own !== undefined && own !== '' ? [own.split(/\s+/)] : CANDIDATES.map((name) => [name]);
}

/** The first compiler that works. Rejects with a 'device' error that says why none does. */
export async function findToolchain(cache: CompileCache, tryOut: TryOut): Promise<Toolchain> {
  const problems: string[] = [];
  for (const command of candidates()) {
    const path = locate(command[0]!);
    if (path === undefined) {
      problems.push(`${command[0]} is not installed`);
      continue;
    }
    const key = toolchainKey(path, command);
    const remembered = parseToolchain(cache.get(key), command);
    if (remembered !== undefined) return remembered;
    const found = await tryFlags(command, tryOut, problems);
    if (found === undefined) continue;
    cache.put(key, new TextEncoder().encode(JSON.stringify({ version: found.version, flags: found.flags, libraries: found.libraries })));
    return found;
  }
  throw new AnychipError('device', `no C compiler works here: ${problems.slice(0, TRIAL_ERRORS_SHOWN).join('; ')}`, {
    hint: 'Install gcc or clang (on Debian: apt-get install gcc libc6-dev), or set CC; the wasm device needs none.',
    facts: { problems },
  });
}

function toolchainKey(path: string, command: readonly string[]): string {
  const { size, mtimeMs } = statSync(path);
  return contentKey(['toolchain 3', path, ...command, String(size), String(mtimeMs), cpuFacts().fingerprint, BASE_FLAGS.join(' '), SHORTCUTS.join(' '), LIBRARIES.join(' ')]);
}

async function tryFlags(command: readonly string[], tryOut: TryOut, problems: string[]): Promise<Toolchain | undefined> {
  const version = await execute(command, ['--version']);
  let problem = `${command.join(' ')} does not start: ${firstLines(version.output)}`;
  const flagged = cpuFacts().machineFlags.flatMap((flags) => SHORTCUTS.map((shortcut) => [...flags, ...shortcut]));
  const choices = version.ok ? flagged.flatMap((flags) => LIBRARIES.map((libraries) => ({ flags, libraries }))) : [];
  for (const choice of choices) {
    const toolchain = { command, version: version.output.split('\n')[0] ?? '', ...choice };
    try {
      await tryOut(toolchain);
      return toolchain;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
  }
  problems.push(problem);
  return undefined;
}

/** What the cache remembers, if it is what was written there. */
function parseToolchain(bytes: Uint8Array | undefined, command: readonly string[]): Toolchain | undefined {
  if (bytes === undefined) return undefined;
  const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
  if (!isRecord(value)) return undefined;
  const { version, flags, libraries } = value;
  return typeof version === 'string' && isTexts(flags) && isTexts(libraries) ? { command, version, flags, libraries } : undefined;
}

const isTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every((item) => typeof item === 'string');

/** Everything besides the source that decides what the compiler makes. */
export const toolchainIdentity = (toolchain: Toolchain): string[] => [
  ...toolchain.command,
  toolchain.version,
  ...BASE_FLAGS,
  ...toolchain.flags,
  ...LINK_FLAGS,
  ...toolchain.libraries,
  cpuFacts().fingerprint,
];
