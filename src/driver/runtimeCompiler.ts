// A compiler in a library: source text in, machine code out. It must not know what the kernels are.
import { AnychipError } from '../core/error.ts';
import { HostMemory } from '../ffi/hostMemory.ts';
import { openNative } from '../ffi/native.ts';
import type { Native, NativeValue } from '../ffi/native.ts';
import { BoundLibrary, openFirst } from './library.ts';
import { compilerCalls } from './table.ts';
import type { CompilerCall, CompilerTable } from './table.ts';

/** The part of a table that speaks of a library. */
type CompilerLibrary = NonNullable<CompilerTable['library']>;

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
  readonly #options: CompilerLibrary['options'];
  readonly #native: Native;
  readonly #library: BoundLibrary<CompilerCall>;
  /** What programs under way point to. */
  readonly #alive = new Set<readonly HostMemory[]>();

  private constructor(table: CompilerTable, library: CompilerLibrary, native: Native) {
    this.#table = table;
    this.#options = library.options;
    this.#native = native;
    this.#library = new BoundLibrary(native, openFirst(native, table.title, library.names, table.install), compilerCalls, library.calls);
    this.identity = `${table.title} ${this.#version()}`;
  }

  #version(): string {
    if (!this.#library.has('version')) return '';
    const version = new HostMemory(this.#native, 8);
    this.#check('version', this.#library.call('version', { major: version, minor: version.address + 4n }));
    return `${version.i32[0]}.${version.i32[1]}`;
  }

  /** Rejects with a 'device' error where the library is not installed. */
  static async open(table: CompilerTable): Promise<RuntimeCompiler> {
    const { title, library, program, install } = table;
    if (library !== undefined) return new RuntimeCompiler(table, library, await openNative());
    throw new AnychipError('device', program === undefined ? `${title} has nothing that compiles here` : `${title} is not installed: there is no ${program.name}`, {
      hint: install,
    });
  }

  /** Rejects with a 'device' error that quotes the compiler. */
  async compile(text: string, architecture: string): Promise<Uint8Array> {
    const native = this.#native;
    const cell = new HostMemory(native, 8);
    this.#check('create', this.#library.call('create', { out: cell, source: HostMemory.string(native, text), name: HostMemory.string(native, 'kernels') }));
    const program = cell.u64[0]!;
    const options = this.#options(architecture).map((option) => HostMemory.string(native, option));
    const list = HostMemory.words(
      native,
      options.map((option) => option.address),
    );
    const held = [...options, list];
    this.#alive.add(held);
    try {
      const status = await this.#library.callInBackground('compile', { program, count: options.length, options: list });
      if (Number(status) !== 0) throw quoted(this.#table.title, this.#bytes(program, 'logBytes', 'log').text);
      return this.#bytes(program, 'binaryBytes', 'binary').bytes;
    } finally {
      this.#alive.delete(held);
      this.#library.call('destroy', { program, programCell: cell });
    }
  }

  #bytes(program: bigint, size: 'logBytes' | 'binaryBytes', get: 'log' | 'binary'): HostMemory {
    const count = new HostMemory(this.#native, 8);
    this.#check(size, this.#library.call(size, { program, out: count }));
    const memory = new HostMemory(this.#native, Number(count.u64[0]!));
    this.#check(get, this.#library.call(get, { program, out: memory }));
    return memory;
  }

  #check(call: CompilerCall, answer: NativeValue): void {
    const status = Number(answer);
    if (status !== 0) throw new AnychipError('device', `${this.#library.spelling(call).symbol} gave error ${status}`, { hint: this.#table.install, facts: { status } });
  }
}
