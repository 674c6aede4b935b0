// CUDA C++ to machine code, by the library of the run-time compiler or, where there is none, by the program; kept in the compile cache.
import { execFile } from 'node:child_process';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { AnychipError } from '../../core/error.ts';
import { trace } from '../../core/trace.ts';
import { RuntimeCompiler, quoted } from '../../ffi/driver/runtimeCompiler.ts';
import type { CompilerTable } from '../../ffi/driver/table.ts';
import { contentKey } from '../../runtime/compileCache.ts';
import type { CompileCache } from '../../runtime/compileCache.ts';
import type { CompileReport, Compiler, Source } from '../../runtime/device.ts';
import { packProgram } from '../../runtime/launchPlan.ts';

/** Something that makes machine code. */
export interface MachineCompiler {
  /** Everything besides the source and the architecture that decides what it makes. */
  readonly identity: string;
  compile(text: string, architecture: string): Promise<Uint8Array>;
}

/** What programs for an architecture are called. */
export const binaryFormat = (architecture: string): string => `cubin-${architecture}`;

const TIMEOUT_MILLIS = 300_000;

/** The program that compiles, as its own process. */
class CompilerProgram implements MachineCompiler {
  readonly identity: string;
  readonly #path: string;
  readonly #table: CompilerTable;

  constructor(path: string, table: CompilerTable) {
    const { size, mtimeMs } = statSync(path);
    this.identity = `${path} ${size} ${mtimeMs}`;
    this.#path = path;
    this.#table = table;
  }

  async compile(text: string, architecture: string): Promise<Uint8Array> {
    const { program } = this.#table;
    const folder = mkdtempSync(join(tmpdir(), 'anychip-'));
    try {
      writeFileSync(join(folder, program.input), text);
      const args = [...program.args(architecture), '-o', 'out', program.input];
      await new Promise<void>((resolve, reject) => {
        execFile(this.#path, args, { cwd: folder, timeout: TIMEOUT_MILLIS, maxBuffer: 1 << 24 }, (error, stdout, stderr) =>
          error === null ? resolve() : reject(quoted(program.name, `${stdout}${stderr}`.trim() || error.message)),
        );
      });
      return readFileSync(join(folder, 'out'));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

function findProgram({ program }: CompilerTable): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), ...program.folders];
  return folders
    .map((folder) => join(folder, program.name))
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
    const path = findProgram(table);
    if (path !== undefined) return new CompilerProgram(path, table);
    throw error;
  }
}

export class CudaCompiler implements Compiler {
  readonly #cache: CompileCache;
  readonly #table: CompilerTable;
  readonly #architecture: () => Promise<string>;
  #found: Promise<MachineCompiler> | undefined;

  constructor(cache: CompileCache, table: CompilerTable, architecture: () => Promise<string>) {
    this.#cache = cache;
    this.#table = table;
    this.#architecture = architecture;
  }

  async compile({ units, launches }: Source): Promise<CompileReport> {
    const [text] = units;
    if (typeof text !== 'string' || launches === undefined) throw new AnychipError('internal', 'the CUDA compiler was given something else than CUDA C++');
    const [architecture, compiler] = await Promise.all([this.#architecture(), (this.#found ??= findCompiler(this.#table))]);
    const format = binaryFormat(architecture);
    const key = contentKey(['cuda 1', compiler.identity, ...this.#table.options(architecture), text]);
    const kept = this.#cache.get(key);
    if (kept !== undefined) return { binary: { format, bytes: packProgram(launches, kept) }, cached: true };
    const start = performance.now();
    const code = await compiler.compile(text, architecture);
    trace(2, () => ({ kind: 'time', message: this.#table.title, facts: { millis: performance.now() - start, characters: text.length, bytes: code.byteLength } }));
    this.#cache.put(key, code);
    return { binary: { format, bytes: packProgram(launches, code) }, cached: false };
  }
}
