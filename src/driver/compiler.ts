// Kernels' source to machine code, by the library of the run-time compiler or, where there is none, by the program; kept in the compile cache.
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { AnychipError } from '../core/error.ts';
import { trace } from '../core/trace.ts';
import { contentKey } from '../runtime/compileCache.ts';
import type { CompileCache } from '../runtime/compileCache.ts';
import type { Binary, CompileReport, Compiler, Source } from '../runtime/device.ts';
import { packProgram } from '../runtime/launchPlan.ts';
import { RuntimeCompiler, quoted } from './runtimeCompiler.ts';
import type { CompilerTable } from './table.ts';

/** Something that makes machine code. */
export interface MachineCompiler {
  /** Everything besides the source and the architecture that decides what it makes. */
  readonly identity: string;
  compile(text: string, architecture: string): Promise<Uint8Array>;
}

/** What a program is made for: the architecture of its code, and the chip whose numbers its kernels were planned with, where one is at hand. */
export interface MadeFor {
  readonly architecture: string;
  readonly chip?: string;
}

/** What programs for an architecture are called. */
export const binaryFormat = (architecture: string): string => `kernels-${architecture}`;

type CompilerCommand = NonNullable<CompilerTable['program']>;

const TIMEOUT_MILLIS = 300_000;

/** The program that compiles, as its own process. */
class CompilerProgram implements MachineCompiler {
  readonly identity: string;
  readonly #path: string;
  readonly #command: CompilerCommand;

  constructor(path: string, command: CompilerCommand) {
    const { size, mtimeMs } = statSync(path);
    this.identity = `${path} ${size} ${mtimeMs}`;
    this.#path = path;
    this.#command = command;
  }

  async compile(text: string, architecture: string): Promise<Uint8Array> {
    const { name, input, args, link, linker } = this.#command;
    const folder = mkdtempSync(join(tmpdir(), 'anychip-'));
    try {
      writeFileSync(join(folder, input), text);
      await run(this.#path, folder, [...args(architecture), '-o', 'out', input]);
      if (link === undefined) return readFileSync(join(folder, 'out'));
      const path = linker === undefined ? this.#path : findProgram(linker);
      if (path === undefined)
        throw new AnychipError('device', `${linker?.name}, which links what ${name} makes, is not installed`, { hint: 'Install the whole toolkit, and put its programs on PATH.' });
      await run(path, folder, [...link(architecture), '-o', 'linked', 'out']);
      return readFileSync(join(folder, 'linked'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

const run = (path: string, folder: string, args: readonly string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    execFile(path, args, { cwd: folder, timeout: TIMEOUT_MILLIS, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
      error === null ? resolve() : reject(quoted(basename(path), `${stdout}${stderr}`.trim() || error.message)),
    );
  });

export function findProgram({ name, folders: usual }: Pick<CompilerCommand, 'name' | 'folders'>): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), ...usual];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
      } catch {
        return false;
      }
    });
}

/** The library, else the program. Rejects with a 'device' error that says what to install. */
export async function findCompiler(table: CompilerTable): Promise<MachineCompiler> {
  try {
    return await RuntimeCompiler.open(table);
  } catch (error) {
    const path = table.program === undefined ? undefined : findProgram(table.program);
    if (path === undefined || table.program === undefined) throw error;
    return new CompilerProgram(path, table.program);
  }
}

export class LaunchedCompiler implements Compiler {
  readonly #cache: CompileCache;
  readonly #table: CompilerTable;
  readonly #made: () => Promise<MadeFor>;
  #found: Promise<MachineCompiler> | undefined;

  constructor(cache: CompileCache, table: CompilerTable, made: () => Promise<MadeFor>) {
    this.#cache = cache;
    this.#table = table;
    this.#made = made;
  }

  async compile({ units, launches }: Source): Promise<CompileReport> {
    const [text] = units;
    if (typeof text !== 'string' || launches === undefined) throw new AnychipError('internal', 'a compiler of launched kernels was given something else than their source');
    const [{ architecture, chip }, compiler] = await Promise.all([this.#made(), (this.#found ??= findCompiler(this.#table))]);
    const binaryOf = (code: Uint8Array): Binary => ({ format: binaryFormat(architecture), ...(chip === undefined ? {} : { chip }), bytes: packProgram(launches, code) });
    const { library, program } = this.#table;
    const options = [library?.options, program?.args, program?.link].flatMap((of) => of?.(architecture) ?? []);
    const key = contentKey(['launched 1', architecture, compiler.identity, ...options, text]);
    const kept = this.#cache.get(key);
    if (kept !== undefined) return { binary: binaryOf(kept), cached: true };
    const start = performance.now();
    const code = await compiler.compile(text, architecture);
    trace(2, () => ({ kind: 'time', message: this.#table.title, facts: { millis: performance.now() - start, characters: text.length, bytes: code.byteLength } }));
    this.#cache.put(key, code);
    return { binary: binaryOf(code), cached: false };
  }
}
