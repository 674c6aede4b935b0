// Statements as trees: what lies within one, and the same statement over other parts. Total, so that a new kind of statement cannot be forgotten.
import type { Expr, Fragment, Place, Rows, Stmt, StmtKind } from './ir.ts';
import { mapPlace, mapPlaceExprs } from './matrix.ts';

type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

/** The blocks of statements within `s`: the body of a loop, both branches of a condition. */
export const blocksOf = (s: Stmt): readonly (readonly Stmt[])[] => (s.kind === 'for' ? [s.body] : s.kind === 'if' ? [s.then, s.else] : []);

/** The statements and all within them, in the order of the text. */
export const allStatements = (body: readonly Stmt[]): readonly Stmt[] => body.flatMap((s) => [s, ...blocksOf(s).flatMap(allStatements)]);

/** Locals that statements assign to. */
export const assignedIn = (body: readonly Stmt[]): Set<string> => new Set(allStatements(body).flatMap((s) => (s.kind === 'assign' ? [s.name] : [])));

/** The fragments that statements declare, by name. */
export const declaredIn = (body: readonly Stmt[]): readonly (readonly [name: string, fragment: Fragment])[] =>
  allStatements(body).flatMap((s): readonly (readonly [string, Fragment])[] => (s.kind === 'matrix' && s.step.do === 'declare' ? [[s.step.name, s.step.fragment]] : []));

/** What takes the place of a statement's parts, asked for in the order of the text. */
export interface StatementParts {
  readonly expr: (e: Expr) => Expr;
  readonly block: (body: readonly Stmt[]) => readonly Stmt[];
  /** What its buffers are called; as before where absent. */
  readonly buffer?: (name: string) => string;
}

const same = (name: string): string => name;

function mapAt<P extends Place | Rows>(at: P, { expr, buffer = same }: StatementParts): P {
  return { ...at, buffer: buffer(at.buffer), index: expr(at.index) };
}

const rebuild: { readonly [K in StmtKind]: (s: StmtOf[K], parts: StatementParts) => Stmt } = {
  for: (s, { expr, block }) => ({ ...s, from: expr(s.from), to: expr(s.to), body: block(s.body) }),
  if: (s, { expr, block }) => ({ ...s, condition: expr(s.condition), then: block(s.then), else: block(s.else) }),
  let: (s, { expr }) => ({ ...s, value: expr(s.value) }),
  assign: (s, { expr }) => ({ ...s, value: expr(s.value) }),
  shuffle: (s, { expr }) => ({ ...s, value: expr(s.value) }),
  store: (s, { expr, buffer = same }) => ({ ...s, buffer: buffer(s.buffer), index: expr(s.index), value: expr(s.value) }),
  fetch: (s, parts) => ({ ...s, to: mapAt(s.to, parts), from: mapAt(s.from, parts), ...(s.when === undefined ? {} : { when: parts.expr(s.when) }) }),
  copy: (s, parts) => ({ ...s, to: mapAt(s.to, parts), from: mapAt(s.from, parts), rows: parts.expr(s.rows), elements: parts.expr(s.elements) }),
  matrix: (s, { expr, buffer = same }) => ({ ...s, step: mapPlace(s.step, (at) => ({ ...mapPlaceExprs(at, expr), buffer: buffer(at.buffer) })) }),
  barrier: (s) => s,
  commit: (s) => s,
  await: (s) => s,
  signal: (s) => s,
  wait: (s) => s,
};

/** `s` over other parts. */
export function mapStatement<K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }, parts: StatementParts): Stmt {
  return rebuild[s.kind](s, parts);
}
