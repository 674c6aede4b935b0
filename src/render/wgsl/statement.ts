// Kernel statements as WGSL: one total table from kind to lines.
import { dtypes } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import type { Expr, Stmt, StmtKind } from '../../kernel/ir.ts';
import { exprText, memoryOf } from './expression.ts';
import type { Scope } from './expression.ts';
import { typeNames } from './types.ts';

type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

export interface Lines extends Scope {
  readonly lines: string[];
  /** What makes the threads of a block wait for each other. */
  readonly barrier: string;
}

const noScratchpad = (): never => {
  throw new AnychipError('internal', 'WGSL has neither scratchpads, copies beside other work nor matrix units: the schedule must not ask for them');
};

const stmtTexts: { readonly [K in StmtKind]: (s: StmtOf[K], out: Lines, indent: string) => void } = {
  for: (s, out, indent) => {
    out.lines.push(`${indent}for (var ${s.var}: i32 = ${exprText(s.from, out)}; ${s.var} < ${exprText(s.to, out)}; ${s.var} += ${s.step}i) {`);
    block(s.body, out, `${indent}  `);
    out.lines.push(`${indent}}`);
  },
  let: (s, out, indent) => void out.lines.push(`${indent}var ${s.name}: ${typeNames[s.value.type.dtype]} = ${exprText(s.value, out)};`),
  assign: (s, out, indent) => void out.lines.push(`${indent}${s.name} = ${exprText(s.value, out)};`),
  store: (s, out, indent) => {
    const memory = memoryOf(out, s.buffer);
    const { bits, class: kind } = dtypes[memory.dtype];
    const narrowed: Expr = (kind === 'int' || kind === 'uint') && bits < 32 ? { kind: 'narrow', type: s.value.type, to: memory.dtype, x: s.value } : s.value;
    out.lines.push(indent + memory.store(exprText(s.index, out), exprText(narrowed, out)));
  },
  if: (s, out, indent) => {
    out.lines.push(`${indent}if (${exprText(s.condition, out)}) {`);
    block(s.then, out, `${indent}  `);
    if (s.else.length > 0) {
      out.lines.push(`${indent}} else {`);
      block(s.else, out, `${indent}  `);
    }
    out.lines.push(`${indent}}`);
  },
  barrier: (_, out, indent) => void out.lines.push(indent + out.barrier),
  shuffle: (s, out, indent) => {
    const x = exprText(s.value, out);
    const { dtype } = s.value.type;
    // Truth has no shuffle of its own.
    const taken = dtype === 'bool' ? `(subgroupShuffleXor(select(0u, 1u, ${x}), ${s.mask}u) != 0u)` : `subgroupShuffleXor(${x}, ${s.mask}u)`;
    out.lines.push(`${indent}let ${s.name}: ${typeNames[dtype]} = ${taken};`);
  },
  fetch: noScratchpad,
  commit: noScratchpad,
  await: noScratchpad,
  copy: noScratchpad,
  signal: noScratchpad,
  wait: noScratchpad,
  matrix: noScratchpad,
};

const dispatch = <K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }, out: Lines, indent: string): void => stmtTexts[s.kind](s, out, indent);

/** Prints `body` line by line. */
export function block(body: readonly Stmt[], out: Lines, indent: string): void {
  for (const s of body) dispatch(s, out, indent);
}
