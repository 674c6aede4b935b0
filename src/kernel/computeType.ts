// Which compute type holds each dtype while a kernel computes with it: what a load of it gives and a store into it takes.
import type { NumericDType } from '../core/dtype.ts';
import type { ComputeDType } from './ir.ts';

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

const LANE_TYPES: ReadonlySet<ComputeDType> = new Set(['f32', 'i32', 'u32', 'bool']);

/** Vectors have lanes of 32 bits only. */
export const isLaneType = (type: ComputeDType): boolean => LANE_TYPES.has(type);
export const hasLanes = (dtype: NumericDType): boolean => isLaneType(computeTypes[dtype]);
