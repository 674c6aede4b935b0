// Reference of convolutions and matrix products of quantised tensors: zero points are taken off, the sums are exact, and where the
// result is quantised again it is scaled in f32 and rounded.
import { integerRange, isFloat } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { roundEven } from '../core/float.ts';
import { reshaped } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { Shape } from '../core/shape.ts';
import type { OnnxAttrs } from '../graph/ops.ts';
import { columnShape, filterShape, rowShape, singleShape } from '../graph/ops/quantGeometry.ts';
import { mapElements } from './broadcast.ts';
import { convEvaluations } from './conv.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import type { EvaluateContext, Evaluations } from './evaluate.ts';
import { castTensor } from './prims/elementwise.ts';
import { matmulTensors } from './products.ts';

type Align = (name: string, shape: Shape) => Shape;

/** A parameter as it broadcasts. */
const aligned = (name: string, values: NumericTensor, align: Align): NumericTensor => reshaped(values, align(name, values.shape));

/** x minus its zero point, exactly. */
const shifted = (name: string, x: NumericTensor, zeroPoint: NumericTensor | undefined, align: Align): NumericTensor =>
  zeroPoint === undefined ? castTensor(x, 'f64', false) : mapElements('f64', [x, aligned(name, zeroPoint, align)], (v, zero) => v - zero);

/** Integers add up in 32 bits. */
const accumulated = (sums: NumericTensor, operand: NumericDType): NumericTensor => castTensor(sums, isFloat(operand) ? 'f32' : 'i32', false);

/** sums · (a · b / y) in f32, rounded to the nearest even, with y's zero point, in its dtype. */
function requantized(sums: NumericTensor, scales: readonly [a: NumericTensor, b: NumericTensor, y: NumericTensor], zeroPoint: NumericTensor): NumericTensor {
  const f32 = Math.fround;
  const { dtype } = zeroPoint;
  const scaled = mapElements('f32', [sums, ...scales], (v, a, b, y) => f32(f32(v) * f32(f32(a * b) / y)));
  if (isFloat(dtype))
    return castTensor(
      mapElements('f32', [scaled, zeroPoint], (v, zero) => v + zero),
      dtype,
      true,
    );
  const { min, max } = integerRange(dtype);
  return mapElements(dtype, [scaled, zeroPoint], (v, zero) => Math.min(Math.max(roundEven(v) + zero, Number(min)), Number(max)));
}

function convolved(attrs: OnnxAttrs['Conv'], x: NumericTensor, w: NumericTensor, bias: NumericTensor | undefined, context: EvaluateContext): NumericTensor {
  const added = bias === undefined ? null : castTensor(bias, 'f64', false);
  return numericAt(convEvaluations.Conv({ op: 'Conv', name: 'Conv', attrs, inputs: [], outputs: [] }, [x, w, added], context), 0);
}

export const quantProductEvaluations: Evaluations<'QLinearConv' | 'QLinearMatMul' | 'ConvInteger' | 'MatMulInteger'> = {
  ConvInteger({ attrs }, inputs, context) {
    const [x, w] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const filters: Align = (name, shape) => filterShape(name, shape, w.shape);
    const sums = convolved(attrs, shifted('x_zero_point', x, optionalAt(inputs, 2), singleShape), shifted('w_zero_point', w, optionalAt(inputs, 3), filters), undefined, context);
    return [accumulated(sums, x.dtype)];
  },
  QLinearConv({ attrs }, inputs, context) {
    const [x, w, wScale] = [numericAt(inputs, 0), numericAt(inputs, 3), numericAt(inputs, 4)];
    const filters: Align = (name, shape) => filterShape(name, shape, w.shape);
    // Against the output [N, O, d…] the scales of the filters lie along axis 1.
    const channels: Align = (name, shape) => filters(name, shape).slice(0, -1);
    const single = (name: string, i: number): NumericTensor => aligned(name, numericAt(inputs, i), singleShape);
    const sums = convolved(
      attrs,
      shifted('x_zero_point', x, numericAt(inputs, 2), singleShape),
      shifted('w_zero_point', w, numericAt(inputs, 5), filters),
      optionalAt(inputs, 8),
      context,
    );
    return [requantized(accumulated(sums, x.dtype), [single('x_scale', 1), aligned('w_scale', wScale, channels), single('y_scale', 6)], single('y_zero_point', 7))];
  },
  MatMulInteger(_, inputs, context) {
    const [a, b] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const left = shifted('a_zero_point', a, optionalAt(inputs, 2), (name, shape) => rowShape(name, shape, a.shape));
    const right = shifted('b_zero_point', b, optionalAt(inputs, 3), (name, shape) => columnShape(name, shape, b.shape));
    return [accumulated(matmulTensors(left, right, 'f64', context), a.dtype)];
  },
  QLinearMatMul(_, inputs, context) {
    const [a, b] = [numericAt(inputs, 0), numericAt(inputs, 3)];
    const rows: Align = (name, shape) => rowShape(name, shape, a.shape);
    const columns: Align = (name, shape) => columnShape(name, shape, b.shape);
    const parameter = (name: string, i: number, align: Align): NumericTensor => aligned(name, numericAt(inputs, i), align);
    const product = matmulTensors(shifted('a_zero_point', a, numericAt(inputs, 2), rows), shifted('b_zero_point', b, numericAt(inputs, 5), columns), 'f64', context);
    const scales = [parameter('a_scale', 1, rows), parameter('b_scale', 4, columns), parameter('y_scale', 6, rows)] as const;
    return [requantized(accumulated(product, a.dtype), scales, parameter('y_zero_point', 7, rows))];
  },
};
