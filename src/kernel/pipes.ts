// The pipes of a tile kernel: which of them a statement is given to, and a watch over who has used what, so that an interpreter finds
// work that begins before what it needs is certainly done. Order between pipes is known only from signals that were waited for.
import { AnychipError } from '../core/error.ts';
import type { Handover, MatrixStep, Pipe, Stmt } from './ir.ts';

const NUMBERS: { readonly [P in Pipe]: number } = { scalar: 0, vector: 1, in: 2, out: 3, fill: 4, matrix: 5, drain: 6 };
export const PIPES: readonly Pipe[] = ['scalar', 'vector', 'in', 'out', 'fill', 'matrix', 'drain'];

/** The pipe that stores; scalar operands are brought by the scalar pipe in any case. */
export const storePipe = (s: Extract<Stmt, { kind: 'store' }>): Pipe => (s.value.type.lanes > 1 || s.value.kind === 'across' ? 'vector' : 'scalar');

/** The pipe that takes a step of a matrix unit; none declares. */
export const stepPipe = ({ do: what }: Exclude<MatrixStep, { do: 'declare' }>): Pipe => (what === 'load' ? 'fill' : what === 'store' ? 'drain' : 'matrix');

/** For each pipe how many of its instructions are certainly done. */
type Knowledge = number[];
const keyOf = ({ from, to, flag }: Handover): string => `${from} to ${to}, flag ${flag}`;

/** What each pipe did last to each element of a buffer: the number of its instruction, 0 for none. */
interface Uses {
  readonly written: readonly Int32Array[];
  readonly read: readonly Int32Array[];
}

/** One core at work. */
export class PipeWatch {
  readonly #given = PIPES.map(() => 0);
  readonly #known: readonly Knowledge[] = PIPES.map(() => PIPES.map(() => 0));
  readonly #signals = new Map<string, Knowledge>();
  readonly #uses = new Map<object, Uses>();

  /** An instruction is given to a pipe: what the scalar pipe has waited for is done before it begins. */
  give(pipe: Pipe): void {
    const number = NUMBERS[pipe];
    this.#given[number]!++;
    if (pipe !== 'scalar') merge(this.#known[number]!, this.#known[NUMBERS.scalar]!);
  }

  /** The pipe's last instruction uses an element of `buffer`, which has `elements`. */
  use(buffer: object, elements: number, i: number, pipe: Pipe, access: 'read' | 'written', name: string): void {
    let uses = this.#uses.get(buffer);
    if (uses === undefined) {
      const table = (): Int32Array[] => PIPES.map(() => new Int32Array(elements));
      this.#uses.set(buffer, (uses = { written: table(), read: table() }));
    }
    const number = NUMBERS[pipe];
    PIPES.forEach((other, o) => {
      if (o === number) return;
      const done = this.#known[number]![o]!;
      const last = access === 'read' ? uses.written[o]![i]! : Math.max(uses.written[o]![i]!, uses.read[o]![i]!);
      if (last > done) fail(`element ${i} of ${name} is ${access} by the ${pipe} pipe, which has not waited for the ${other} pipe`);
    });
    uses[access][number]![i] = this.#given[number]!;
  }

  signal(handover: Handover): void {
    const key = keyOf(handover);
    if (this.#signals.has(key)) fail(`a second signal from ${key} before the first was waited for`);
    const known = [...this.#known[NUMBERS[handover.from]]!];
    merge(known, this.#known[NUMBERS.scalar]!);
    known[NUMBERS[handover.from]] = this.#given[NUMBERS[handover.from]]!;
    this.#signals.set(key, known);
  }

  wait(handover: Handover): void {
    const key = keyOf(handover);
    const known = this.#signals.get(key);
    if (known === undefined) return fail(`a wait from ${key} that nothing signals: the core stands still`);
    this.#signals.delete(key);
    merge(this.#known[NUMBERS[handover.to]]!, known);
  }

  /** The core is done: nobody may wait for what is left. */
  finish(): void {
    const [left] = this.#signals.keys();
    if (left !== undefined) fail(`a signal from ${left} that nothing waits for`);
  }
}

function merge(into: Knowledge, other: Knowledge): void {
  other.forEach((n, i) => void (into[i] = Math.max(into[i]!, n)));
}

function fail(reason: string): never {
  throw new AnychipError('internal', reason, { hint: 'This is a bug in anychip; please report it with the model.' });
}
