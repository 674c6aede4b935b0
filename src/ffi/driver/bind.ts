// Functions of a library by what they do: from a table of their arguments and a row of their names. It must not know what they are for.
import { AnychipError } from '../../core/error.ts';
import { HostMemory } from '../hostMemory.ts';
import type { Native, NativeFunction, NativeLibrary, NativeType, NativeValue } from '../native.ts';
import type { LibraryNames } from './table.ts';

const argTypes = { u: 'i32', s: 'i64', p: 'pointer' } as const satisfies Record<string, NativeType>;
const isLetter = (letter: string): letter is keyof typeof argTypes => letter in argTypes;

/** Memory is passed by its address, and lives until the call is over. */
export type NativeArg = NativeValue | HostMemory;
const valueOf = (arg: NativeArg): NativeValue => (arg instanceof HostMemory ? arg.address : arg);

/** Opens the first of the names that loads. Throws a 'device' error with the hint. */
export function openFirst(native: Native, title: string, names: LibraryNames, hint: string): NativeLibrary {
  const tried = names[process.platform] ?? names.other;
  const problems: string[] = [];
  for (const name of tried) {
    try {
      return native.open(name);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new AnychipError('device', `${title} is not installed: there is no ${tried[0]}`, { hint, facts: { problems } });
}

export class BoundLibrary<Call extends string> {
  readonly native: Native;
  readonly #library: NativeLibrary;
  readonly #signatures: Readonly<Record<Call, string>>;
  readonly #symbols: Readonly<Record<Call, string>>;
  readonly #found = new Map<Call, NativeFunction>();
  /** What the last call was given: nothing of it may be collected before the call is over. */
  held: readonly NativeArg[] = [];

  constructor(native: Native, library: NativeLibrary, signatures: Readonly<Record<Call, string>>, symbols: Readonly<Record<Call, string>>) {
    this.native = native;
    this.#library = library;
    this.#signatures = signatures;
    this.#symbols = symbols;
  }

  #function(call: Call): NativeFunction {
    let found = this.#found.get(call);
    if (found === undefined) {
      const args = [...this.#signatures[call]].map((letter) => argTypes[isLetter(letter) ? letter : 'p']);
      found = this.#library.find(this.#symbols[call], 'i32', args);
      this.#found.set(call, found);
    }
    return found;
  }

  /** The status. */
  call(call: Call, args: readonly NativeArg[]): number {
    this.held = args;
    return Number(this.#function(call)(...args.map(valueOf)));
  }

  /** The same on a thread of its own. */
  async callInBackground(call: Call, args: readonly NativeArg[]): Promise<number> {
    const status = Number(await this.#function(call).inBackground(...args.map(valueOf)));
    this.held = args;
    return status;
  }
}
