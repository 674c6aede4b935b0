// One kernel as C: a function over its buffers that runs a range of grid steps, and the wrapper the call table points to.
import type { Expr, Kernel, Stmt, StmtKind } from '../../kernel/ir.ts';
import { lowerSmallFloats } from '../../kernel/smallFloats.ts';
import { expandMath } from '../../kernel/math.ts';
import { bufferDType, exprText } from './expression.ts';
import type { Scope } from './expression.ts';
import type { Prelude } from './prelude.ts';
import { scalarType, storageOf } from './types.ts';

/** As `scratchBytes` in kernel/ir.ts counts. */
const SCRATCH_ALIGNMENT = 64;

type StmtOf = { readonly [K in StmtKind]: Extract<Stmt, { kind: K }> };

interface Lines extends Scope {
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
  const memory = p.memoryVector(storage.c, lanes, storage.bytes);
  if (dtype === 'bool') value = `(-${value})`;
  return `*(${memory} *)(${s.buffer} + ${at}) = ${storage.bytes === 4 ? `(${memory})${value}` : `__builtin_convertvector(${value}, ${memory})`};`;
}

const stmtTexts: { readonly [K in StmtKind]: (s: StmtOf[K], out: Lines, indent: string) => void } = {
  for: (s, out, indent) => {
    if (s.unroll === true) out.lines.push(`${indent}UNROLL`);
    const step = s.step === 1 ? `${s.var}++` : `${s.var} += ${s.step}`;
    out.lines.push(`${indent}for (i64 ${s.var} = ${exprText(s.from, out)}; ${s.var} < ${exprText(s.to, out)}; ${step}) {`);
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
  // A grid step is one thread here.
  barrier: () => undefined,
};

/** An expression that nothing stands beside: the parentheses around an infix one can go. */
function outer(e: Expr, scope: Scope): string {
  const text = exprText(e, scope);
  return (e.kind === 'binary' || e.kind === 'compare') && text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : text;
}

const dispatch = <K extends StmtKind>(s: StmtOf[K] & { readonly kind: K }, out: Lines, indent: string): void => stmtTexts[s.kind](s, out, indent);

function block(body: readonly Stmt[], out: Lines, indent: string): void {
  for (const s of body) dispatch(s, out, indent);
}

/** Any text as a part of an identifier. */
const identifier = (name: string): string => name.replace(/\W/g, '_').slice(0, 48);

/**
 * The C of a kernel. `name` is its symbol; `disjoint` says for each parameter whether its memory overlaps no other's that is written, in
 * every call, so that it may be `restrict`.
 */
export function kernelText(source: Kernel, name: string, disjoint: readonly boolean[], prelude: Prelude): string {
  const kernel = expandMath(lowerSmallFloats(source));
  const buffers = new Map([...kernel.params, ...kernel.scratch].map((b) => [b.name, b.dtype] as const));
  const out: Lines = { prelude, buffers, lines: [] };
  const pointers = kernel.params.map((b) => `${b.access === 'read' ? 'const ' : ''}${storageOf(b.dtype).c} *`);
  const params = kernel.params.map((b, i) => `${pointers[i]}${disjoint[i] === true ? 'restrict ' : ''}${b.name}`);
  out.lines.push(`static void ${name}_steps(${[...params, 'char *scratch', 'i64 begin', 'i64 end'].join(', ')}) {`);
  let offset = 0;
  for (const s of kernel.scratch) {
    const { c, bytes } = storageOf(s.dtype);
    out.lines.push(`  ${c} *restrict ${s.name} = (${c} *)(scratch + ${offset});`);
    offset += Math.ceil((s.elements * bytes) / SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT;
  }
  const grid = kernel.grid.var;
  out.lines.push(`  for (${scalarType('index')} ${grid} = begin; ${grid} < end; ${grid}++) {`);
  block(kernel.body, out, '    ');
  out.lines.push('  }', '}');
  const args = kernel.params.map((_, i) => `(${pointers[i]})p[${i}]`);
  out.lines.push(`HIDDEN void ${name}(char *const *p, char *scratch, i64 begin, i64 end) {`, `  ${name}_steps(${[...args, 'scratch', 'begin', 'end'].join(', ')});`, '}');
  return `${out.lines.join('\n')}\n`;
}

/** The symbol of the kernel at `position` in its module. */
export const kernelSymbol = (kernel: Kernel, position: number): string => `k${position}_${identifier(kernel.name)}`;
