// The functions of kernel IR as instructions: total tables. Operands come as expressions, for some functions need them twice or in
// another order. Mathematics is gone by now (kernel/math.ts).
import { invariant } from '../../core/error.ts';
import { isMathBinary, isMathUnary } from '../../kernel/math.ts';
import type { MathBinary, MathUnary } from '../../kernel/math.ts';
import type { BinaryFn, CompareFn, ComputeDType, Expr, ExprType, UnaryFn } from '../../kernel/ir.ts';
import type { OpName } from './opcodes.ts';
import { LANES, scalarType, valueType } from './scope.ts';
import type { Scope } from './scope.ts';

export type Push = (e: Expr) => void;
type Plain<F> = Exclude<F, MathUnary | MathBinary>;

const isReal = (dtype: ComputeDType): dtype is 'f32' | 'f64' => dtype === 'f32' || dtype === 'f64';
const isSigned = (dtype: ComputeDType): boolean => dtype === 'i32' || dtype === 'i64' || dtype === 'index';
const isVector = (type: ExprType): boolean => type.lanes > 1;

/** Pushes a scalar constant. */
export function pushConstant(dtype: ComputeDType, value: number | bigint, scope: Scope): void {
  const type = scalarType(dtype);
  if (type === 'i64') scope.code.emit('i64.const', BigInt(value));
  else if (type === 'i32') scope.code.emit('i32.const', Number(BigInt.asIntN(32, BigInt(value))));
  else scope.code.emit(`${type}.const`, Number(value));
}

// ── unary ──

type UnaryRule = (type: ExprType, x: Expr, scope: Scope, push: Push) => void;

const rounding =
  (fn: 'floor' | 'ceil' | 'nearest' | 'trunc' | 'sqrt'): UnaryRule =>
  (type, x, scope, push) => {
    push(x);
    scope.code.emit(isVector(type) ? `f32x4.${fn}` : type.dtype === 'f64' ? `f64.${fn}` : `f32.${fn}`);
  };

const negate: UnaryRule = (type, x, scope, push) => {
  const scalar = scalarType(type.dtype);
  const isFloat = isReal(type.dtype);
  if (isVector(type) || isFloat) {
    push(x);
    return scope.code.emit(isVector(type) ? (isFloat ? 'f32x4.neg' : 'i32x4.neg') : scalar === 'f64' ? 'f64.neg' : 'f32.neg');
  }
  pushConstant(type.dtype, 0, scope);
  push(x);
  scope.code.emit(scalar === 'i64' ? 'i64.sub' : 'i32.sub');
};

const magnitude: UnaryRule = (type, x, scope, push) => {
  const { code } = scope;
  push(x);
  if (isReal(type.dtype)) return code.emit(isVector(type) ? 'f32x4.abs' : `${type.dtype}.abs`);
  if (!isSigned(type.dtype)) return;
  if (isVector(type)) return code.emit('i32x4.abs');
  const scalar = scalarType(type.dtype) === 'i64' ? 'i64' : 'i32';
  // With the sign bit spread out as s: (x ^ s) − s.
  scope.withLocals([scalar, scalar], (value = 0, sign = 0) => {
    code.set(value);
    code.get(value);
    code.get(value);
    pushConstant(type.dtype, scalar === 'i64' ? 63 : 31, scope);
    code.emit(`${scalar}.shr_s`);
    code.set(sign);
    code.get(sign);
    code.emit(`${scalar}.xor`);
    code.get(sign);
    code.emit(`${scalar}.sub`);
  });
};

const unaryRules: { readonly [F in Plain<UnaryFn>]: UnaryRule } = {
  neg: negate,
  abs: magnitude,
  floor: rounding('floor'),
  ceil: rounding('ceil'),
  rint: rounding('nearest'),
  trunc: rounding('trunc'),
  sqrt: rounding('sqrt'),
  not: (type, x, scope, push) => {
    push(x);
    scope.code.emit(isVector(type) ? 'v128.not' : 'i32.eqz');
  },
  bitNot: (type, x, scope, push) => {
    push(x);
    if (isVector(type)) return scope.code.emit('v128.not');
    pushConstant(type.dtype, -1, scope);
    scope.code.emit(scalarType(type.dtype) === 'i64' ? 'i64.xor' : 'i32.xor');
  },
};

export function pushUnary(fn: UnaryFn, type: ExprType, x: Expr, scope: Scope, push: Push): void {
  invariant(!isMathUnary(fn), `${fn} has not been expanded`);
  unaryRules[fn](type, x, scope, push);
}

// ── compare ──

const signedCompares = { eq: 'eq', ne: 'ne', lt: 'lt_s', le: 'le_s', gt: 'gt_s', ge: 'ge_s' } as const satisfies Record<CompareFn, string>;
const unsignedCompares = { eq: 'eq', ne: 'ne', lt: 'lt_u', le: 'le_u', gt: 'gt_u', ge: 'ge_u' } as const satisfies Record<CompareFn, string>;

/** The instruction that compares two values of `type`; vectors give masks. Bools are ordered as unsigned numbers, masks as well. */
export function compareOp(fn: CompareFn, type: ExprType): OpName {
  if (isReal(type.dtype)) return isVector(type) ? `f32x4.${fn}` : `${type.dtype}.${fn}`;
  const suffix = isSigned(type.dtype) ? signedCompares[fn] : unsignedCompares[fn];
  if (isVector(type)) return `i32x4.${suffix}`;
  return scalarType(type.dtype) === 'i64' ? `i64.${suffix}` : `i32.${suffix}`;
}

// ── binary ──

type BinaryRule = (type: ExprType, a: Expr, b: Expr, scope: Scope, push: Push) => void;

/** One instruction; its name for floats, signed integers, unsigned integers and vectors of integers. */
interface Simple {
  readonly real?: 'add' | 'sub' | 'mul' | 'div';
  readonly signed?: 'add' | 'sub' | 'mul' | 'and' | 'or' | 'xor' | 'div_s' | 'rem_s' | 'shl' | 'shr_s';
  readonly unsigned?: 'add' | 'sub' | 'mul' | 'and' | 'or' | 'xor' | 'div_u' | 'rem_u' | 'shl' | 'shr_u';
  readonly vector?: OpName;
}

function simpleOp(name: string, { real, signed, unsigned, vector }: Simple, type: ExprType): OpName | undefined {
  if (isReal(type.dtype)) {
    invariant(real !== undefined, `${name} of floats has not been expanded`);
    return isVector(type) ? `f32x4.${real}` : `${type.dtype}.${real}`;
  }
  if (isVector(type)) return vector;
  const suffix = isSigned(type.dtype) ? signed : unsigned;
  invariant(suffix !== undefined, `there is no ${name} of ${type.dtype}`);
  return scalarType(type.dtype) === 'i64' ? `i64.${suffix}` : `i32.${suffix}`;
}

const simple =
  (name: string, ops: Simple): BinaryRule =>
  (type, a, b, scope, push) => {
    const op = simpleOp(name, ops, type);
    if (op === undefined) return lanewise(name, ops, type, a, b, scope, push);
    push(a);
    push(b);
    scope.code.emit(op);
  };

/** Vectors that no instruction serves, lane by lane. */
function lanewise(name: string, ops: Simple, type: ExprType, a: Expr, b: Expr, scope: Scope, push: Push): void {
  const op = simpleOp(name, ops, { dtype: type.dtype, lanes: 1 });
  invariant(op !== undefined, `there is no ${name} of ${type.dtype}`);
  const { code } = scope;
  scope.withLocals(['v128', 'v128'], (left = 0, right = 0) => {
    push(a);
    code.set(left);
    push(b);
    code.set(right);
    for (let lane = 0; lane < LANES; lane++) {
      for (const operand of [left, right]) {
        code.get(operand);
        code.emit('i32x4.extract_lane', lane);
      }
      code.emit(op);
      if (lane === 0) code.emit('i32x4.splat');
      else code.emit('i32x4.replace_lane', lane);
    }
  });
}

/** Vectors are shifted by one count for all lanes, or lane by lane. */
const shift =
  (name: string, ops: Simple, vector: { readonly signed: OpName; readonly unsigned: OpName }): BinaryRule =>
  (type, a, b, scope, push) => {
    if (!isVector(type)) return simple(name, ops)(type, a, b, scope, push);
    const count: Expr | undefined = b.kind === 'splat' ? b.x : b.kind === 'const' ? { ...b, type: { ...b.type, lanes: 1 } } : undefined;
    if (count === undefined) return lanewise(name, ops, type, a, b, scope, push);
    push(a);
    push(count);
    scope.code.emit(isSigned(type.dtype) ? vector.signed : vector.unsigned);
  };

/**
 * a < b ? a : b, or a > b ? a : b. Floats have it as `pmin` and `pmax` of vectors only, with the operands the other way round; for
 * scalars a vector is cheaper than a branch.
 */
const extreme =
  (fn: 'min' | 'max'): BinaryRule =>
  (type, a, b, scope, push) => {
    const { code } = scope;
    if (isReal(type.dtype)) {
      const vector = type.dtype === 'f64' ? 'f64x2' : 'f32x4';
      for (const operand of [b, a]) {
        push(operand);
        if (!isVector(type)) code.emit(`${vector}.splat`);
      }
      code.emit(`${vector}.p${fn}`);
      if (!isVector(type)) code.emit(`${vector}.extract_lane`, 0);
      return;
    }
    if (isVector(type)) {
      push(a);
      push(b);
      return code.emit(`i32x4.${fn}_${isSigned(type.dtype) ? 's' : 'u'}`);
    }
    const scalar = valueType(type);
    scope.withLocals([scalar, scalar], (left = 0, right = 0) => {
      push(a);
      code.set(left);
      push(b);
      code.set(right);
      for (const local of [left, right, left, right]) code.emit('local.get', local);
      code.emit(compareOp(fn === 'min' ? 'lt' : 'gt', type));
      code.emit('select');
    });
  };

const logic = (fn: 'and' | 'or' | 'xor'): BinaryRule => simple(fn, { signed: fn, unsigned: fn, vector: `v128.${fn}` });

const binaryRules: { readonly [F in Plain<BinaryFn>]: BinaryRule } = {
  add: simple('add', { real: 'add', signed: 'add', unsigned: 'add', vector: 'i32x4.add' }),
  sub: simple('sub', { real: 'sub', signed: 'sub', unsigned: 'sub', vector: 'i32x4.sub' }),
  mul: simple('mul', { real: 'mul', signed: 'mul', unsigned: 'mul', vector: 'i32x4.mul' }),
  div: simple('div', { real: 'div', signed: 'div_s', unsigned: 'div_u' }),
  rem: simple('rem', { signed: 'rem_s', unsigned: 'rem_u' }),
  min: extreme('min'),
  max: extreme('max'),
  and: logic('and'),
  or: logic('or'),
  xor: logic('xor'),
  shl: shift('shl', { signed: 'shl', unsigned: 'shl' }, { signed: 'i32x4.shl', unsigned: 'i32x4.shl' }),
  shr: shift('shr', { signed: 'shr_s', unsigned: 'shr_u' }, { signed: 'i32x4.shr_s', unsigned: 'i32x4.shr_u' }),
};

export function pushBinary(fn: BinaryFn, type: ExprType, a: Expr, b: Expr, scope: Scope, push: Push): void {
  invariant(!isMathBinary(fn), `${fn} has not been expanded`);
  binaryRules[fn](type, a, b, scope, push);
}
