// Index expressions as sums: terms of outer loops first, so that engines move what does not change out of inner loops, and a constant,
// which costs nothing in the offset of an instruction. Sums that differ by a constant only share a local.
import type { Expr } from '../../kernel/ir.ts';
import { operandsOf } from '../../kernel/rewriteKernel.ts';
import type { Scope } from './scope.ts';

type Push = (e: Expr) => void;

interface Term {
  /** Equal keys stand for equal values as long as they are in sight; undefined where that is not known. */
  readonly key: string | undefined;
  coefficient: number;
  /** How many loops are around what it is made of. */
  readonly depth: number;
  /** Known to be at least 0. */
  readonly isNatural: boolean;
  readonly push: () => void;
}

/** Σ coefficient·term + constant. */
interface Sum {
  readonly terms: readonly Term[];
  readonly constant: number;
}

const fold: Partial<Record<Extract<Expr, { kind: 'binary' }>['fn'], (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => Math.trunc(a / b),
  rem: (a, b) => a % b,
  min: Math.min,
  max: Math.max,
};

/** The number an index expression is known to be. */
export function constantOf(e: Expr, scope: Scope): number | undefined {
  if (e.kind === 'const') return Number(e.value);
  if (e.kind === 'var') {
    const { local, plus } = scope.binding(e.name);
    return local === undefined ? plus : undefined;
  }
  if (e.kind !== 'binary') return undefined;
  const [a, b] = [constantOf(e.a, scope), constantOf(e.b, scope)];
  return a === undefined || b === undefined ? undefined : fold[e.fn]?.(a, b);
}

/** Operations on integers of at least 0 that give such integers. */
const NATURAL: ReadonlySet<string> = new Set(['add', 'mul', 'div', 'rem', 'min']);

/** Whether an index expression is at least 0, as far as can be seen: loop variables are, and sums and products of them. */
export function isNatural(e: Expr, scope: Scope): boolean {
  if (e.kind === 'const') return Number(e.value) >= 0;
  if (e.kind === 'var') {
    const binding = scope.binding(e.name);
    return binding.isNatural && binding.plus >= 0;
  }
  if (e.kind !== 'binary') return false;
  const [a, b] = [isNatural(e.a, scope), isNatural(e.b, scope)];
  return e.fn === 'max' ? a || b : a && b && NATURAL.has(e.fn);
}

/** Loops around the innermost variable in `e`; what is loaded belongs where it is. */
function depthOf(e: Expr, scope: Scope): number {
  if (e.kind === 'var') return scope.binding(e.name).depth;
  return e.kind === 'load' ? scope.depth : operandsOf(e).reduce((most, x) => Math.max(most, depthOf(x, scope)), 0);
}

/** `e`·factor + constant, as a sum. */
function sumOf(e: Expr, factor: number, constant: number, scope: Scope, push: Push): Sum {
  const terms: Term[] = [];
  let rest = constant;
  const add = (term: Term): void => {
    const known = term.key === undefined ? undefined : terms.find((t) => t.key === term.key);
    if (known === undefined) terms.push(term);
    else known.coefficient += term.coefficient;
  };
  const collect = (x: Expr, by: number): void => {
    const known = constantOf(x, scope);
    if (known !== undefined) return void (rest += known * by);
    if (x.kind === 'var') {
      const { local, plus, depth, isNatural, isFixed } = scope.binding(x.name);
      rest += plus * by;
      return add({ key: isFixed ? `${local}` : undefined, coefficient: by, depth, isNatural, push: () => scope.code.get(local!) });
    }
    if (x.kind === 'binary' && (x.fn === 'add' || x.fn === 'sub')) {
      collect(x.a, by);
      return collect(x.b, x.fn === 'add' ? by : -by);
    }
    if (x.kind === 'binary' && x.fn === 'mul') {
      const [a, b] = [constantOf(x.a, scope), constantOf(x.b, scope)];
      if (b !== undefined) return collect(x.a, by * b);
      if (a !== undefined) return collect(x.b, by * a);
    }
    add({ key: undefined, coefficient: by, depth: depthOf(x, scope), isNatural: isNatural(x, scope), push: () => push(x) });
  };
  collect(e, factor);
  return { terms: terms.filter((t) => t.coefficient !== 0).sort((a, b) => a.depth - b.depth), constant: rest };
}

const isSumNatural = ({ terms }: Sum): boolean => terms.every((t) => t.coefficient > 0 && t.isNatural);

function pushTerm({ coefficient, push }: Term, scope: Scope): void {
  push();
  if (coefficient === 1) return;
  const shift = Math.log2(coefficient);
  const isShift = Number.isInteger(shift);
  scope.code.emit('i32.const', isShift ? shift : coefficient);
  scope.code.emit(isShift ? 'i32.shl' : 'i32.mul');
}

/** Gives an index its name: a constant, or a local that other names may share, and a constant beside it. */
export function bindIndex(name: string, value: Expr, scope: Scope, push: Push): void {
  const sum = sumOf(value, 1, 0, scope, push);
  const { terms, constant: plus } = sum;
  const depth = terms.reduce((most, t) => Math.max(most, t.depth), 0);
  const bind = (local: number | undefined): void => scope.bind(name, { local, plus, depth, isNatural: isSumNatural(sum), isFixed: true });
  if (terms.length === 0) return bind(undefined);
  const isKeyed = terms.every((t) => t.key !== undefined);
  const key = terms.map((t) => `${t.coefficient}*${t.key}`).join('+');
  const known = isKeyed ? (terms.length === 1 && terms[0]!.coefficient === 1 ? Number(terms[0]!.key) : scope.knownSum(key)) : undefined;
  if (known !== undefined) return bind(known);
  terms.forEach((term, i) => {
    pushTerm(term, scope);
    if (i > 0) scope.code.emit('i32.add');
  });
  const local = scope.own('i32');
  scope.code.set(local);
  if (isKeyed) scope.rememberSum(key, local);
  bind(local);
}

/** Offsets below this are instructions' own. */
const MAX_OFFSET = 2 ** 31;

/**
 * Writes the address of element `at` of a buffer but for a constant, which it returns: the offset for the instruction. It stays
 * out of the sum only if all else is sure not to be negative, since the offset is added without wrapping.
 */
export function pushAddress(buffer: string, at: Expr, elementBytes: number, scope: Scope, push: Push): number {
  const place = scope.buffer(buffer);
  const sum = sumOf(at, elementBytes, place.offset, scope, push);
  const { code } = scope;
  code.get(place.local);
  for (const term of sum.terms) {
    pushTerm(term, scope);
    code.emit('i32.add');
  }
  if (sum.constant >= 0 && sum.constant < MAX_OFFSET && isSumNatural(sum)) return sum.constant;
  if (sum.constant === 0) return 0;
  code.emit('i32.const', sum.constant);
  code.emit('i32.add');
  return 0;
}
