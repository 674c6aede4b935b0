// Reference of the quant family: to and from quantised tensors. Steps that decide how a value rounds are taken in the precision that
// the specification names.
import { integerRange, isFloat } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { roundEven, roundToFloat } from '../core/float.ts';
import { forEachIndex, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, scalar, tensorFrom } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { quantOps } from '../graph/ops/quant.ts';
import { checkZeroPoint, dequantizedDType, quantizedDType, quotientDType, resolveGranularity } from '../graph/ops/quantGeometry.ts';
import type { Granularity } from '../graph/ops/quantGeometry.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import type { Evaluate, Evaluations } from './evaluate.ts';
import { castTensor } from './prims/elementwise.ts';
import { quantProductEvaluations } from './quantProducts.ts';

/** The parameter of every flat position of `shape`; 0 where there is none. */
function spread(values: NumericTensor | undefined, shape: Shape, { shape: own, axis, block }: Granularity): (flat: number) => number {
  if (values === undefined) return () => 0;
  const read = numberReader(values);
  const strides = stridesOf(own).map((s, i) => (own[i] === 1 ? 0 : s));
  const at = new Uint32Array(shape.reduce((a, b) => a * b, 1));
  forEachIndex(shape, (index, flat) => {
    at[flat] = strides.reduce((sum, s, i) => sum + s * (i === axis ? Math.floor(index[i]! / block) : index[i]!), 0);
  });
  return (flat) => read(at[flat]!);
}

/** Rounds to the nearest, ties to even, adds the zero point and keeps to the range of `dtype`. */
export function saturated(quotient: number, zeroPoint: number, dtype: NumericDType): number {
  const { min, max } = integerRange(dtype);
  return Math.min(Math.max(roundEven(quotient) + zeroPoint, Number(min)), Number(max));
}

const QuantizeLinear: Evaluate<'QuantizeLinear'> = ({ attrs }, inputs) => {
  const [x, scale, zeroPoint] = [numericAt(inputs, 0), numericAt(inputs, 1), optionalAt(inputs, 2)];
  const granularity = resolveGranularity(x.shape, scale.shape, attrs);
  checkZeroPoint(scale.shape, zeroPoint?.shape);
  const dtype = quantizedDType(zeroPoint?.dtype, attrs.output_dtype);
  const precision = quotientDType(scale.dtype, attrs.precision);
  const [read, divisor, zero] = [numberReader(x), spread(scale, x.shape, granularity), spread(zeroPoint, x.shape, granularity)];
  const quotient = (i: number): number => roundToFloat(precision, roundToFloat(precision, read(i)) / roundToFloat(precision, divisor(i)));
  if (isFloat(dtype)) {
    const wide = Float64Array.from({ length: x.data.length }, (_, i) => quotient(i) + zero(i));
    return [castTensor(tensorFrom('f32', x.shape, wide), dtype, attrs.saturate !== 0)];
  }
  const y = createTensor(dtype, x.shape);
  const write = elementWriter(y);
  for (let i = 0; i < y.data.length; i++) write(i, saturated(quotient(i), zero(i), dtype));
  return [y];
};

const DequantizeLinear: Evaluate<'DequantizeLinear'> = ({ attrs }, inputs) => {
  const [x, scale, zeroPoint] = [numericAt(inputs, 0), numericAt(inputs, 1), optionalAt(inputs, 2)];
  const granularity = resolveGranularity(x.shape, scale.shape, attrs);
  checkZeroPoint(scale.shape, zeroPoint?.shape);
  const [read, factor, zero] = [numberReader(x), spread(scale, x.shape, granularity), spread(zeroPoint, x.shape, granularity)];
  const values = Float64Array.from({ length: x.data.length }, (_, i) => (read(i) - zero(i)) * factor(i));
  return [tensorFrom(dequantizedDType(scale.dtype, attrs.output_dtype), x.shape, values)];
};

/** The range of the data and zero, in 255 steps (computed in f32; data of zeros alone has a scale of 1). */
const DynamicQuantizeLinear: Evaluate<'DynamicQuantizeLinear'> = (_, inputs) => {
  const x = numericAt(inputs, 0);
  const read = numberReader(x);
  const f32 = Math.fround;
  let [least, largest] = [0, 0];
  for (let i = 0; i < x.data.length; i++) [least, largest] = [Math.min(least, read(i)), Math.max(largest, read(i))];
  const scale = largest === least ? 1 : f32(f32(largest - least) / 255);
  const zeroPoint = Math.min(Math.max(roundEven(f32(0 - f32(least / scale))), 0), 255);
  const values = Array.from({ length: x.data.length }, (_, i) => saturated(f32(read(i) / scale), zeroPoint, 'u8'));
  return [tensorFrom('u8', x.shape, values), scalar('f32', scale), scalar('u8', zeroPoint)];
};

export const quantEvaluations: Evaluations<keyof typeof quantOps> = { ...quantProductEvaluations, QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear };
