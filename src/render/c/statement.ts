// Kernel statements in the languages of C's family: one total table from kind to lines.
import type { Expr, Stmt, StmtKind } from '../../kernel/ir.ts';
import { bufferDType, exprText } from './expression.ts';
import type { Scope } from './expression.ts';
import { storageOf } from './types.ts';

type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

export interface Lines extends Scope {
  readonly lines: string[];
}

function storeText(s: StmtOf['store'], scope: Scope): string {
  const storage = storageOf(bufferDType(scope, s.buffer));
  const p = scope.prelude;
  const { dtype, lanes } = s.value.type;
  const at = exprText(s.index, scope);
  let value = exprText(s.value, scope);
  if (storage.bits !== undefined) value = exprText({ kind: 'narrow', type: s.value.type, to: bufferDType(scope, s.buffer), x: s.value }, scope);
  if (lanes === 1) return `${s.buffer}[${at}] = ${storage.bytes < 4 ? `(${storage.c})${value}` : value};`;
  return p.dialect.vectors.store(p, storage, s.value.type, `${s.buffer} + ${at}`, dtype === 'bool' ? `(-${value})` : value);
}

const stmtTexts: { readonly [K in StmtKind]: (s: StmtOf[K], out: Lines, indent: string) => void } = {
  for: (s, out, indent) => {
    const { index, unroll } = out.prelude.dialect;
    if (s.unroll === true) out.lines.push(`${indent}${unroll}`);
    const step = s.step === 1 ? `${s.var}++` : `${s.var} += ${s.step}`;
    out.lines.push(`${indent}for (${index} ${s.var} = ${exprText(s.from, out)}; ${s.var} < ${exprText(s.to, out)}; ${step}) {`);
    block(s.body, out, `${indent}  `);
    out.lines.push(`${indent}}`);
  },
  let: (s, out, indent) => void out.lines.push(`${indent}${out.prelude.type(s.value.type)} ${s.name} = ${outer(s.value, out)};`),
  assign: (s, out, indent) => void out.lines.push(`${indent}${s.name} = ${outer(s.value, out)};`),
  store: (s, out, indent) => void out.lines.push(indent + storeText(s, out)),
  if: (s, out, indent) => {
    out.lines.push(`${indent}if (${outer(s.condition, out)}) {`);
    block(s.then, out, `${indent}  `);
    if (s.else.length > 0) {
      out.lines.push(`${indent}} else {`);
      block(s.else, out, `${indent}  `);
    }
    out.lines.push(`${indent}}`);
  },
  barrier: (_, out, indent) => {
    const { barrier } = out.prelude.dialect;
    if (barrier !== '') out.lines.push(indent + barrier);
  },
};

/** An expression that nothing stands beside: the parentheses around an infix one can go. */
function outer(e: Expr, scope: Scope): string {
  const text = exprText(e, scope);
  return (e.kind === 'binary' || e.kind === 'compare') && text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : text;
}

const dispatch = <K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }, out: Lines, indent: string): void => stmtTexts[s.kind](s, out, indent);

/** Prints `body` line by line. */
export function block(body: readonly Stmt[], out: Lines, indent: string): void {
  for (const s of body) dispatch(s, out, indent);
}
