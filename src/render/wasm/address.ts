// Addresses: an index becomes a sum of terms, those of outer loops first, so that engines move what does not change out of inner loops;
// what is constant goes into the instruction's offset, which costs nothing.
import type { Expr } from '../../kernel/ir.ts';
import { operandsOf } from '../../kernel/rewriteKernel.ts';
import type { Scope } from './scope.ts';

interface Term {
  readonly atom: Expr;
  /** In bytes. */
  coefficient: number;
}

/** Σ coefficient·atom + constant. */
interface Linear {
  readonly terms: Map<string, Term>;
  constant: number;
}

/** The number an index expression is known to be. */
export function constantOf(e: Expr, scope: Scope): number | undefined {
  if (e.kind === 'const') return Number(e.value);
  if (e.kind === 'var') {
    const binding = scope.binding(e.name);
    return binding.kind === 'constant' ? binding.value : undefined;
  }
  if (e.kind !== 'binary') return undefined;
  const [a, b] = [constantOf(e.a, scope), constantOf(e.b, scope)];
  if (a === undefined || b === undefined) return undefined;
  switch (e.fn) {
    case 'add':
      return a + b;
    case 'sub':
      return a - b;
    case 'mul':
      return a * b;
    case 'div':
      return Math.trunc(a / b);
    case 'rem':
      return a % b;
    case 'min':
      return Math.min(a, b);
    case 'max':
      return Math.max(a, b);
    default:
      return undefined;
  }
}

/** Whether an index expression is at least 0, as far as can be seen; loop variables are, and what is made of them by sums and products. */
export function isNatural(e: Expr, scope: Scope): boolean {
  if (e.kind === 'const') return Number(e.value) >= 0;
  if (e.kind === 'var') {
    const binding = scope.binding(e.name);
    return binding.kind === 'constant' ? binding.value >= 0 : binding.isNatural;
  }
  if (e.kind !== 'binary') return false;
  const [a, b] = [isNatural(e.a, scope), isNatural(e.b, scope)];
  if (e.fn === 'max') return a || b;
  return a && b && (e.fn === 'add' || e.fn === 'mul' || e.fn === 'div' || e.fn === 'rem' || e.fn === 'min');
}

function collect(e: Expr, factor: number, scope: Scope, into: Linear): void {
  const known = constantOf(e, scope);
  if (known !== undefined) {
    into.constant += known * factor;
    return;
  }
  if (e.kind === 'binary' && (e.fn === 'add' || e.fn === 'sub')) {
    collect(e.a, factor, scope, into);
    collect(e.b, e.fn === 'add' ? factor : -factor, scope, into);
    return;
  }
  if (e.kind === 'binary' && e.fn === 'mul') {
    const [a, b] = [constantOf(e.a, scope), constantOf(e.b, scope)];
    if (b !== undefined) return collect(e.a, factor * b, scope, into);
    if (a !== undefined) return collect(e.b, factor * a, scope, into);
  }
  const key = e.kind === 'var' ? e.name : `#${into.terms.size}`;
  const term = into.terms.get(key);
  if (term === undefined) into.terms.set(key, { atom: e, coefficient: factor });
  else term.coefficient += factor;
}

/** Loops around the innermost variable in `e`; what is loaded belongs where it is. */
function depthOf(e: Expr, scope: Scope): number {
  if (e.kind === 'var') {
    const binding = scope.binding(e.name);
    return binding.kind === 'constant' ? 0 : binding.depth;
  }
  return e.kind === 'load' ? scope.depth : operandsOf(e).reduce((most, x) => Math.max(most, depthOf(x, scope)), 0);
}

const log2 = (x: number): number | undefined => (x > 0 && Number.isInteger(Math.log2(x)) ? Math.log2(x) : undefined);

/** The product of the index on the stack and a constant. */
function scale(coefficient: number, scope: Scope): void {
  const shift = log2(coefficient);
  if (coefficient === 1) return;
  scope.code.emit('i32.const', shift ?? coefficient);
  scope.code.emit(shift === undefined ? 'i32.mul' : 'i32.shl');
}

/** Offsets below this are instructions' own. */
const MAX_OFFSET = 2 ** 31;

/**
 * Writes the address of element `at` of a buffer but for a constant, which it returns: the offset for the instruction. It stays
 * out of the sum only if all else is sure not to be negative, since the offset is added without wrapping.
 */
export function pushAddress(buffer: string, at: Expr, elementBytes: number, scope: Scope, push: (e: Expr) => void): number {
  const place = scope.buffer(buffer);
  const sum: Linear = { terms: new Map(), constant: place.offset };
  collect(at, elementBytes, scope, sum);
  const terms = [...sum.terms.values()].filter((t) => t.coefficient !== 0).map((t) => ({ ...t, depth: depthOf(t.atom, scope) }));
  const folds = sum.constant >= 0 && sum.constant < MAX_OFFSET && terms.every((t) => t.coefficient > 0 && isNatural(t.atom, scope));
  const { code } = scope;
  code.get(place.local);
  for (const { atom, coefficient } of terms.sort((a, b) => a.depth - b.depth)) {
    push(atom);
    scale(coefficient, scope);
    code.emit('i32.add');
  }
  if (folds) return sum.constant;
  if (sum.constant !== 0) {
    code.emit('i32.const', sum.constant);
    code.emit('i32.add');
  }
  return 0;
}
