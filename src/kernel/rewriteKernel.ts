// Rewrites a kernel expression by expression, innermost first. A rule may name values and write statements before the statement that
// holds the expression. It knows nothing of what is rewritten into what.
import { assign, declare, variable } from './build.ts';
import type { Expr, ExprKind, Kernel, Stmt } from './ir.ts';
import { allStatements, mapStatement } from './statements.ts';

export type ExprOf = { readonly [K in ExprKind]: Extract<Expr, { kind: K }> };

/** The same expression over other operands; a total table, so that a new kind of expression cannot be forgotten. */
const rebuild: { readonly [K in ExprKind]: (e: ExprOf[K], f: (x: Expr) => Expr) => Expr } = {
  const: (e) => e,
  var: (e) => e,
  load: (e, f) => ({ ...e, index: f(e.index) }),
  unary: (e, f) => ({ ...e, x: f(e.x) }),
  binary: (e, f) => ({ ...e, a: f(e.a), b: f(e.b) }),
  compare: (e, f) => ({ ...e, a: f(e.a), b: f(e.b) }),
  select: (e, f) => ({ ...e, condition: f(e.condition), a: f(e.a), b: f(e.b) }),
  fma: (e, f) => ({ ...e, a: f(e.a), b: f(e.b), c: f(e.c) }),
  dot: (e, f) => ({ ...e, a: f(e.a), b: f(e.b), c: f(e.c) }),
  cast: (e, f) => ({ ...e, x: f(e.x) }),
  bitcast: (e, f) => ({ ...e, x: f(e.x) }),
  narrow: (e, f) => ({ ...e, x: f(e.x) }),
  splat: (e, f) => ({ ...e, x: f(e.x) }),
  pack: (e, f) => ({ ...e, items: e.items.map(f) }),
  extract: (e, f) => ({ ...e, x: f(e.x) }),
  across: (e, f) => ({ ...e, x: f(e.x) }),
};

/** `e` with `f` applied to its operands. */
export function mapOperands<K extends ExprKind>(e: ExprOf[K] & { readonly kind: K }, f: (x: Expr) => Expr): Expr {
  return rebuild[e.kind](e, f);
}

/** The operands of `e`, in order. */
export function operandsOf(e: Expr): Expr[] {
  const found: Expr[] = [];
  mapOperands(e, (x) => {
    found.push(x);
    return x;
  });
  return found;
}

/** Writes statements before the one being rewritten. */
export class StatementWriter {
  #out: Stmt[] = [];
  readonly #prefix: string;
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  push(statement: Stmt): void {
    this.#out.push(statement);
  }

  fresh(): string {
    return `${this.#prefix}${this.#count++}`;
  }

  /** A name for `value`; variables and constants are their own names. */
  bind(value: Expr): Expr {
    if (value.kind === 'var' || value.kind === 'const' || (value.kind === 'splat' && value.x.kind === 'const')) return value;
    const name = this.fresh();
    this.push(declare(name, value));
    return variable(name, value.type.dtype, value.type.lanes);
  }

  /** A local that starts as `initial` and is `write`'s result where `condition` holds. */
  bindIf(condition: Expr, initial: Expr, write: () => Expr): Expr {
    const name = this.fresh();
    this.push(declare(name, initial));
    const then = this.block(() => this.push(assign(name, write())));
    this.push({ kind: 'if', condition, then, else: [] });
    return variable(name, initial.type.dtype, initial.type.lanes);
  }

  /** The statements that `write` writes. */
  block(write: () => void): Stmt[] {
    const outer = this.#out;
    this.#out = [];
    write();
    const inner = this.#out;
    this.#out = outer;
    return inner;
  }
}

/** The statements over other buffers, wherever they name one. */
export function renameBuffers(body: readonly Stmt[], nameOf: (buffer: string) => string): Stmt[] {
  const expr = (e: Expr): Expr => {
    if (e.kind === 'const' || e.kind === 'var') return e;
    const mapped = mapOperands(e, expr);
    return mapped.kind === 'load' ? { ...mapped, buffer: nameOf(mapped.buffer) } : mapped;
  };
  const statements = (list: readonly Stmt[]): Stmt[] => list.map((s) => mapStatement(s, { expr, block: statements, buffer: nameOf }));
  return statements(body);
}

export interface KernelRules {
  /** Prefix of the names the rules make. */
  readonly prefix: string;
  /** The expression in place of `e`, whose operands are rewritten already. */
  readonly expr: (e: Expr, out: StatementWriter) => Expr;
  /** The statement in place of a store, whose operands are rewritten already. */
  readonly store?: (s: Extract<Stmt, { kind: 'store' }>, out: StatementWriter) => Stmt;
}

/** The kernel with `rules` applied everywhere. Where no rule changes anything, the same object. */
export function rewriteKernel(kernel: Kernel, rules: KernelRules): Kernel {
  const out = new StatementWriter(freePrefix(kernel, rules.prefix));
  let changed = false;
  const rewrite = (e: Expr): Expr => {
    if (e.kind === 'const' || e.kind === 'var') return e;
    let same = true;
    const rebuilt = mapOperands(e, (x) => {
      const y = rewrite(x);
      same &&= x === y;
      return y;
    });
    const result = rules.expr(same ? e : rebuilt, out);
    changed ||= result !== e;
    return result;
  };
  const statement = (s: Stmt): void => {
    const mapped = mapStatement(s, { expr: rewrite, block: statements });
    if (mapped.kind !== 'store' || rules.store === undefined) return out.push(mapped);
    const result = rules.store(mapped, out);
    changed ||= result !== mapped;
    out.push(result);
  };
  const statements = (list: readonly Stmt[]): Stmt[] => out.block(() => list.forEach(statement));
  const body = statements(kernel.body);
  return changed ? { ...kernel, body } : kernel;
}

/** `prefix`, lengthened until no name of the kernel starts with it. */
function freePrefix(kernel: Kernel, prefix: string): string {
  const names = new Set([...kernel.params, ...kernel.scratch].map((b) => b.name)).add(kernel.grid.var);
  if (kernel.block !== undefined) names.add(kernel.block.var);
  for (const s of allStatements(kernel.body)) {
    if (s.kind === 'for') names.add(s.var);
    if (s.kind === 'let' || s.kind === 'shuffle') names.add(s.name);
    if (s.kind === 'matrix' && s.step.do === 'declare') names.add(s.step.name);
  }
  let free = prefix;
  while ([...names].some((name) => name.startsWith(free))) free += '_';
  return free;
}
