// How the dtypes of a graph are computed with in kernels: which compute type holds each, and how a result is brought back into the
// values its dtype has.
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { binary, constant, splat } from '../../kernel/build.ts';
import type { ComputeDType, Expr } from '../../kernel/ir.ts';

const computeTypes = {
  f64: 'f64',
  f32: 'f32',
  f16: 'f32',
  bf16: 'f32',
  f8e4m3: 'f32',
  f8e4m3fnuz: 'f32',
  f8e5m2: 'f32',
  f8e5m2fnuz: 'f32',
  f8e8m0: 'f32',
  f4e2m1: 'f32',
  i64: 'i64',
  i32: 'i32',
  i16: 'i32',
  i8: 'i32',
  i4: 'i32',
  i2: 'i32',
  u64: 'u64',
  u32: 'u32',
  u16: 'u32',
  u8: 'u32',
  u4: 'u32',
  u2: 'u32',
  bool: 'bool',
} as const satisfies Record<NumericDType, ComputeDType>;

export const computeType = (dtype: NumericDType): ComputeDType => computeTypes[dtype];

/** Vectors have lanes of 32 bits only. */
export const hasLanes = (dtype: NumericDType): boolean => {
  const type = computeTypes[dtype];
  return type === 'f32' || type === 'i32' || type === 'u32' || type === 'bool';
};

/** A constant with the type of `x`, as many lanes. */
export const like = (x: Expr, value: number | bigint): Expr => splat(constant(x.type.dtype, typed(x.type.dtype, value)), x.type.lanes);

/** 64-bit constants are bigints, all others numbers. */
export const typed = (type: ComputeDType, value: number | bigint): number | bigint => {
  const wide = type === 'i64' || type === 'u64';
  return wide ? BigInt(value) : Number(value);
};

/** dtypes whose values only a store can make: their rounding has no expression. */
export const needsStore = (dtype: NumericDType): boolean => dtypes[dtype].class === 'float' && dtypes[dtype].bits < 16;

const NARROWED: ReadonlySet<NumericDType> = new Set(['f16', 'bf16', 'i8', 'u8', 'i16', 'u16']);

/** `x`, just computed, as a value of `dtype`: rounded or wrapped as a store and a load would. */
export function narrowTo(dtype: NumericDType, x: Expr): Expr {
  if (NARROWED.has(dtype)) return { kind: 'narrow', type: x.type, to: dtype, x };
  if (dtypes[dtype].bits >= 8 || dtypes[dtype].class === 'float') return x;
  const drop = like(x, 32 - dtypes[dtype].bits);
  return binary('shr', binary('shl', x, drop), drop);
}
