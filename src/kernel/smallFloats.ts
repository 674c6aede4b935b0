// Writes the small floats (f16, bf16, the 8-bit kinds, f4) as integer buffers and bit arithmetic on u32, so that a renderer meets
// integers, f32 and f64 in memory and nothing else. Formats are data: core/float.ts.
import { floatFormats, isSmallFloat } from '../core/float.ts';
import type { FloatFormat, SmallFloat } from '../core/float.ts';
import { dtypes } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { binary, bitcast, compare, constant, load, pack, select, splat } from './build.ts';
import type { Expr, Kernel } from './ir.ts';
import { rewriteKernel } from './rewriteKernel.ts';
import type { StatementWriter } from './rewriteKernel.ts';

const F32_MANTISSA = 23;
const F32_BIAS = 127;
const F32_INFINITY = 0x7f800000;

const storedAs = (dtype: SmallFloat): 'u8' | 'u16' => (dtypes[dtype].bytes === 2 ? 'u16' : 'u8');
const u32 = (value: number, lanes: number): Expr => splat(constant('u32', value >>> 0), lanes);
const f32 = (value: number, lanes: number): Expr => splat(constant('f32', value), lanes);

/** Widths and special codes of a format. */
function layoutOf(dtype: SmallFloat): FloatFormat & { readonly sign: number; readonly drop: number; readonly infinity: number; readonly nan: number; readonly largest: number } {
  const format: FloatFormat = floatFormats[dtype];
  const { exponentBits, mantissaBits, specials } = format;
  const sign = 1 << (exponentBits + mantissaBits);
  const infinity = ((1 << exponentBits) - 1) << mantissaBits;
  const nan = { ieee: infinity | (1 << (mantissaBits - 1)), fn: sign - 1, fnuz: sign, finite: 0 }[specials];
  const largest = { ieee: infinity - 1, fn: sign - 2, fnuz: sign - 1, finite: sign - 1 }[specials];
  return { ...format, sign, drop: F32_MANTISSA - mantissaBits, infinity, nan, largest };
}

/** The f32 value of the raw bits `code` (u32, any lanes). */
function decode(dtype: SmallFloat, code: Expr, out: StatementWriter): Expr {
  const { lanes } = code.type;
  if (dtype === 'bf16') return bitcast('f32', binary('shl', code, u32(16, lanes)));
  const { sign, drop, bias, specials, nan, infinity, exponentBits, mantissaBits } = layoutOf(dtype);
  const h = out.bind(code);
  const magnitude = out.bind(binary('shl', binary('and', h, u32(sign - 1, lanes)), u32(drop, lanes)));
  // The field read with f32's bias is too small. What is subnormal has one more than its exponent, and no leading one: read as if it had one,
  // that is subtracted. No subnormal f32 is met on the way, which a machine may take for zero.
  const rebias = F32_BIAS - bias;
  const isSubnormal = compare('lt', magnitude, u32(1 << F32_MANTISSA, lanes));
  const raised = bitcast('f32', binary('add', magnitude, u32((rebias + 1) << F32_MANTISSA, lanes)));
  const subnormal = bitcast('u32', binary('sub', raised, f32(2 ** (1 - bias), lanes)));
  const scaled = select(isSubnormal, subnormal, binary('add', magnitude, u32(rebias << F32_MANTISSA, lanes)));
  const signed = (bits: Expr): Expr => binary('or', bits, binary('shl', binary('and', h, u32(sign, lanes)), u32(31 - exponentBits - mantissaBits, lanes)));
  if (specials === 'ieee') {
    const isSpecial = compare('ge', magnitude, u32(infinity << drop, lanes));
    return bitcast('f32', signed(select(isSpecial, binary('or', magnitude, u32(F32_INFINITY, lanes)), scaled)));
  }
  if (specials === 'finite') return bitcast('f32', signed(scaled));
  const isNaN = specials === 'fnuz' ? compare('eq', h, u32(nan, lanes)) : compare('eq', magnitude, u32(nan << drop, lanes));
  return bitcast('f32', select(isNaN, u32(0x7fc00000, lanes), signed(scaled)));
}

/** The bits of the small float nearest to the f32 `value`, ties to even; beyond the largest, infinity, else NaN, else the largest. */
function encode(dtype: SmallFloat, value: Expr, out: StatementWriter): Expr {
  const { lanes } = value.type;
  const { sign, drop, bias, specials, nan, infinity, largest, mantissaBits, exponentBits } = layoutOf(dtype);
  const bits = out.bind(bitcast('u32', value));
  const magnitude = out.bind(binary('and', bits, u32(0x7fffffff, lanes)));
  const odd = binary('and', binary('shr', magnitude, u32(drop, lanes)), u32(1, lanes));
  const rounded = binary('shr', binary('add', binary('add', magnitude, u32((1 << (drop - 1)) - 1, lanes)), odd), u32(drop, lanes));
  let code = binary('sub', rounded, u32((F32_BIAS - bias) << mantissaBits, lanes));
  if (bias !== F32_BIAS) {
    // Below the least normal number, adding a number whose last place is the format's quantum rounds there.
    const quantum = 2 ** (1 - bias - mantissaBits + F32_MANTISSA);
    const quantumBits = (1 - bias - mantissaBits + F32_MANTISSA + F32_BIAS) << F32_MANTISSA;
    const small = binary('sub', bitcast('u32', binary('add', bitcast('f32', magnitude), f32(quantum, lanes))), u32(quantumBits, lanes));
    code = select(compare('lt', magnitude, u32((1 - bias + F32_BIAS) << F32_MANTISSA, lanes)), small, code);
  }
  code = out.bind(code);
  const isOver = compare('gt', code, u32(largest, lanes));
  code = select(isOver, u32({ ieee: infinity, fn: nan, fnuz: nan, finite: largest }[specials], lanes), code);
  const isNaN = out.bind(compare('gt', magnitude, u32(F32_INFINITY, lanes)));
  code = out.bind(select(isNaN, u32(nan, lanes), code));
  const signBit = binary('shr', binary('and', bits, u32(0x80000000, lanes)), u32(31 - exponentBits - mantissaBits, lanes));
  // fnuz has one zero, and its NaN is the code of minus zero.
  const hasSign = specials === 'fnuz' ? binary('and', compare('ne', code, u32(0, lanes)), compare('ne', code, u32(sign, lanes))) : undefined;
  return binary('or', code, hasSign === undefined ? signBit : select(hasSign, signBit, u32(0, lanes)));
}

/**
 * The kernel with every small float in memory that its machine does not know, and every `narrow` to one, written as bits. `converted`: those
 * that its language converts itself.
 */
export function lowerSmallFloats(kernel: Kernel, converted: readonly NumericDType[] = []): Kernel {
  const known: ReadonlySet<NumericDType> = new Set([...converted, ...(kernel.tiles?.floats ?? [])]);
  const isLowered = (dtype: NumericDType): dtype is SmallFloat => isSmallFloat(dtype) && !known.has(dtype);
  const small = new Map<string, SmallFloat>();
  for (const { name, dtype } of [...kernel.params, ...kernel.scratch]) if (isLowered(dtype)) small.set(name, dtype);
  const stored = <B extends { readonly dtype: NumericDType }>(buffer: B): B => (isLowered(buffer.dtype) ? { ...buffer, dtype: storedAs(buffer.dtype) } : buffer);
  const lowered = rewriteKernel(kernel, {
    prefix: 'h',
    expr: (e, out) => {
      if (e.kind === 'narrow' && e.to !== 'string' && isLowered(e.to)) return decode(e.to, encode(e.to, e.x, out), out);
      const dtype = e.kind === 'load' ? small.get(e.buffer) : undefined;
      return e.kind === 'load' && dtype !== undefined ? decode(dtype, load(e.buffer, e.index, 'u32', e.type.lanes), out) : e;
    },
    store: (s, out) => {
      const dtype = small.get(s.buffer);
      if (dtype === undefined) return s;
      const { value } = s;
      return { ...s, value: value.kind === 'pack' ? pack(value.items.map((x) => encode(dtype, x, out))) : encode(dtype, value, out) };
    },
  });
  return small.size === 0 ? lowered : { ...lowered, params: lowered.params.map(stored), scratch: lowered.scratch.map(stored) };
}
