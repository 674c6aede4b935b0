// The instructions that kernels use: their names in the text format, their opcodes, and what follows them (WebAssembly Core
// Specification 3.0, §5.4; relaxed SIMD included). Consecutive opcodes stand in one row.

/** What follows an opcode. `memory`: an offset; `memoryLane`: an offset and a lane; `lanes`: 16 bytes; `indirect`: a type index. */
export type Immediate = 'none' | 'block' | 'label' | 'local' | 'function' | 'indirect' | 'memory' | 'memoryLane' | 'lane' | 'lanes' | 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

export interface Opcode {
  /** The bytes 0xfc and 0xfd open spaces of further opcodes. */
  readonly prefix?: number;
  readonly code: number;
  readonly immediate: Immediate;
  /** log2 of the alignment that memory instructions may count on: that of elements, not of vectors. */
  readonly align?: number;
}

/** `names`, separated by spaces, from `first` on. */
function row<const S extends string>(first: number, names: S, immediate: Immediate = 'none', more: { readonly prefix?: number; readonly align?: number } = {}) {
  return { first, names, immediate, more };
}
const vector = { prefix: 0xfd } as const;
const inMemory = (align: number) => ({ align });
const vectorInMemory = (align: number) => ({ prefix: 0xfd, align });

const rows = [
  row(0x02, 'block loop if', 'block'),
  row(0x05, 'else'),
  row(0x0b, 'end'),
  row(0x0c, 'br br_if', 'label'),
  row(0x10, 'call', 'function'),
  row(0x11, 'call_indirect', 'indirect'),
  row(0x1b, 'select'),
  row(0x20, 'local.get local.set local.tee', 'local'),
  row(0x28, 'i32.load', 'memory', inMemory(2)),
  row(0x29, 'i64.load', 'memory', inMemory(3)),
  row(0x2a, 'f32.load', 'memory', inMemory(2)),
  row(0x2b, 'f64.load', 'memory', inMemory(3)),
  row(0x2c, 'i32.load8_s i32.load8_u', 'memory', inMemory(0)),
  row(0x2e, 'i32.load16_s i32.load16_u', 'memory', inMemory(1)),
  row(0x36, 'i32.store', 'memory', inMemory(2)),
  row(0x37, 'i64.store', 'memory', inMemory(3)),
  row(0x38, 'f32.store', 'memory', inMemory(2)),
  row(0x39, 'f64.store', 'memory', inMemory(3)),
  row(0x3a, 'i32.store8', 'memory', inMemory(0)),
  row(0x3b, 'i32.store16', 'memory', inMemory(1)),
  row(0x41, 'i32.const', 'i32'),
  row(0x42, 'i64.const', 'i64'),
  row(0x43, 'f32.const', 'f32'),
  row(0x44, 'f64.const', 'f64'),
  row(0x45, 'i32.eqz i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u'),
  row(0x50, 'i64.eqz i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u'),
  row(0x5b, 'f32.eq f32.ne f32.lt f32.gt f32.le f32.ge f64.eq f64.ne f64.lt f64.gt f64.le f64.ge'),
  row(0x6a, 'i32.add i32.sub i32.mul i32.div_s i32.div_u i32.rem_s i32.rem_u i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u'),
  row(0x7c, 'i64.add i64.sub i64.mul i64.div_s i64.div_u i64.rem_s i64.rem_u i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u'),
  row(0x8b, 'f32.abs f32.neg f32.ceil f32.floor f32.trunc f32.nearest f32.sqrt f32.add f32.sub f32.mul f32.div'),
  row(0x99, 'f64.abs f64.neg f64.ceil f64.floor f64.trunc f64.nearest f64.sqrt f64.add f64.sub f64.mul f64.div'),
  row(0xa7, 'i32.wrap_i64'),
  row(0xac, 'i64.extend_i32_s i64.extend_i32_u'),
  row(0xb2, 'f32.convert_i32_s f32.convert_i32_u f32.convert_i64_s f32.convert_i64_u f32.demote_f64'),
  row(0xb7, 'f64.convert_i32_s f64.convert_i32_u f64.convert_i64_s f64.convert_i64_u f64.promote_f32'),
  row(0xbc, 'i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64'),
  row(0xc0, 'i32.extend8_s i32.extend16_s'),
  row(0x00, 'i32.trunc_sat_f32_s i32.trunc_sat_f32_u i32.trunc_sat_f64_s i32.trunc_sat_f64_u', 'none', { prefix: 0xfc }),
  row(0x04, 'i64.trunc_sat_f32_s i64.trunc_sat_f32_u i64.trunc_sat_f64_s i64.trunc_sat_f64_u', 'none', { prefix: 0xfc }),
  row(0x00, 'v128.load', 'memory', vectorInMemory(2)),
  row(0x03, 'v128.load16x4_s v128.load16x4_u', 'memory', vectorInMemory(1)),
  row(0x09, 'v128.load32_splat', 'memory', vectorInMemory(2)),
  row(0x0b, 'v128.store', 'memory', vectorInMemory(2)),
  row(0x0c, 'v128.const', 'v128', vector),
  row(0x0d, 'i8x16.shuffle', 'lanes', vector),
  row(0x11, 'i32x4.splat i64x2.splat f32x4.splat f64x2.splat', 'none', vector),
  row(0x1b, 'i32x4.extract_lane i32x4.replace_lane', 'lane', vector),
  row(0x1f, 'f32x4.extract_lane f32x4.replace_lane f64x2.extract_lane', 'lane', vector),
  row(0x37, 'i32x4.eq i32x4.ne i32x4.lt_s i32x4.lt_u i32x4.gt_s i32x4.gt_u i32x4.le_s i32x4.le_u i32x4.ge_s i32x4.ge_u', 'none', vector),
  row(0x41, 'f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge', 'none', vector),
  row(0x4d, 'v128.not v128.and v128.andnot v128.or v128.xor v128.bitselect', 'none', vector),
  row(0x53, 'v128.any_true', 'none', vector),
  row(0x56, 'v128.load32_lane', 'memoryLane', vectorInMemory(2)),
  row(0x5a, 'v128.store32_lane', 'memoryLane', vectorInMemory(0)),
  row(0x5b, 'v128.store64_lane', 'memoryLane', vectorInMemory(1)),
  row(0x5c, 'v128.load32_zero', 'memory', vectorInMemory(0)),
  row(0x67, 'f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest', 'none', vector),
  row(0x87, 'i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s i16x8.extend_low_i8x16_u', 'none', vector),
  row(0xa0, 'i32x4.abs i32x4.neg', 'none', vector),
  row(0xa3, 'i32x4.all_true', 'none', vector),
  row(0xa7, 'i32x4.extend_low_i16x8_s i32x4.extend_high_i16x8_s i32x4.extend_low_i16x8_u', 'none', vector),
  row(0xab, 'i32x4.shl i32x4.shr_s i32x4.shr_u i32x4.add', 'none', vector),
  row(0xb1, 'i32x4.sub', 'none', vector),
  row(0xb5, 'i32x4.mul i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u i32x4.dot_i16x8_s', 'none', vector),
  row(0xe0, 'f32x4.abs f32x4.neg', 'none', vector),
  row(0xe3, 'f32x4.sqrt f32x4.add f32x4.sub f32x4.mul f32x4.div f32x4.min f32x4.max f32x4.pmin f32x4.pmax', 'none', vector),
  row(0xf6, 'f64x2.pmin f64x2.pmax', 'none', vector),
  row(0xf8, 'i32x4.trunc_sat_f32x4_s i32x4.trunc_sat_f32x4_u f32x4.convert_i32x4_s f32x4.convert_i32x4_u', 'none', vector),
  row(0x101, 'i32x4.relaxed_trunc_f32x4_s i32x4.relaxed_trunc_f32x4_u', 'none', vector),
  row(0x105, 'f32x4.relaxed_madd', 'none', vector),
] as const;

type Words<S extends string> = S extends `${infer First} ${infer Rest}` ? First | Words<Rest> : S;
export type OpName = Words<(typeof rows)[number]['names']>;

const table = new Map<string, Opcode>(
  rows.flatMap(({ first, names, immediate, more }) => names.split(' ').map((name, i): [string, Opcode] => [name, { ...more, code: first + i, immediate }])),
);

export function opcodeOf(name: OpName): Opcode {
  const opcode = table.get(name);
  if (opcode === undefined) throw new TypeError(`no instruction ${name}`);
  return opcode;
}
