// Element types as ONNX numbers them (TensorProto.DataType): attributes such as Cast's `to` hold these numbers.
import type { DType, NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';

const codes = {
  1: 'f32',
  2: 'u8',
  3: 'i8',
  4: 'u16',
  5: 'i16',
  6: 'i32',
  7: 'i64',
  8: 'string',
  9: 'bool',
  10: 'f16',
  11: 'f64',
  12: 'u32',
  13: 'u64',
  16: 'bf16',
  17: 'f8e4m3',
  18: 'f8e4m3fnuz',
  19: 'f8e5m2',
  20: 'f8e5m2fnuz',
  21: 'u4',
  22: 'i4',
  23: 'f4e2m1',
  24: 'f8e8m0',
  25: 'u2',
  26: 'i2',
} as const satisfies Readonly<Record<number, DType>>;

const byCode: ReadonlyMap<number, DType> = new Map(Object.entries(codes).map(([code, dtype]) => [Number(code), dtype]));
const byDType: ReadonlyMap<DType, number> = new Map([...byCode].map(([code, dtype]) => [dtype, code]));

/** The dtype of an ONNX element type number; throws for complex numbers and unknown ones. */
export function dtypeOfCode(code: number): DType {
  const dtype = byCode.get(code);
  if (dtype === undefined) throw new AnychipError('unsupported', `element type ${code} of ONNX`, { hint: 'Complex numbers have no tensors here; other numbers are not ONNX.' });
  return dtype;
}

/** As `dtypeOfCode`, where strings make no sense. */
export function numericDTypeOfCode(code: number): NumericDType {
  const dtype = dtypeOfCode(code);
  if (dtype === 'string') throw new AnychipError('bad-model', 'an element type of string where numbers are needed');
  return dtype;
}

/** ONNX's number of a dtype. */
export const codeOfDType = (dtype: DType): number => byDType.get(dtype)!;

/** Names that files of opset 1 to 5 use instead of numbers. */
export const dtypeCodesByName: ReadonlyMap<string, number> = new Map([
  ['FLOAT', 1],
  ['UINT8', 2],
  ['INT8', 3],
  ['UINT16', 4],
  ['INT16', 5],
  ['INT32', 6],
  ['INT64', 7],
  ['STRING', 8],
  ['BOOL', 9],
  ['FLOAT16', 10],
  ['DOUBLE', 11],
  ['UINT32', 12],
  ['UINT64', 13],
]);
