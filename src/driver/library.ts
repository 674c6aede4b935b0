// Functions of a library by what they do: from what each is given and how a row spells it. It must not know what they are for.
import { AnychipError, invariant } from '../core/error.ts';
import { HostMemory } from '../ffi/hostMemory.ts';
import type { Native, NativeFunction, NativeLibrary, NativeType, NativeValue } from '../ffi/native.ts';
import type { LibraryNames, OperandType, Spelling } from './table.ts';

const nativeTypes = { u32: 'i32', size: 'i64', pointer: 'pointer' } as const satisfies Record<OperandType, NativeType>;

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

type Signatures<Call extends string> = Readonly<Record<Call, Readonly<Record<string, OperandType>>>>;
type Operands = Readonly<Record<string, NativeArg>>;

/** A function, and the operand or fixed value of each of its arguments. */
interface Bound {
  readonly call: NativeFunction;
  readonly args: readonly (string | NativeValue)[];
}

export class BoundLibrary<Call extends string> {
  readonly native: Native;
  readonly #library: NativeLibrary;
  readonly #signatures: Signatures<Call>;
  readonly #spellings: Readonly<Partial<Record<Call, Spelling>>>;
  readonly #bound = new Map<Call, Bound>();
  /** What the last call was given: nothing of it may be collected before the call is over. */
  held: readonly NativeArg[] = [];

  constructor(native: Native, library: NativeLibrary, signatures: Signatures<Call>, spellings: Readonly<Partial<Record<Call, Spelling>>>) {
    this.native = native;
    this.#library = library;
    this.#signatures = signatures;
    this.#spellings = spellings;
  }

  has(call: Call): boolean {
    return this.#spellings[call] !== undefined;
  }

  spelling(call: Call): Spelling {
    const spelling = this.#spellings[call];
    invariant(spelling !== undefined, `the driver has no ${call}`);
    return spelling;
  }

  #bind(call: Call): Bound {
    let bound = this.#bound.get(call);
    if (bound === undefined) {
      const { symbol, args, answers } = this.spelling(call);
      const types = args.map((arg) => nativeTypes[typeof arg === 'string' ? this.#signatures[call][arg]! : arg.type]);
      bound = { call: this.#library.find(symbol, answers === 'text' ? 'pointer' : 'i32', types), args: args.map((arg) => (typeof arg === 'string' ? arg : arg.value)) };
      this.#bound.set(call, bound);
    }
    return bound;
  }

  #values(call: Call, { args }: Bound, operands: Operands): NativeValue[] {
    this.held = Object.values(operands);
    return args.map((arg) => {
      if (typeof arg !== 'string') return arg;
      const operand = operands[arg];
      invariant(operand !== undefined, `${call} is given no ${arg}`);
      return valueOf(operand);
    });
  }

  /** The status, or the address of a text. */
  call(call: Call, operands: Operands): NativeValue {
    const bound = this.#bind(call);
    return bound.call(...this.#values(call, bound, operands));
  }

  /** The same on a thread of its own. */
  async callInBackground(call: Call, operands: Operands): Promise<NativeValue> {
    const bound = this.#bind(call);
    const status = await bound.call.inBackground(...this.#values(call, bound, operands));
    this.held = Object.values(operands);
    return status;
  }
}
