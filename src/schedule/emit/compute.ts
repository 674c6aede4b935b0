// How the dtypes of a graph are computed with in kernels: constants of a type, and how a result is brought back into the values its
// dtype has.
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { binary, constant, splat } from '../../kernel/build.ts';
import { computeType, hasLanes } from '../../kernel/computeType.ts';
import type { ComputeDType, Expr } from '../../kernel/ir.ts';

export { computeType, hasLanes };

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
