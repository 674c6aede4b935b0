// The dtype table: every element type a tensor may have, and how a host holds it.
// Elements narrower than a byte are held one per byte on the host; packing them is the business of formats.

export type NumericArray = Float32Array | Float64Array | Int8Array | Int16Array | Int32Array | BigInt64Array | Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

export type DTypeClass = 'float' | 'int' | 'uint' | 'bool' | 'string';

export interface DTypeFacts {
  readonly class: DTypeClass;
  /** Bits of one element in a packed file. */
  readonly bits: number;
  /** Bytes of one element in host and device memory. */
  readonly bytes: number;
  /** How the host holds elements: as numbers, as bigints, as raw bits to decode, or as strings. */
  readonly held: 'number' | 'bigint' | 'bits' | 'string';
  readonly createArray: (length: number) => NumericArray;
  readonly viewArray: (buffer: ArrayBufferLike, byteOffset: number, length: number) => NumericArray;
}

type ArrayConstructor = {
  new (length: number): NumericArray;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): NumericArray;
  readonly BYTES_PER_ELEMENT: number;
};

function facts(kind: DTypeClass, bits: number, held: DTypeFacts['held'], array: ArrayConstructor): DTypeFacts {
  return {
    class: kind,
    bits,
    bytes: array.BYTES_PER_ELEMENT,
    held,
    createArray: (length) => new array(length),
    viewArray: (buffer, byteOffset, length) => new array(buffer, byteOffset, length),
  };
}

export const dtypes = {
  f64: facts('float', 64, 'number', Float64Array),
  f32: facts('float', 32, 'number', Float32Array),
  f16: facts('float', 16, 'bits', Uint16Array),
  bf16: facts('float', 16, 'bits', Uint16Array),
  f8e4m3: facts('float', 8, 'bits', Uint8Array), // ONNX FLOAT8E4M3FN
  f8e4m3fnuz: facts('float', 8, 'bits', Uint8Array),
  f8e5m2: facts('float', 8, 'bits', Uint8Array),
  f8e5m2fnuz: facts('float', 8, 'bits', Uint8Array),
  f8e8m0: facts('float', 8, 'bits', Uint8Array),
  f4e2m1: facts('float', 4, 'bits', Uint8Array),
  i64: facts('int', 64, 'bigint', BigInt64Array),
  i32: facts('int', 32, 'number', Int32Array),
  i16: facts('int', 16, 'number', Int16Array),
  i8: facts('int', 8, 'number', Int8Array),
  i4: facts('int', 4, 'number', Int8Array),
  i2: facts('int', 2, 'number', Int8Array),
  u64: facts('uint', 64, 'bigint', BigUint64Array),
  u32: facts('uint', 32, 'number', Uint32Array),
  u16: facts('uint', 16, 'number', Uint16Array),
  u8: facts('uint', 8, 'number', Uint8Array),
  u4: facts('uint', 4, 'number', Uint8Array),
  u2: facts('uint', 2, 'number', Uint8Array),
  bool: facts('bool', 8, 'number', Uint8Array),
  string: facts('string', 0, 'string', Uint8Array),
} as const satisfies Record<string, DTypeFacts>;

export type DType = keyof typeof dtypes;
export type NumericDType = Exclude<DType, 'string'>;

export const isFloat = (dtype: DType): boolean => dtypes[dtype].class === 'float';
export const isInteger = (dtype: DType): boolean => dtypes[dtype].class === 'int' || dtypes[dtype].class === 'uint';
export const isSigned = (dtype: DType): boolean => dtypes[dtype].class === 'int' || dtypes[dtype].class === 'float';
export const byteWidth = (dtype: DType): number => dtypes[dtype].bytes;

/** Smallest and largest value of an integer dtype, as bigints. */
export function integerRange(dtype: DType): { readonly min: bigint; readonly max: bigint } {
  const bits = BigInt(dtypes[dtype].bits);
  return dtypes[dtype].class === 'int' ? { min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n } : { min: 0n, max: (1n << bits) - 1n };
}
