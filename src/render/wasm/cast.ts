// Conversions of kernel IR: by value, of bits, and into narrower integers. Floats become integers by saturation, which never traps.
import { dtypes } from '../../core/dtype.ts';
import { invariant } from '../../core/error.ts';
import type { ComputeDType, Expr } from '../../kernel/ir.ts';
import type { ExprOf } from '../../kernel/rewriteKernel.ts';
import { compareOp, pushConstant } from './functions.ts';
import type { Push } from './functions.ts';
import type { OpName } from './opcodes.ts';
import { scalarType } from './scope.ts';
import type { Scope } from './scope.ts';

const isSigned = (dtype: ComputeDType): boolean => dtype === 'i32' || dtype === 'i64' || dtype === 'index';

/** The instruction from one scalar type to another; undefined where the value is the same. */
function scalarCast(from: ComputeDType, to: ComputeDType): OpName | undefined {
  const [source, target] = [scalarType(from), scalarType(to)];
  if (source === target) return undefined;
  const sign = isSigned(from) ? 's' : 'u';
  if (target === 'f32') return source === 'f64' ? 'f32.demote_f64' : source === 'i32' ? `f32.convert_i32_${sign}` : `f32.convert_i64_${sign}`;
  if (target === 'f64') return source === 'f32' ? 'f64.promote_f32' : source === 'i32' ? `f64.convert_i32_${sign}` : `f64.convert_i64_${sign}`;
  if (source === 'i64') return 'i32.wrap_i64';
  if (source === 'i32') return `i64.extend_i32_${sign}`;
  return `${target}.trunc_sat_${source}_${isSigned(to) ? 's' : 'u'}`;
}

function pushVectorCast(e: ExprOf['cast'], scope: Scope): void {
  const { code, features } = scope;
  const [from, to] = [e.x.type.dtype, e.type.dtype];
  // Masks are 0 and −1.
  if (from === 'bool') code.emit('i32x4.neg');
  if (to === 'f32') code.emit(from === 'u32' ? 'f32x4.convert_i32x4_u' : 'f32x4.convert_i32x4_s');
  if (from !== 'f32') return;
  const sign = to === 'u32' ? 'u' : 's';
  code.emit(features.relaxed ? `i32x4.relaxed_trunc_f32x4_${sign}` : `i32x4.trunc_sat_f32x4_${sign}`);
}

export function pushCast(e: ExprOf['cast'], scope: Scope, push: Push): void {
  const { code } = scope;
  const [from, to] = [e.x.type, e.type];
  push(e.x);
  if (from.dtype === to.dtype) return;
  if (to.dtype === 'bool') {
    const zero: Expr = { kind: 'const', type: from, value: from.dtype === 'i64' || from.dtype === 'u64' ? 0n : 0 };
    push(zero);
    return code.emit(compareOp('ne', from));
  }
  if (to.lanes > 1) return pushVectorCast(e, scope);
  const op = scalarCast(from.dtype, to.dtype);
  if (op !== undefined) code.emit(op);
}

const bits: Partial<Record<`${'i32' | 'i64' | 'f32' | 'f64'} ${'i32' | 'i64' | 'f32' | 'f64'}`, OpName>> = {
  'f32 i32': 'i32.reinterpret_f32',
  'i32 f32': 'f32.reinterpret_i32',
  'f64 i64': 'i64.reinterpret_f64',
  'i64 f64': 'f64.reinterpret_i64',
};

export function pushBitcast(e: ExprOf['bitcast'], scope: Scope, push: Push): void {
  push(e.x);
  const [from, to] = [scalarType(e.x.type.dtype), scalarType(e.type.dtype)];
  if (e.type.lanes > 1 || from === to) return;
  const op = bits[`${from} ${to}`];
  invariant(op !== undefined, `${e.x.type.dtype} and ${e.type.dtype} differ in width`);
  scope.code.emit(op);
}

/** Wraps integers to the width of `to`; dtypes as wide as the compute type change nothing. */
export function pushNarrow(e: ExprOf['narrow'], scope: Scope, push: Push): void {
  const { code } = scope;
  const { bits: width, class: kind } = dtypes[e.to];
  push(e.x);
  invariant(kind !== 'float' || width >= 32, `narrowing to ${e.to} has not been lowered`);
  if (width >= 32 || e.to === 'bool') return;
  if (kind === 'uint') {
    push({ kind: 'const', type: e.type, value: 2 ** width - 1 });
    return code.emit(e.type.lanes > 1 ? 'v128.and' : 'i32.and');
  }
  if (e.type.lanes === 1 && width >= 8) return code.emit(width === 8 ? 'i32.extend8_s' : 'i32.extend16_s');
  for (const op of ['shl', 'shr_s'] as const) {
    pushConstant('i32', 32 - width, scope);
    code.emit(e.type.lanes > 1 ? `i32x4.${op}` : `i32.${op}`);
  }
}
