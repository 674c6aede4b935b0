// Gives tiles their memory: tiles of one dtype that are never in use at the same time share a buffer.
import type { Expr, ScratchBuffer, Stmt } from '../../kernel/ir.ts';
import { mapOperands, renameBuffers } from '../../kernel/rewriteKernel.ts';
import { allStatements } from '../../kernel/statements.ts';
import type { Selected } from './select.ts';

/** The first and the last statement that uses a tile, counted through the whole kernel. */
interface Life {
  first: number;
  last: number;
}

/** Where each statement and each loop begins and ends, in order. */
class Lives {
  readonly lives = new Map<string, Life>();
  readonly #tiles: ReadonlySet<string>;
  readonly #loops: { readonly begin: number; readonly end: number }[] = [];
  #time = 0;

  constructor(body: readonly Stmt[], tiles: ReadonlySet<string>) {
    this.#tiles = tiles;
    this.#measure(body);
    this.#time = 0;
    this.#body(body);
    // What lives on into a loop is needed in each of its steps.
    for (const life of this.lives.values()) {
      for (const { begin, end } of this.#loops) if (life.first < begin && life.last >= begin && life.last < end) life.last = end;
    }
  }

  /** Loops, the inner before the outer, so that lives grow outwards. */
  #measure(body: readonly Stmt[]): void {
    for (const s of body) {
      const begin = this.#time++;
      if (s.kind === 'if') [s.then, s.else].forEach((b) => this.#measure(b));
      if (s.kind !== 'for') continue;
      this.#measure(s.body);
      this.#loops.push({ begin, end: this.#time++ });
    }
  }

  #body(body: readonly Stmt[]): void {
    for (const s of body) {
      const now = this.#time++;
      const use = (name: string): void => this.#use(name, now);
      const expr = (e: Expr): void => loadsIn(e).forEach(use);
      if (s.kind === 'store') {
        [s.index, s.value].forEach(expr);
        use(s.buffer);
      } else if (s.kind === 'copy') {
        [s.to.index, s.from.index, s.rows, s.elements].forEach(expr);
        [s.to.buffer, s.from.buffer].forEach(use);
      } else if (s.kind === 'let' || s.kind === 'assign') expr(s.value);
      else if (s.kind === 'if') {
        expr(s.condition);
        [s.then, s.else].forEach((b) => this.#body(b));
      } else if (s.kind === 'for') {
        [s.from, s.to].forEach(expr);
        this.#body(s.body);
        this.#time++;
      }
    }
  }

  #use(name: string, now: number): void {
    if (!this.#tiles.has(name)) return;
    const life = this.lives.get(name);
    if (life === undefined) this.lives.set(name, { first: now, last: now });
    else life.last = now;
  }
}

function loadsIn(e: Expr): string[] {
  const found = e.kind === 'load' ? [e.buffer] : [];
  mapOperands(e, (x) => {
    found.push(...loadsIn(x));
    return x;
  });
  return found;
}

/** Buffers that copies fill or empty. */
const copiedIn = (body: readonly Stmt[]): string[] => allStatements(body).flatMap((s) => (s.kind === 'copy' ? [s.to.buffer, s.from.buffer] : []));

/**
 * The statements over as few buffers as lives allow. An instruction never writes over what it reads. `overlaps`: what is copied shares its
 * memory with nothing, so that copies go on beside everything else.
 */
export function allocateTiles({ body, tiles }: Selected, overlaps: boolean): { readonly body: readonly Stmt[]; readonly scratch: readonly ScratchBuffer[] } {
  const { lives } = new Lives(body, new Set(tiles.map((t) => t.name)));
  const scratch: { readonly name: string; readonly dtype: ScratchBuffer['dtype']; elements: number; last: number }[] = [];
  const places = new Map<string, string>();
  const alone = new Set(overlaps ? copiedIn(body) : []);
  const used = tiles.filter((t) => lives.has(t.name)).sort((a, b) => lives.get(a.name)!.first - lives.get(b.name)!.first);
  for (const { name, dtype, elements } of used) {
    const { first, last } = lives.get(name)!;
    const free = alone.has(name) ? [] : scratch.filter((s) => s.dtype === dtype && s.last < first);
    // Tiles that are not whole take the place of whole ones; single elements stay among themselves.
    let place = free.find((s) => s.elements >= elements && s.elements > 1 === elements > 1) ?? free.find((s) => s.elements > 1 && elements > 1);
    if (place === undefined) scratch.push((place = { name: `tile${scratch.length}`, dtype, elements, last }));
    place.last = alone.has(name) ? Infinity : last;
    place.elements = Math.max(place.elements, elements);
    places.set(name, place.name);
  }
  return { body: renameBuffers(body, (name) => places.get(name) ?? name), scratch: scratch.map(({ name, dtype, elements }) => ({ name, dtype, elements })) };
}
