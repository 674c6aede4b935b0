// The open blocks of a kernel that is being written: loops and branches, the names known in them, and the values already computed there.
// It knows statements and names, not what they compute.
import { invariant } from '../../core/error.ts';
import { declare, variable } from '../../kernel/build.ts';
import type { Expr, Stmt } from '../../kernel/ir.ts';
import type { PointExpr } from '../point.ts';

interface Block {
  readonly body: Stmt[];
  readonly points: Map<PointExpr, Expr>;
  readonly indices: Map<string, Expr>;
  /** Symbols and locals that end with the block. */
  readonly names: string[];
  /** Entered only sometimes: what is in it must not move out. */
  readonly conditional: boolean;
}
const createBlock = (conditional: boolean): Block => ({ body: [], points: new Map(), indices: new Map(), names: [], conditional });

/** A value with a name, and the block from which it is known. */
export interface Named {
  readonly expr: Expr;
  readonly level: number;
  /** Where several rows are kept side by side: which of them it stands for. */
  readonly row?: Expr;
}

export class BlockWriter {
  readonly #blocks: Block[] = [createBlock(false)];
  /** Loop variables and locals; their names never meet. */
  readonly #names = new Map<string, Named>();
  readonly #counters = new Map<string, number>();

  /** A name not used in this kernel yet. */
  fresh(prefix: string): string {
    const n = this.#counters.get(prefix) ?? 0;
    this.#counters.set(prefix, n + 1);
    return `${prefix}${n}`;
  }

  /** How many blocks are open around the innermost. */
  get level(): number {
    return this.#blocks.length - 1;
  }
  #at(level: number): Block {
    return this.#blocks[level]!;
  }

  /** The statements of the outermost block. */
  get body(): readonly Stmt[] {
    return this.#at(0).body;
  }

  push(...statements: readonly Stmt[]): void {
    this.#at(this.level).body.push(...statements);
  }

  /** Runs `write` with a new innermost block and returns the statements it wrote. */
  block(write: () => void, conditional = false): Stmt[] {
    const block = createBlock(conditional);
    this.#blocks.push(block);
    write();
    this.#blocks.pop();
    for (const name of block.names) this.#names.delete(name);
    return block.body;
  }

  /** Writes into the current block, but what is defined meanwhile is forgotten after. */
  scoped(write: () => void): void {
    this.push(...this.block(write));
  }

  /** Runs `write` as if the blocks inside the one at `level` were not open yet. */
  outside<T>(level: number, write: () => T): T {
    const inner = this.#blocks.splice(level + 1);
    const result = write();
    this.#blocks.push(...inner);
    return result;
  }

  /** for (name = from; name < to; name += step), with `symbol` standing for the variable. A loop of one step becomes its body. */
  loop(symbol: string, from: Expr, to: Expr, step: number, write: () => void): void {
    const steps = from.kind === 'const' && to.kind === 'const' ? Math.ceil((Number(to.value) - Number(from.value)) / step) : Infinity;
    if (steps <= 0) return;
    const name = steps === 1 ? '' : this.fresh('n');
    const body = this.block(() => {
      this.define(symbol, steps === 1 ? from : variable(name));
      write();
    });
    if (steps === 1) this.push(...body);
    else if (body.length > 0) this.push({ kind: 'for', var: name, from, to, step, body });
  }

  /** Gives an index symbol, or a local of point expressions, its value, to the end of the block at `level`. */
  define(name: string, value: Expr, level = this.level, row?: Expr): void {
    this.#names.set(name, { expr: value, level, ...(row === undefined ? {} : { row }) });
    this.#at(level).names.push(name);
  }

  find(name: string): Named | undefined {
    return this.#names.get(name);
  }
  named(name: string): Named {
    const named = this.#names.get(name);
    invariant(named !== undefined, `${name} has no value here`);
    return named;
  }

  /** A name for the value, in the block at `level`; variables and constants are their own names. */
  bind(value: Expr, level = this.level): Expr {
    if (value.kind === 'var' || value.kind === 'const' || (value.kind === 'splat' && value.x.kind === 'const')) return value;
    const name = this.fresh('t');
    this.#at(level).body.push(declare(name, value));
    return variable(name, value.type.dtype, value.type.lanes);
  }

  /** The outermost block that something known from `level` on may be written to. */
  home(level: number): number {
    for (let i = this.level; i > level; i--) if (this.#at(i).conditional) return i;
    return level;
  }

  /** What an open block knows of an expression. */
  knownPoint(e: PointExpr): Expr | undefined {
    for (let i = this.level; i >= 0; i--) {
      const known = this.#at(i).points.get(e);
      if (known !== undefined) return known;
    }
    return undefined;
  }

  /** Names the value of an expression in the block at `level`. */
  rememberPoint(e: PointExpr, value: Expr, level: number): Expr {
    const bound = this.bind(value, level);
    this.#at(level).points.set(e, bound);
    return bound;
  }

  /** One name for equal index values in the block at `level` and those inside it. */
  sharedIndex(key: string, value: Expr, level: number): Expr {
    for (let i = level; i >= 0; i--) {
      const known = this.#at(i).indices.get(key);
      if (known !== undefined) return known;
    }
    const bound = this.bind(value, level);
    this.#at(level).indices.set(key, bound);
    return bound;
  }
}
