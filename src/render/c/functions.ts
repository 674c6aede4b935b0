// The functions of kernel IR in C: total tables from function to text. Mathematics is gone by now (kernel/math.ts).
// Operands arrive as C expressions that need no parentheses around them.
import { invariant } from '../../core/error.ts';
import { isMathBinary, isMathUnary } from '../../kernel/math.ts';
import type { MathBinary, MathUnary } from '../../kernel/math.ts';
import type { BinaryFn, CompareFn, ComputeDType, ExprType, UnaryFn } from '../../kernel/ir.ts';
import type { Prelude } from './prelude.ts';

type UnaryText = (p: Prelude, type: ExprType, x: string) => string;
type BinaryText = (p: Prelude, type: ExprType, a: string, b: string) => string;

const isReal = (dtype: ComputeDType): boolean => dtype === 'f32' || dtype === 'f64';
const isVector = (type: ExprType): boolean => type.lanes > 1;
const suffix = (type: ExprType): string => (type.dtype === 'f32' ? 'f' : '');

/** A function that compilers know; on machines that lack the instruction it is the C library's. */
const builtin =
  (name: string): UnaryText =>
  (p, type, x) =>
    `${p.lanewise(name, type, [type], `__builtin_${name}${suffix(type)}(a)`)}(${x})`;

const unaryTexts: { readonly [F in Exclude<UnaryFn, MathUnary>]: UnaryText } = {
  neg: (_, __, x) => `(-${x})`,
  abs: (p, type, x) => (isReal(type.dtype) ? builtin('fabs')(p, type, x) : `${p.lanewise('abs', type, [type], 'a < 0 ? -a : a')}(${x})`),
  floor: builtin('floor'),
  ceil: builtin('ceil'),
  rint: builtin('rint'),
  trunc: builtin('trunc'),
  sqrt: builtin('sqrt'),
  not: (_, type, x) => (isVector(type) ? `(~${x})` : `(!${x})`),
  bitNot: (_, __, x) => `(~${x})`,
};

const infix =
  (operator: string): BinaryText =>
  (_, __, a, b) =>
    `(${a} ${operator} ${b})`;
const least: BinaryText = (p, type, a, b) => `${p.lanewise('min', type, [type, type], 'a < b ? a : b')}(${a}, ${b})`;
const greatest: BinaryText = (p, type, a, b) => `${p.lanewise('max', type, [type, type], 'a > b ? a : b')}(${a}, ${b})`;

const binaryTexts: { readonly [F in Exclude<BinaryFn, MathBinary>]: BinaryText } = {
  add: infix('+'),
  sub: infix('-'),
  mul: infix('*'),
  div: infix('/'),
  rem: infix('%'),
  min: least,
  max: greatest,
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

/** a·b + c: one instruction where the machine has it, two where a fused one would be a slow call. */
export function fmaText(p: Prelude, type: ExprType, a: string, b: string, c: string): string {
  const fused = suffix(type) === 'f' ? 'FMA_F32' : 'FMA_F64';
  p.use('FMA', () =>
    [
      '#if defined(__FMA__) || defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)',
      '#define FMA_F32(a, b, c) __builtin_fmaf(a, b, c)',
      '#define FMA_F64(a, b, c) __builtin_fma(a, b, c)',
      '#else',
      '#define FMA_F32(a, b, c) ((a) * (b) + (c))',
      '#define FMA_F64(a, b, c) ((a) * (b) + (c))',
      '#endif\n',
    ].join('\n'),
  );
  return `${p.lanewise('fma', type, [type, type, type], `${fused}(a, b, c)`)}(${a}, ${b}, ${c})`;
}

/** Masks choose bits; scalars choose values. */
export function selectText(p: Prelude, type: ExprType, condition: string, a: string, b: string): string {
  if (!isVector(type)) return `(${condition} ? ${a} : ${b})`;
  const mask = p.type({ dtype: 'i32', lanes: type.lanes });
  const name = p.type(type);
  const select = p.inline(`select_${name}`, `${name} select_${name}(${mask} m, ${name} a, ${name} b)`, `return (${name})((m & (${mask})a) | (~m & (${mask})b));`);
  return `${select}(${condition}, ${a}, ${b})`;
}
