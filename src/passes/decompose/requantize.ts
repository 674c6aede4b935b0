// The last step of everything that gives quantised values.
import { integerRange, isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { elementCount } from '../../core/shape.ts';
import { numberReader } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';

/** Whether all of it is known to be 0. */
export function isZero(b: Builder, x: Operand): boolean {
  const tensor = b.valueOf(x);
  if (tensor === undefined) return false;
  const read = numberReader(tensor);
  return Array.from({ length: elementCount(x.shape) }, (_, i) => read(i)).every((value) => value === 0);
}

/**
 * A quotient of data and scale in `dtype`: rounded to the nearest even where that is an integer, with the zero point (f32) added, kept
 * to the range. Sums are taken in f32, which holds every value of up to 16 bits.
 */
export function quantize(b: Builder, quotient: Operand, zeroPoint: Operand | undefined, dtype: NumericDType, saturate: boolean): Operand {
  const add = (x: Operand): Operand => (zeroPoint === undefined || isZero(b, zeroPoint) ? x : b.add(x, zeroPoint));
  if (isFloat(dtype)) return b.cast(zeroPoint === undefined ? quotient : add(b.cast(quotient, 'f32')), dtype, saturate);
  const { min, max } = integerRange(dtype);
  const rounded = add(b.cast(b.round(quotient), 'f32'));
  return b.cast(b.min(b.max(rounded, b.scalar('f32', Number(min))), b.scalar('f32', Number(max))), dtype);
}
