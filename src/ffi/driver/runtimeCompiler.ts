// A compiler in a library, of NVRTC's shape: source text in, machine code out. It must not know what the kernels are.
import { AnychipError } from '../../core/error.ts';
import { HostMemory } from '../hostMemory.ts';
import { openNative } from '../native.ts';
import type { Native } from '../native.ts';
import { BoundLibrary, openFirst } from './bind.ts';
import { compilerCalls } from './table.ts';
import type { CompilerCall, CompilerTable } from './table.ts';

const LOG_LINES = 4;
const LOG_CHARACTERS = 600;

/** A 'device' error that quotes the compiler. */
export const quoted = (title: string, log: string): AnychipError =>
  new AnychipError('device', `${title} failed: ${log.split('\n').slice(0, LOG_LINES).join(' ').slice(0, LOG_CHARACTERS) || 'it said nothing'}`, {
    hint: 'Update the compiler, or use another device.',
    facts: { log },
  });

export class RuntimeCompiler {
  readonly identity: string;
  readonly #table: CompilerTable;
  readonly #native: Native;
  readonly #library: BoundLibrary<CompilerCall>;
  /** What programs under way point to. */
  readonly #alive = new Set<readonly HostMemory[]>();

  private constructor(table: CompilerTable, native: Native) {
    this.#table = table;
    this.#native = native;
    this.#library = new BoundLibrary(native, openFirst(native, table.title, table.libraries, table.install), compilerCalls, table.symbols);
    const version = new HostMemory(native, 8);
    this.#check('version', this.#library.call('version', [version, version.address + 4n]));
    this.identity = `${table.title} ${version.i32[0]}.${version.i32[1]}`;
  }

  /** Rejects with a 'device' error where the library is not installed. */
  static async open(table: CompilerTable): Promise<RuntimeCompiler> {
    return new RuntimeCompiler(table, await openNative());
  }

  /** Rejects with a 'device' error that quotes the compiler. */
  async compile(text: string, architecture: string): Promise<Uint8Array> {
    const native = this.#native;
    const cell = new HostMemory(native, 8);
    this.#check('create', this.#library.call('create', [cell, HostMemory.string(native, text), HostMemory.string(native, 'kernels'), 0, 0n, 0n]));
    const program = cell.u64[0]!;
    const options = this.#table.options(architecture).map((option) => HostMemory.string(native, option));
    this.#alive.add(options);
    try {
      const list = HostMemory.words(
        native,
        options.map((option) => option.address),
      );
      const status = await this.#library.callInBackground('compile', [program, options.length, list]);
      if (status !== 0) throw quoted(this.#table.title, this.#bytes(program, 'logBytes', 'log').text);
      return this.#bytes(program, 'binaryBytes', 'binary').bytes;
    } finally {
      this.#alive.delete(options);
      this.#library.call('destroy', [cell]);
    }
  }

  #bytes(program: bigint, size: 'logBytes' | 'binaryBytes', get: 'log' | 'binary'): HostMemory {
    const count = new HostMemory(this.#native, 8);
    this.#check(size, this.#library.call(size, [program, count]));
    const memory = new HostMemory(this.#native, Number(count.u64[0]!));
    this.#check(get, this.#library.call(get, [program, memory]));
    return memory;
  }

  #check(call: CompilerCall, status: number): void {
    if (status !== 0) throw new AnychipError('device', `${this.#table.symbols[call]} gave error ${status}`, { hint: this.#table.install, facts: { status } });
  }
}
