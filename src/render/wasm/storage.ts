// How elements of each dtype lie in memory, and the instructions that bring them in and out, as scalars and four at a time.
import { dtypes } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import type { ComputeDType } from '../../kernel/ir.ts';
import type { Code } from './code.ts';
import type { OpName } from './opcodes.ts';

export interface Storage {
  readonly bytes: number;
  /** The compute type that loads give and stores take. */
  readonly dtype: ComputeDType;
  readonly load: OpName;
  readonly store: OpName;
  /** Integers narrower than their storage are wrapped before a store. */
  readonly isPacked: boolean;
}

const storage = (dtype: ComputeDType, bytes: number, load: OpName, store: OpName, isPacked = false): Storage => ({ bytes, dtype, load, store, isPacked });

const storages: Partial<Record<NumericDType, Storage>> = {
  f64: storage('f64', 8, 'f64.load', 'f64.store'),
  f32: storage('f32', 4, 'f32.load', 'f32.store'),
  i64: storage('i64', 8, 'i64.load', 'i64.store'),
  u64: storage('u64', 8, 'i64.load', 'i64.store'),
  i32: storage('i32', 4, 'i32.load', 'i32.store'),
  u32: storage('u32', 4, 'i32.load', 'i32.store'),
  i16: storage('i32', 2, 'i32.load16_s', 'i32.store16'),
  u16: storage('u32', 2, 'i32.load16_u', 'i32.store16'),
  i8: storage('i32', 1, 'i32.load8_s', 'i32.store8'),
  u8: storage('u32', 1, 'i32.load8_u', 'i32.store8'),
  bool: storage('bool', 1, 'i32.load8_u', 'i32.store8'),
  i4: storage('i32', 1, 'i32.load8_s', 'i32.store8', true),
  i2: storage('i32', 1, 'i32.load8_s', 'i32.store8', true),
  u4: storage('u32', 1, 'i32.load8_u', 'i32.store8', true),
  u2: storage('u32', 1, 'i32.load8_u', 'i32.store8', true),
};

/** The small floats are integers by now (kernel/smallFloats.ts). */
export function storageOf(dtype: NumericDType): Storage {
  const found = storages[dtype];
  if (found === undefined) throw new AnychipError('unsupported', `buffers of ${dtype} cannot be rendered for wasm`, { hint: 'Let the node that makes it run on the host.' });
  return found;
}

/** Loads four elements from the address on the stack, widened to lanes. */
export function loadLanes(code: Code, dtype: NumericDType, offset: number): void {
  const { bytes } = storageOf(dtype);
  const sign = dtypes[dtype].class === 'int' ? 's' : 'u';
  if (bytes === 4) return code.emit('v128.load', offset);
  if (bytes === 2) return code.emit(`v128.load16x4_${sign}`, offset);
  code.emit('v128.load32_zero', offset);
  code.emit(`i16x8.extend_low_i8x16_${sign}`);
  code.emit(`i32x4.extend_low_i16x8_${sign}`);
  if (dtype === 'bool') code.emit('i32x4.neg');
}

/** For each width in bytes: the low bytes of all lanes, brought together at the front. */
const GATHER = {
  1: Array.from({ length: 16 }, (_, i) => (i % 4) * 4),
  2: Array.from({ length: 16 }, (_, i) => (Math.floor(i / 2) % 4) * 4 + (i % 2)),
} as const;

/** Stores the lanes on the stack to the address below them, narrowed to four elements. */
export function storeLanes(code: Code, dtype: NumericDType, offset: number, temporary: number): void {
  const { bytes } = storageOf(dtype);
  if (bytes === 4) return code.emit('v128.store', offset);
  if (dtype === 'bool') code.emit('i32x4.neg');
  code.set(temporary);
  code.get(temporary);
  code.emit('local.get', temporary);
  code.emit('i8x16.shuffle', ...(bytes === 1 ? GATHER[1] : GATHER[2]));
  code.emit(bytes === 1 ? 'v128.store32_lane' : 'v128.store64_lane', offset, 0);
}
