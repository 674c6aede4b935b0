// Kernels' source to machine code, by the library of the run-time compiler or, where there is none, by the program; kept in the compile cache.
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { AnychipError } from '../core/error.ts';
import { trace } from '../core/trace.ts';
import { contentKey } from '../runtime/compileCache.ts';
import type { CompileCache } from '../runtime/compileCache.ts';
import type { CompileReport, Compiler, Source } from '../runtime/device.ts';
import { packProgram } from '../runtime/launchPlan.ts';
import { RuntimeCompiler, quoted } from './runtimeCompiler.ts';
import type { CompilerProgram, CompilerTable } from './table.ts';

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

const TIMEOUT_MILLIS = 300_000;

/** Compilers that run side by side. */
const LANES = availableParallelism();

/** The program that compiles, as its own process. */
class ProgramCompiler implements MachineCompiler {
  readonly identity: string;
  readonly #path: string;
  readonly #command: CompilerProgram;

  constructor(path: string, command: CompilerProgram) {
    const { size, mtimeMs } = statSync(path);
    this.identity = `${path} ${size} ${mtimeMs}`;
    this.#path = path;
    this.#command = command;
  }

  async compile(text: string, architecture: string): Promise<Uint8Array> {
    const { name, input, args, link, kinds = [''] } = this.#command;
    const folder = mkdtempSync(join(tmpdir(), 'anychip-'));
    try {
      writeFileSync(join(folder, input), text);
      for (const kind of kinds) await run(this.#path, folder, [...args(architecture, kind, dirname(this.#path)), '-o', kind === '' ? 'out' : `out-${kind}`, input]);
      if (link === undefined) return readFileSync(join(folder, 'out'));
      const second = link(architecture, dirname(this.#path));
      const path = second.linker === undefined ? this.#path : findProgram(second.linker);
      if (path === undefined)
        throw new AnychipError('device', `${second.linker?.name}, which links what ${name} makes, is not installed`, {
          hint: 'Install the whole toolkit, and put its programs on PATH.',
        });
      await run(path, folder, second.args);
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

export function findProgram({ name, folders: usual, beside }: Pick<CompilerProgram, 'name' | 'folders' | 'beside'>): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), ...usual];
  return folders
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        if (beside !== undefined) accessSync(join(path, '..', beside));
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
    return new ProgramCompiler(path, table.program);
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

  async compile({ units, launches, isSpecific = false }: Source): Promise<CompileReport> {
    const texts = units.filter((unit) => typeof unit === 'string');
    if (texts.length < units.length || launches === undefined) throw new AnychipError('internal', 'a compiler of launched kernels was given something else than their source');
    const [{ architecture, chip }, compiler] = await Promise.all([this.#made(), (this.#found ??= findCompiler(this.#table))]);
    const target = isSpecific ? (this.#table.specific?.(architecture) ?? architecture) : architecture;
    const pieces: Uint8Array[] = [];
    let cached = true;
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < texts.length) {
        const i = next++;
        const made = await this.#compileUnit(texts[i]!, compiler, target);
        pieces[i] = made.code;
        cached &&= made.cached;
      }
    };
    await Promise.all(Array.from({ length: Math.min(LANES, texts.length) }, lane));
    return { binary: { format: binaryFormat(architecture), ...(chip === undefined ? {} : { chip }), bytes: packProgram(launches, ...pieces) }, cached };
  }

  async #compileUnit(text: string, compiler: MachineCompiler, architecture: string): Promise<{ readonly code: Uint8Array; readonly cached: boolean }> {
    const { library, program } = this.#table;
    const options = [library?.options(architecture), program?.args(architecture, '', ''), program?.link?.(architecture, '').args].flatMap((of) => of ?? []);
    const key = contentKey(['launched 1', architecture, compiler.identity, ...options, text]);
    const kept = this.#cache.get(key);
    if (kept !== undefined) return { code: kept, cached: true };
    const start = performance.now();
    const code = await compiler.compile(text, architecture);
    trace(2, () => ({ kind: 'time', message: this.#table.title, facts: { millis: performance.now() - start, characters: text.length, bytes: code.byteLength } }));
    this.#cache.put(key, code);
    return { code, cached: false };
  }
}
