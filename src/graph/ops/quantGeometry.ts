// How scales and zero points lie against what they quantise, and which dtypes come out. Knows shapes and dtypes only, never data.
import { isFloat } from '../../core/dtype.ts';
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { elementCount, formatShape, normalizeAxis, sameShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { numericDTypeOfCode } from '../onnxTypes.ts';
import { checkFits } from './normGeometry.ts';

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, { hint: 'A scale is a scalar, a vector along the axis, or one value per block of the axis.' });
};

/** A parameter seen with the rank of the data; along `axis` each value serves `block` elements. */
export interface Granularity {
  readonly shape: Shape;
  readonly axis: number;
  readonly block: number;
}

/** Per tensor, per axis or blocked (specification of QuantizeLinear, opset 21). */
export function resolveGranularity(x: Shape, scale: Shape, attrs: { readonly axis: number; readonly block_size: number }): Granularity {
  const rank = x.length;
  const ones = x.map(() => 1);
  if (attrs.block_size > 0) {
    const axis = normalizeAxis(attrs.axis, rank);
    const wanted = x.with(axis, Math.ceil(x[axis]! / attrs.block_size));
    return sameShape(scale, wanted)
      ? { shape: scale, axis, block: attrs.block_size }
      : fail(`a scale of shape ${formatShape(scale)}, not ${formatShape(wanted)}, for blocks of ${attrs.block_size}`);
  }
  if (scale.length <= 1 && elementCount(scale) === 1) return { shape: ones, axis: 0, block: 1 };
  // The axis of a vector is not looked at.
  const axis = rank === 1 ? 0 : normalizeAxis(attrs.axis, rank);
  if (scale.length !== 1 || scale[0] !== x[axis]) fail(`a scale of shape ${formatShape(scale)} for axis ${axis} of ${formatShape(x)}`);
  return { shape: ones.with(axis, x[axis]!), axis, block: 1 };
}

/** Scale and zero point have one shape; a single value may also be written as a vector. */
export function checkZeroPoint(scale: Shape, zeroPoint: Shape | undefined): void {
  if (zeroPoint === undefined || sameShape(scale, zeroPoint)) return;
  if (elementCount(scale) !== 1 || elementCount(zeroPoint) !== 1) fail(`a zero point of shape ${formatShape(zeroPoint)} beside a scale of ${formatShape(scale)}`);
}

/** dtype of a quantised tensor: that of the zero point, else `output_dtype`, else u8. */
export function quantizedDType(zeroPoint: NumericDType | undefined, code: number): NumericDType {
  if (code === 0) return zeroPoint ?? 'u8';
  const asked = numericDTypeOfCode(code);
  return zeroPoint === undefined || zeroPoint === asked ? asked : fail(`a zero point of ${zeroPoint} where output_dtype says ${asked}`);
}

/** dtype in which data is divided by its scale: `precision`, else the scale's, else f32 where the scale is no float to compute in. */
export function quotientDType(scale: NumericDType, code: number): NumericDType {
  if (code !== 0) return numericDTypeOfCode(code);
  return isFloat(scale) && scale !== 'f8e8m0' ? scale : 'f32';
}

/** dtype of a dequantised tensor. */
export function dequantizedDType(scale: NumericDType, code: number): NumericDType {
  if (code !== 0) return numericDTypeOfCode(code);
  return scale === 'f8e8m0' ? fail('a scale of f8e8m0 without output_dtype') : scale;
}

/** A parameter of the rows of `matrix` [.., M, K]: a scalar, a vector [M], or one that broadcasts. */
export function rowShape(name: string, shape: Shape, matrix: Shape): Shape {
  if (elementCount(shape) === 1) return [];
  const aligned = shape.length === 1 ? [shape[0]!, 1] : shape;
  checkFits(name, aligned, matrix.with(matrix.length - 1, 1));
  return aligned;
}

/** A parameter of the columns of `matrix` [.., K, N]: a scalar, a vector [N], or one that broadcasts. */
export function columnShape(name: string, shape: Shape, matrix: Shape): Shape {
  if (elementCount(shape) === 1) return [];
  checkFits(name, shape, matrix.length < 2 ? matrix.map(() => 1) : matrix.with(matrix.length - 2, 1));
  return shape;
}

/** A parameter of the filters of a weight [O, …]: a scalar or a vector [O]. */
export function filterShape(name: string, shape: Shape, weight: Shape): Shape {
  if (elementCount(shape) === 1) return [];
  if (shape.length !== 1 || shape[0] !== weight[0]) fail(`${name} has shape ${formatShape(shape)} for ${weight[0]} filters`);
  return [weight[0]!, ...weight.slice(1).map(() => 1)];
}

/** A parameter of the whole tensor. */
export function singleShape(name: string, shape: Shape): Shape {
  return elementCount(shape) === 1 ? [] : fail(`${name} has shape ${formatShape(shape)} where one value is needed`);
}
