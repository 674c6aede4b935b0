// Kernel expressions as WGSL: total tables from kind and function to text. Every text can stand as an operand without parentheses.
// Threads are scalar: there are no vectors here.
import { AnychipError, invariant } from '../../core/error.ts';
import { dtypes } from '../../core/dtype.ts';
import { expandDot } from '../../kernel/expandDot.ts';
import { isMathBinary, isMathUnary } from '../../kernel/math.ts';
import type { MathBinary, MathUnary } from '../../kernel/math.ts';
import type { BinaryFn, CompareFn, ComputeDType, Expr, ExprKind, UnaryFn } from '../../kernel/ir.ts';
import type { ExprOf } from '../../kernel/rewriteKernel.ts';
import type { Library } from './library.ts';
import type { Memory } from './memory.ts';
import { constantText, isWide, typeNames } from './types.ts';

export interface Scope {
  readonly library: Library;
  readonly buffers: ReadonlyMap<string, Memory>;
}

export function memoryOf(scope: Scope, name: string): Memory {
  const memory = scope.buffers.get(name);
  invariant(memory !== undefined, `the kernel has no buffer ${name}`);
  return memory;
}

type Text = (library: Library, dtype: ComputeDType, ...operands: readonly string[]) => string;

/** A function of the library, named by what it does and the type it does it to. */
const call =
  (fn: string, typeOf: (dtype: ComputeDType) => string = (dtype) => dtype): Text =>
  (library, dtype, ...operands) =>
    `${library.use(`${fn}_${typeOf(dtype)}`)}(${operands.join(', ')})`;
/** Where the sign does not matter. */
const bits = (dtype: ComputeDType): string => (dtype === 'i64' ? 'u64' : dtype);
const builtin =
  (name: string): Text =>
  (_, __, ...operands) =>
    `${name}(${operands.join(', ')})`;
const infix =
  (operator: string): Text =>
  (_, __, a, b) =>
    `(${a} ${operator} ${b})`;
const prefix =
  (operator: string): Text =>
  (_, __, x) =>
    `(${operator}${x})`;
/** One way for words, another for pairs of them. */
const by =
  (narrow: Text, wide: Text): Text =>
  (library, dtype, ...operands) =>
    (isWide(dtype) ? wide : narrow)(library, dtype, ...operands);

const unaryTexts: { readonly [F in Exclude<UnaryFn, MathUnary>]: Text } = {
  neg: by((library, dtype, x) => (dtype === 'u32' ? `(${library.use('kept_u32')}(0u) - ${x})` : `(-${x})`), call('neg', bits)),
  abs: by(builtin('abs'), (library, dtype, x) => (dtype === 'u64' ? x! : call('abs')(library, dtype, x!))),
  floor: by(builtin('floor'), call('floor')),
  ceil: by(builtin('ceil'), call('ceil')),
  rint: by(builtin('round'), call('rint')),
  trunc: by(builtin('trunc'), call('trunc')),
  sqrt: by(builtin('sqrt'), call('sqrt')),
  not: prefix('!'),
  bitNot: prefix('~'),
};

const choose =
  (fn: 'lt' | 'gt'): Text =>
  (library, dtype, a, b) =>
    `select(${b}, ${a}, ${compareText(fn, dtype, a!, b!, library)})`;
const shift =
  (operator: string): Text =>
  (_, dtype, a, b) =>
    `(${a} ${operator} ${dtype === 'u32' ? b : `u32(${b})`})`;
const shiftWide =
  (fn: string, typeOf?: (dtype: ComputeDType) => string): Text =>
  (library, dtype, a, b) =>
    call(fn, typeOf)(library, dtype, a!, `${b}.x`);
const extreme = (fn: 'min' | 'max'): Text => by((library, dtype, a, b) => (dtype === 'f32' ? call(fn) : builtin(fn))(library, dtype, a!, b!), choose(fn === 'min' ? 'lt' : 'gt'));

const binaryTexts: { readonly [F in Exclude<BinaryFn, MathBinary>]: Text } = {
  add: by(infix('+'), call('add', bits)),
  sub: by(infix('-'), call('sub', bits)),
  mul: by(infix('*'), call('mul', bits)),
  div: by(infix('/'), call('div')),
  rem: by(infix('%'), call('rem')),
  min: extreme('min'),
  max: extreme('max'),
  and: infix('&'),
  or: infix('|'),
  xor: (library, dtype, a, b) => infix(dtype === 'bool' ? '!=' : '^')(library, dtype, a!, b!),
  shl: by(shift('<<'), shiftWide('shl', bits)),
  shr: by(shift('>>'), shiftWide('shr')),
};

const equal: Text = (library, dtype, a, b) => (dtype === 'f64' ? call('eq')(library, dtype, a!, b!) : `all(${a} == ${b})`);
const less = call('lt');
const wideCompares: { readonly [F in CompareFn]: Text } = {
  eq: equal,
  ne: (library, dtype, a, b) => `(!${equal(library, dtype, a!, b!)})`,
  lt: less,
  gt: (library, dtype, a, b) => less(library, dtype, b!, a!),
  le: (library, dtype, a, b) => `(${less(library, dtype, a!, b!)} || ${equal(library, dtype, a!, b!)})`,
  ge: (library, dtype, a, b) => `(${less(library, dtype, b!, a!)} || ${equal(library, dtype, a!, b!)})`,
};
const compareOperators: { readonly [F in CompareFn]: string } = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' };

function compareText(fn: CompareFn, dtype: ComputeDType, a: string, b: string, library: Library): string {
  if (isWide(dtype)) return wideCompares[fn](library, dtype, a, b);
  // How the IR asks whether x is a number.
  if (dtype === 'f32' && a === b && fn === 'ne') return `${library.use('nan_f32')}(${a})`;
  if (dtype === 'f32' && a === b && fn === 'eq') return `(!${library.use('nan_f32')}(${a}))`;
  return `(${a} ${compareOperators[fn]} ${b})`;
}

/** Whether the text is an expression that a compiler evaluates. */
function isFixed(e: Expr): boolean {
  if (e.kind === 'const') return !isWide(e.type.dtype);
  return (e.kind === 'unary' || e.kind === 'cast' || e.kind === 'narrow') && isFixed(e.x);
}

/** Keeps a compiler from evaluating `e`: some results would be errors. */
function kept(e: Expr, text: string, library: Library): string {
  const { dtype } = e.type;
  if (dtype === 'f32') return text.startsWith('kept_') ? text : `${library.use('kept_f32')}(bitcast<u32>(${text}))`;
  return dtype === 'bool' ? text : `${library.use(dtype === 'u32' ? 'kept_u32' : 'kept_i32')}(${text})`;
}

function binaryOf(e: ExprOf['binary'], scope: Scope): string {
  const { library } = scope;
  const { dtype } = e.type;
  invariant(!isMathBinary(e.fn) && !(e.fn === 'rem' && (dtype === 'f32' || dtype === 'f64')), `${e.fn} has not been expanded`);
  const [a, b] = [exprText(e.a, scope), exprText(e.b, scope)];
  const isFolded = isFixed(e.a) && isFixed(e.b);
  const mayBeZero = (e.fn === 'div' || e.fn === 'rem') && isFixed(e.b) && !(e.b.kind === 'const' && Number(e.b.value) > 0);
  return binaryTexts[e.fn](library, dtype, isFolded ? kept(e.a, a, library) : a, mayBeZero ? kept(e.b, b, library) : b);
}

/** By value, from the words' types among each other; index is i32. */
const castWords = (to: ComputeDType, x: string): string => `${typeNames[to]}(${x})`;
const wideOf: { readonly [D in ComputeDType]: (library: Library, x: string) => string } = {
  i32: (library, x) => `${library.use('u64_of_i32')}(${x})`,
  index: (library, x) => `${library.use('u64_of_i32')}(${x})`,
  u32: (_, x) => `vec2u(${x}, 0u)`,
  bool: (_, x) => `vec2u(select(0u, 1u, ${x}), 0u)`,
  f32: (library, x) => `${library.use('i64_of_f32')}(${x})`,
  f64: (library, x) => `${library.use('i64_of_f64')}(${x})`,
  i64: (_, x) => x,
  u64: (_, x) => x,
};
const doubleOf: { readonly [D in ComputeDType]: (library: Library, x: string) => string } = {
  i32: (library, x) => `${library.use('f64_of_i64')}(${library.use('u64_of_i32')}(${x}))`,
  index: (library, x) => `${library.use('f64_of_i64')}(${library.use('u64_of_i32')}(${x}))`,
  u32: (library, x) => `${library.use('f64_of_u64')}(vec2u(${x}, 0u))`,
  bool: (_, x) => `select(vec2u(0u, 0u), vec2u(0u, 0x3ff00000u), ${x})`,
  f32: (library, x) => `${library.use('f64_of_f32')}(${x})`,
  f64: (_, x) => x,
  i64: (library, x) => `${library.use('f64_of_i64')}(${x})`,
  u64: (library, x) => `${library.use('f64_of_u64')}(${x})`,
};
function fromWide(library: Library, from: 'f64' | 'i64' | 'u64', to: ComputeDType, x: string): string {
  if (to === 'bool') return from === 'f64' ? `(!${library.use('zero_f64')}(${x}))` : `any(${x} != vec2u(0u, 0u))`;
  if (to === 'f32') return `${library.use(`f32_of_${from}`)}(${x})`;
  const whole = from === 'f64' ? `${library.use('i64_of_f64')}(${x})` : x;
  return to === 'u32' ? `${whole}.x` : `i32(${whole}.x)`;
}

function castText(e: ExprOf['cast'], scope: Scope): string {
  const { library } = scope;
  const [from, to] = [e.x.type.dtype, e.type.dtype];
  const x = exprText(e.x, scope);
  if (to === 'f64') return doubleOf[from](library, x);
  if (isWide(to)) return wideOf[from](library, x);
  if (isWide(from)) return fromWide(library, from, to, x);
  return typeNames[from] === typeNames[to] ? x : castWords(to, x);
}

function bitcastText(e: ExprOf['bitcast'], scope: Scope): string {
  const x = exprText(e.x, scope);
  if (isWide(e.type.dtype)) return x;
  return `bitcast<${typeNames[e.type.dtype]}>(${isFixed(e.x) ? kept(e.x, x, scope.library) : x})`;
}

/** Wraps integers to the width of `to`. */
function narrowText(e: ExprOf['narrow'], scope: Scope): string {
  const x = exprText(e.x, scope);
  const { bits: width, class: kind } = dtypes[e.to];
  invariant(kind !== 'float' || width >= 32, `narrowing to ${e.to} has not been lowered`);
  return width >= 32 || e.to === 'bool' ? x : `extractBits(${x}, 0u, ${width}u)`;
}

const noVectors = (): never => {
  throw new AnychipError('internal', 'threads of WGSL are scalar: the schedule must not ask for vectors');
};

const texts: { readonly [K in ExprKind]: (e: ExprOf[K], scope: Scope) => string } = {
  const: (e, { library }) => constantText(e.type.dtype, e.value, library),
  var: (e) => e.name,
  load: (e, scope) => memoryOf(scope, e.buffer).load(exprText(e.index, scope)),
  unary: (e, scope) => {
    invariant(!isMathUnary(e.fn), `${e.fn} has not been expanded`);
    return unaryTexts[e.fn](scope.library, e.type.dtype, exprText(e.x, scope));
  },
  binary: binaryOf,
  compare: (e, scope) => compareText(e.fn, e.a.type.dtype, exprText(e.a, scope), exprText(e.b, scope), scope.library),
  select: (e, scope) => `select(${exprText(e.b, scope)}, ${exprText(e.a, scope)}, ${exprText(e.condition, scope)})`,
  fma: (e, scope) => by(builtin('fma'), call('fma'))(scope.library, e.type.dtype, exprText(e.a, scope), exprText(e.b, scope), exprText(e.c, scope)),
  dot: (e, scope) => exprText(expandDot(e), scope),
  cast: castText,
  bitcast: bitcastText,
  narrow: narrowText,
  splat: noVectors,
  pack: noVectors,
  extract: noVectors,
  across: noVectors,
};

const dispatch = <K extends ExprKind>(e: ExprOf[K] & { readonly kind: K }, scope: Scope): string => texts[e.kind](e, scope);

/** `e` as a WGSL expression. */
export const exprText = (e: Expr, scope: Scope): string => dispatch(e, scope);
