// The functions of kernel IR in C: total tables from function to text. Mathematics is gone by now (kernel/math.ts).
// Operands arrive as C expressions that need no parentheses around them.
import { invariant } from '../../core/error.ts';
import type { WordParts } from '../../core/words.ts';
import { isMathBinary, isMathUnary } from '../../kernel/math.ts';
import type { MathBinary, MathUnary } from '../../kernel/math.ts';
import type { BinaryFn, CompareFn, ComputeDType, ExprType, UnaryFn } from '../../kernel/ir.ts';
import type { Real, RealFunction } from './dialect.ts';
import type { Prelude } from './prelude.ts';

type UnaryText = (p: Prelude, type: ExprType, x: string) => string;
type BinaryText = (p: Prelude, type: ExprType, a: string, b: string) => string;

const isReal = (dtype: ComputeDType): dtype is Real => dtype === 'f32' || dtype === 'f64';
const isVector = (type: ExprType): boolean => type.lanes > 1;

const real =
  (fn: RealFunction): UnaryText =>
  (p, type, x) => {
    invariant(isReal(type.dtype), `${fn} of ${type.dtype}`);
    return `${p.lanewise(fn, type, [type], `${p.dialect.real(fn, type.dtype)}(a)`)}(${x})`;
  };

const unaryTexts: { readonly [F in Exclude<UnaryFn, MathUnary>]: UnaryText } = {
  neg: (_, __, x) => `(-${x})`,
  abs: (p, type, x) => (isReal(type.dtype) ? real('fabs')(p, type, x) : `${p.lanewise('abs', type, [type], 'a < 0 ? -a : a')}(${x})`),
  floor: real('floor'),
  ceil: real('ceil'),
  rint: real('rint'),
  trunc: real('trunc'),
  sqrt: real('sqrt'),
  not: (_, type, x) => (isVector(type) ? `(~${x})` : `(!${x})`),
  bitNot: (_, __, x) => `(~${x})`,
};

const infix =
  (operator: string): BinaryText =>
  (_, __, a, b) =>
    `(${a} ${operator} ${b})`;
/** The second where either is no number. */
const extreme =
  (fn: 'min' | 'max'): BinaryText =>
  (p, type, a, b) => {
    const plain = fn === 'min' ? 'a < b ? a : b' : 'a > b ? a : b';
    return `${p.dialect.extreme?.(p, fn, type, plain) ?? p.lanewise(fn, type, [type, type], plain)}(${a}, ${b})`;
  };

const binaryTexts: { readonly [F in Exclude<BinaryFn, MathBinary>]: BinaryText } = {
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: infix('/'),
  rem: infix('%'),
  min: extreme('min'),
  max: extreme('max'),
  and: infix('&'),
  or: infix('|'),
  xor: infix('^'),
  shl: infix('<<'),
  shr: infix('>>'),
};

const compareOperators: { readonly [F in CompareFn]: string } = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' };

export function unaryText(p: Prelude, fn: UnaryFn, type: ExprType, x: string): string {
  invariant(!isMathUnary(fn), `${fn} has not been expanded`);
  return unaryTexts[fn](p, type, x);
}

export function binaryText(p: Prelude, fn: BinaryFn, type: ExprType, a: string, b: string): string {
  invariant(!isMathBinary(fn) && !(fn === 'rem' && isReal(type.dtype)), `${fn} has not been expanded`);
  return binaryTexts[fn](p, type, a, b);
}

/** Comparing vectors gives masks. */
export const compareText = (fn: CompareFn, a: string, b: string): string => `(${a} ${compareOperators[fn]} ${b})`;

/** a·b + c: one instruction where the machine has it. */
export function fmaText(p: Prelude, type: ExprType, a: string, b: string, c: string): string {
  invariant(isReal(type.dtype), `fma of ${type.dtype}`);
  return `${p.lanewise('fma', type, [type, type, type], `${p.dialect.fma(p, type.dtype)}(a, b, c)`)}(${a}, ${b}, ${c})`;
}

/** c + the products of the parts of two words; `plain` says so for scalars a, b, c. */
export function dotText(p: Prelude, parts: WordParts, type: ExprType, plain: string, [a, b, c]: readonly [string, string, string]): string {
  const name = p.dialect.dot?.(p, parts, type, plain) ?? p.lanewise(`dot_${parts}`, type, [type, type, type], plain);
  return `${name}(${a}, ${b}, ${c})`;
}

/** Masks choose lanes; scalars choose values. */
export const selectText = (p: Prelude, type: ExprType, condition: string, a: string, b: string): string =>
  isVector(type) ? p.dialect.vectors.select(p, type, condition, a, b) : `(${condition} ? ${a} : ${b})`;
