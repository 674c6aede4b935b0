// Small floating-point formats to and from JavaScript numbers, by their field widths.
// Sources: IEEE 754 binary16; bfloat16; OCP 8-bit Floating Point Specification 1.0 (E4M3, E5M2); ONNX "Float stored in 8 bits" for
// the FNUZ kinds; OCP Microscaling Formats 1.0 (E8M0, E2M1).
import { dtypes } from './dtype.ts';
import type { DType } from './dtype.ts';

export interface FloatFormat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /** 'ieee': top exponent holds inf and NaN. 'fn': only all-ones is NaN, no inf. 'fnuz': only minus zero is NaN. 'finite': neither. */
  readonly specials: 'ieee' | 'fn' | 'fnuz' | 'finite';
}

export const floatFormats = {
  f16: { exponentBits: 5, mantissaBits: 10, bias: 15, specials: 'ieee' },
  bf16: { exponentBits: 8, mantissaBits: 7, bias: 127, specials: 'ieee' },
  f8e4m3: { exponentBits: 4, mantissaBits: 3, bias: 7, specials: 'fn' },
  f8e4m3fnuz: { exponentBits: 4, mantissaBits: 3, bias: 8, specials: 'fnuz' },
  f8e5m2: { exponentBits: 5, mantissaBits: 2, bias: 15, specials: 'ieee' },
  f8e5m2fnuz: { exponentBits: 5, mantissaBits: 2, bias: 16, specials: 'fnuz' },
  f4e2m1: { exponentBits: 2, mantissaBits: 1, bias: 1, specials: 'finite' },
} as const satisfies Partial<Record<DType, FloatFormat>>;

export type SmallFloat = keyof typeof floatFormats;
export const isSmallFloat = (dtype: DType): dtype is SmallFloat => dtype in floatFormats;

function decodeField(format: FloatFormat, bits: number): number {
  const { exponentBits, mantissaBits, bias, specials } = format;
  const signBit = 1 << (exponentBits + mantissaBits);
  const sign = bits & signBit ? -1 : 1;
  const topExponent = (1 << exponentBits) - 1;
  const exponent = (bits >> mantissaBits) & topExponent;
  const mantissa = bits & ((1 << mantissaBits) - 1);
  if (specials === 'fnuz' && bits === signBit) return NaN;
  if (specials === 'fn' && (bits & (signBit - 1)) === signBit - 1) return NaN;
  if (specials === 'ieee' && exponent === topExponent) return mantissa === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits);
  return sign * (1 + mantissa / (1 << mantissaBits)) * 2 ** (exponent - bias);
}

const tables = new Map<SmallFloat, Float64Array>();

/** The value of the raw bits of a small float. */
export function decodeFloat(dtype: SmallFloat, bits: number): number {
  let table = tables.get(dtype);
  if (table === undefined) {
    const format = floatFormats[dtype];
    table = Float64Array.from({ length: 1 << (1 + format.exponentBits + format.mantissaBits) }, (_, i) => decodeField(format, i));
    tables.set(dtype, table);
  }
  return table[bits] ?? NaN;
}

const largestFinite = (format: FloatFormat): number => {
  const top = (1 << format.exponentBits) - 1;
  const fraction = 1 << format.mantissaBits;
  if (format.specials === 'ieee') return (2 - 1 / fraction) * 2 ** (top - 1 - format.bias);
  const mantissa = format.specials === 'fn' ? 2 - 2 / fraction : 2 - 1 / fraction;
  return mantissa * 2 ** (top - format.bias);
};

/** Rounds half to even, the rule of every format here. */
export function roundEven(x: number): number {
  const floor = Math.floor(x);
  const diff = x - floor;
  if (diff < 0.5) return floor;
  if (diff > 0.5) return floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * The bits of the small float nearest to `x`, ties to even. Out of range: with `saturate` the largest finite value,
 * else infinity where the format has one and NaN where it has not (ONNX Cast, tables of float 8 kinds).
 */
export function encodeFloat(dtype: SmallFloat, x: number, saturate = false): number {
  const format = floatFormats[dtype];
  const { exponentBits, mantissaBits, bias, specials } = format;
  const signBit = 1 << (exponentBits + mantissaBits);
  const top = ((1 << exponentBits) - 1) << mantissaBits;
  const nan = specials === 'fnuz' ? signBit : specials === 'fn' ? signBit - 1 : specials === 'ieee' ? top | (1 << (mantissaBits - 1)) : 0;
  if (Number.isNaN(x)) return nan;
  const sign = x < 0 || Object.is(x, -0) ? signBit : 0;
  const magnitude = Math.abs(x);
  const limit = largestFinite(format);
  const exponent = magnitude === 0 ? 0 : Math.max(Math.floor(Math.log2(magnitude)), 1 - bias);
  // log2 may be off by one at powers of two; the quantum decides, so correct it first.
  const fixed = magnitude === 0 ? 0 : magnitude >= 2 ** (exponent + 1) ? exponent + 1 : magnitude < 2 ** exponent && exponent > 1 - bias ? exponent - 1 : exponent;
  const quantum = 2 ** (fixed - mantissaBits);
  const rounded = magnitude === Infinity ? Infinity : roundEven(magnitude / quantum) * quantum;
  if (rounded > limit) {
    if (saturate || specials === 'finite') {
      if (magnitude === Infinity && specials === 'ieee' && !saturate) return sign | top;
      return sign | encodeFloat(dtype, limit);
    }
    return specials === 'ieee' ? sign | top : specials === 'fnuz' ? signBit : sign | (signBit - 1);
  }
  if (rounded === 0) return specials === 'fnuz' ? 0 : sign;
  const e = Math.floor(Math.log2(rounded));
  const power = rounded >= 2 ** (e + 1) ? e + 1 : rounded < 2 ** e ? e - 1 : e;
  if (power < 1 - bias) return sign | Math.round(rounded / 2 ** (1 - bias - mantissaBits));
  return sign | ((power + bias) << mantissaBits) | Math.round((rounded / 2 ** power - 1) * (1 << mantissaBits));
}

/** `encodeFloat` of many at once: a few integer operations for each. */
export function narrowFloats(dtype: 'f16' | 'bf16', from: Float32Array): Uint16Array {
  const to = new Uint16Array(from.length);
  const bits = new Uint32Array(from.buffer, from.byteOffset, from.length);
  const encode = dtype === 'f16' ? halfBits : brainBits;
  for (let i = 0; i < to.length; i++) to[i] = encode(bits[i]!);
  return to;
}

const cell = new Float32Array(1);
const cellBits = new Uint32Array(cell.buffer);

/** Half the last place that is kept, less one where it is even: what carries when it must. */
const roundedAt = (bits: number, drop: number): number => bits + (1 << (drop - 1)) - 1 + ((bits >>> drop) & 1);

function halfBits(bits: number): number {
  const [sign, magnitude] = [(bits >>> 16) & 0x8000, bits & 0x7fffffff];
  if (magnitude >= 0x47800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x38800000) return sign | ((roundedAt(magnitude, 13) - 0x38000000) >>> 13);
  // A subnormal: at 0.5 the last place of f32 is 2⁻²⁴, the smallest half.
  cellBits[0] = magnitude;
  cell[0] = cell[0]! + 0.5;
  return sign | (cellBits[0]! - 0x3f000000);
}

const brainBits = (bits: number): number => ((bits & 0x7fffffff) > 0x7f800000 ? ((bits >>> 16) & 0x8000) | 0x7fc0 : (roundedAt(bits, 16) >>> 16) & 0xffff);

/** E8M0: a power of two, 255 is NaN. */
export const decodeE8M0 = (bits: number): number => (bits === 255 ? NaN : 2 ** (bits - 127));

export type PowerRounding = 'up' | 'down' | 'nearest';

/** The E8M0 bits of |x| as a power of two, rounded as asked; beyond the range (zero is below it) the nearest end when it saturates, else NaN. */
export function encodeE8M0(x: number, rounding: PowerRounding, saturate = true): number {
  const magnitude = Math.abs(x);
  if (Number.isNaN(x)) return 255;
  if (magnitude === Infinity) return saturate ? 254 : 255;
  if (magnitude === 0) return saturate ? 0 : 255;
  const floor = Math.floor(Math.log2(magnitude));
  const low = 2 ** floor > magnitude ? floor - 1 : 2 ** (floor + 1) <= magnitude ? floor + 1 : floor;
  const ratio = magnitude / 2 ** low;
  const up = rounding === 'up' ? ratio > 1 : rounding === 'nearest' && ratio >= 1.5;
  const power = low + (up ? 1 : 0);
  if (power > 127) return saturate ? 254 : 255;
  return power >= -127 ? power + 127 : saturate ? 0 : 255;
}

/** `x` rounded to the precision of `dtype`, as a number. */
export function roundToFloat(dtype: DType, x: number): number {
  if (dtype === 'f32') return Math.fround(x);
  return isSmallFloat(dtype) && dtypes[dtype].class === 'float' ? decodeFloat(dtype, encodeFloat(dtype, x)) : x;
}
