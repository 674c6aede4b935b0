// Makes the pipes of a tile kernel wait for each other: before a statement uses memory that another pipe may still be using, a signal and
// a wait. It knows from the statements alone who uses what; a wait it does not need it does not write.
import type { Expr, Pipe, Stmt } from '../../kernel/ir.ts';
import { storePipe } from '../../kernel/pipes.ts';
import { operandsOf } from '../../kernel/rewriteKernel.ts';

interface Use {
  readonly pipe: Pipe;
  readonly buffer: string;
  readonly writes: boolean;
}

/** What a pipe did to a buffer since another last waited for it: bits of read and written. */
const READ = 1;
const WRITTEN = 2;
const PIPES: readonly Pipe[] = ['scalar', 'vector', 'in', 'out'];

/** For each pair of pipes and buffer, what the first did that the second has not waited for. */
class Pending {
  readonly #uses = new Map<string, number>();

  copy(): Pending {
    const copy = new Pending();
    for (const [key, bits] of this.#uses) copy.#uses.set(key, bits);
    return copy;
  }

  /** Takes in all that `other` has; whether that was more. */
  join(other: Pending): boolean {
    let grows = false;
    for (const [key, bits] of other.#uses) {
      const before = this.#uses.get(key) ?? 0;
      if ((before | bits) === before) continue;
      this.#uses.set(key, before | bits);
      grows = true;
    }
    return grows;
  }

  /** The pipes that `use` must wait for. */
  before({ pipe, buffer, writes }: Use): Pipe[] {
    return PIPES.filter((other) => ((this.#uses.get(`${other} ${pipe} ${buffer}`) ?? 0) & (writes ? READ | WRITTEN : WRITTEN)) !== 0);
  }

  note({ pipe, buffer, writes }: Use): void {
    for (const other of PIPES) {
      if (other === pipe) continue;
      const key = `${pipe} ${other} ${buffer}`;
      this.#uses.set(key, (this.#uses.get(key) ?? 0) | (writes ? WRITTEN : READ));
    }
  }

  /** `to` waited for all that `from` did; where the scalar pipe waits, whatever it hands out later comes after. */
  waited(from: Pipe, to: Pipe): void {
    for (const key of this.#uses.keys()) if (key.startsWith(to === 'scalar' ? `${from} ` : `${from} ${to} `)) this.#uses.delete(key);
  }
}

function loadsOf(e: Expr, uses: Use[]): Use[] {
  if (e.kind === 'load') uses.push({ pipe: e.type.lanes > 1 ? 'vector' : 'scalar', buffer: e.buffer, writes: false });
  for (const x of operandsOf(e)) loadsOf(x, uses);
  return uses;
}
const loads = (...list: readonly Expr[]): Use[] => list.flatMap((e) => loadsOf(e, []));

/** Uses of the statement itself, without those of statements within. */
function usesOf(s: Stmt, params: ReadonlySet<string>): readonly Use[] {
  switch (s.kind) {
    case 'for':
      return loads(s.from, s.to);
    case 'let':
    case 'assign':
      return loads(s.value);
    case 'if':
      return loads(s.condition);
    case 'store':
      return [...loads(s.index, s.value), { pipe: storePipe(s), buffer: s.buffer, writes: true }];
    case 'copy': {
      const pipe = params.has(s.to.buffer) ? 'out' : 'in';
      const sizes = loads(s.to.index, s.from.index, s.rows, s.elements);
      return [...sizes, { pipe, buffer: s.from.buffer, writes: false }, { pipe, buffer: s.to.buffer, writes: true }];
    }
    case 'barrier':
    case 'shuffle':
    case 'fetch':
    case 'commit':
    case 'await':
    case 'signal':
    case 'wait':
    case 'matrix':
      return [];
  }
}

class Synchronizer {
  readonly #params: ReadonlySet<string>;
  #pending = new Pending();

  constructor(params: ReadonlySet<string>) {
    this.#params = params;
  }

  body(statements: readonly Stmt[]): Stmt[] {
    return statements.flatMap((s) => [...this.#waits(s), this.#inside(s)]);
  }

  #waits(s: Stmt): Stmt[] {
    const uses = usesOf(s, this.#params);
    const waits: Stmt[] = [];
    for (const use of uses) {
      for (const from of this.#pending.before(use)) {
        const handover = { from, to: use.pipe, flag: 0 };
        waits.push({ kind: 'signal', ...handover }, { kind: 'wait', ...handover });
        this.#pending.waited(from, use.pipe);
      }
    }
    for (const use of uses) this.#pending.note(use);
    return waits;
  }

  #inside(s: Stmt): Stmt {
    if (s.kind === 'if') {
      const before = this.#pending.copy();
      const then = this.body(s.then);
      const after = this.#pending;
      this.#pending = before;
      const otherwise = this.body(s.else);
      this.#pending.join(after);
      return { ...s, then, else: otherwise };
    }
    if (s.kind !== 'for') return s;
    // A step begins with what is pending before the loop, or after another step.
    const entry = this.#pending.copy();
    for (;;) {
      this.#pending = entry.copy();
      const body = this.body(s.body);
      if (entry.join(this.#pending)) continue;
      this.#pending = entry;
      return { ...s, body };
    }
  }
}

/** `body` with a signal and a wait wherever one pipe must come after another; `params` are in global memory. */
export const synchronize = (body: readonly Stmt[], params: ReadonlySet<string>): readonly Stmt[] => new Synchronizer(params).body(body);
