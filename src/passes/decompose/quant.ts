// Decompositions of the quant family: elementwise formulas around casts; scales of blocks are views.
import { integerRange, isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import type { Shape } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { quantOps } from '../../graph/ops/quant.ts';
import { checkZeroPoint, dequantizedDType, quantizedDType, quotientDType, resolveGranularity } from '../../graph/ops/quantGeometry.ts';
import type { Granularity } from '../../graph/ops/quantGeometry.ts';
import { inputAt } from '../lowering.ts';
import type { Lower, Lowerings } from '../lowering.ts';
import { noteDequantized } from './dequantized.ts';
import { asFactor } from './integerProducts.ts';
import { quantProductLowerings } from './quantProducts.ts';
import { quantize } from './requantize.ts';
import { sliceAxis } from './views.ts';

/** A parameter in `dtype`, broadcastable against data of shape `x`: every block's value is repeated for its elements. */
function spread(b: Builder, values: Operand, x: Shape, { shape, axis, block }: Granularity, dtype: NumericDType): Operand {
  const own = b.cast(b.reshape(values, shape), dtype);
  if (block === 1) return own;
  const column = b.reshape(own, shape.toSpliced(axis + 1, 0, 1));
  const repeated = b.reshape(b.expand(column, shape.toSpliced(axis + 1, 0, block)), shape.with(axis, shape[axis]! * block));
  return sliceAxis(b, repeated, axis, 0, x[axis]!);
}

const QuantizeLinear: Lower<'QuantizeLinear'> = (b, { attrs }, inputs) => {
  const [x, scale, zeroPoint] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2] ?? null];
  const granularity = resolveGranularity(x.shape, scale.shape, attrs);
  checkZeroPoint(scale.shape, zeroPoint?.shape);
  const dtype = quantizedDType(zeroPoint?.dtype, attrs.output_dtype);
  const precision = quotientDType(scale.dtype, attrs.precision);
  const quotient = b.div(b.cast(x, precision), spread(b, scale, x.shape, granularity, precision));
  const zero = zeroPoint === null ? undefined : spread(b, zeroPoint, x.shape, granularity, 'f32');
  return [quantize(b, quotient, zero, dtype, attrs.saturate !== 0)];
};

const DequantizeLinear: Lower<'DequantizeLinear'> = (b, { attrs }, inputs) => {
  const scale = inputAt(inputs, 1);
  const granularity = resolveGranularity(inputAt(inputs, 0).shape, scale.shape, attrs);
  checkZeroPoint(scale.shape, inputs[2]?.shape);
  const { values: x, zero: zeroPoint } = asFactor(b, inputAt(inputs, 0), inputs[2] ?? null, scale.shape);
  const wide = isFloat(x.dtype) ? 'f32' : 'i32';
  const offset = zeroPoint === null ? b.cast(x, wide) : b.sub(b.cast(x, wide), spread(b, zeroPoint, x.shape, granularity, wide));
  const factor = spread(b, scale, x.shape, granularity, 'f32');
  const y = b.cast(b.mul(b.cast(offset, 'f32'), factor), dequantizedDType(scale.dtype, attrs.output_dtype));
  if (granularity.block === 1) noteDequantized(y, { values: x, zero: zeroPoint === null ? undefined : b.reshape(zeroPoint, granularity.shape), scale: factor });
  return [y];
};

const DynamicQuantizeLinear: Lower<'DynamicQuantizeLinear'> = (b, _, inputs) => {
  const x = inputAt(inputs, 0);
  const axes = x.shape.map((_, i) => i);
  const number = (value: number): Operand => b.scalar(x.dtype, value);
  const largest = b.max(b.reshape(b.reduce('max', x, axes), []), number(0));
  const least = b.min(b.reshape(b.reduce('min', x, axes), []), number(0));
  const range = b.sub(largest, least);
  const scale = b.where(b.eq(range, number(0)), number(1), b.div(range, number(255)));
  const { max } = integerRange('u8');
  const zero = b.min(b.max(b.round(b.sub(number(0), b.div(least, scale))), number(0)), number(Number(max)));
  return [quantize(b, b.div(x, scale), zero, 'u8', true), scale, b.cast(zero, 'u8')];
};

export const quantLowerings: Lowerings<keyof typeof quantOps> = { ...quantProductLowerings, QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear };
