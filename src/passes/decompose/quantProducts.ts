// Convolutions and matrix products of quantised tensors: sums are integers, and what is quantised again is scaled in f32. Floats of 8
// bits have their zero points taken off first.
import { isFloat } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { elementCount, formatShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { OnnxAttrs } from '../../graph/ops.ts';
import { checkGroups, resolveWindows, spatialOf } from '../../graph/ops/convGeometry.ts';
import { columnShape, filterShape, rowShape, singleShape } from '../../graph/ops/quantGeometry.ts';
import { inputAt } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { integerConv, integerMatmul } from './integerProducts.ts';
import { matmul, matmulBy } from './products.ts';
import { quantize } from './requantize.ts';
import { along } from './views.ts';

type Align = (name: string, shape: Shape) => Shape;
const aligned = (b: Builder, name: string, x: Operand, align: Align): Operand => b.reshape(x, align(name, x.shape));

interface Quantised {
  readonly values: Operand;
  /** As it broadcasts. */
  readonly zero: Operand | undefined;
}

/** x and its zero point. */
const quantised = (b: Builder, name: string, values: Operand, zeroPoint: Operand | null, align: Align): Quantised => ({
  values,
  zero: zeroPoint === null ? undefined : aligned(b, name, zeroPoint, align),
});

/** x minus its zero point, in f32. */
function shifted(b: Builder, { values, zero }: Quantised): Operand {
  const wide = b.cast(values, 'f32');
  return zero === undefined ? wide : b.sub(wide, b.cast(zero, 'f32'));
}

function multiplied(b: Builder, x: Quantised, y: Quantised): Operand {
  if (isFloat(x.values.dtype)) return matmul(b, shifted(b, x), shifted(b, y));
  const isSingle = x.zero === undefined || elementCount(x.zero.shape) === 1;
  return matmulBy(b, x.values, y.values, (p, q) => integerMatmul(b, { ...x, values: p }, { ...y, values: q }), isSingle);
}

function requantized(b: Builder, sums: Operand, scales: readonly [x: Operand, w: Operand, y: Operand], zeroPoint: Operand): Operand {
  const [x, w, y] = scales.map((scale) => b.cast(scale, 'f32'));
  return quantize(b, b.mul(b.cast(sums, 'f32'), b.div(b.mul(x!, w!), y!)), b.cast(zeroPoint, 'f32'), zeroPoint.dtype, true);
}

function convolved(b: Builder, attrs: OnnxAttrs['Conv'], x: Quantised, w: Quantised, bias: Operand | null): Operand {
  const [data, filter] = [x.values.shape, w.values.shape];
  checkGroups(data, filter, attrs.group);
  const { strides, dilations, low, high } = resolveWindows(spatialOf(data), attrs, filter.slice(2));
  const window = { strides, dilations, low, high, groups: attrs.group };
  const sums = isFloat(x.values.dtype) ? b.conv(shifted(b, x), shifted(b, w), { ...window, acc: 'f32' }) : integerConv(b, x, w, window);
  if (bias === null) return sums;
  const filters = sums.shape[1]!;
  if (elementCount(bias.shape) !== filters) throw new AnychipError('shape', `a bias of shape ${formatShape(bias.shape)} for ${filters} channels`);
  return b.add(sums, along(b, b.cast(b.reshape(bias, [filters]), sums.dtype), 1, sums.shape.length));
}

export const quantProductLowerings: Lowerings<'QLinearConv' | 'QLinearMatMul' | 'ConvInteger' | 'MatMulInteger'> = {
  ConvInteger(b, { attrs }, inputs) {
    const [x, w] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const filters: Align = (name, shape) => filterShape(name, shape, w.shape);
    const data = quantised(b, 'x_zero_point', x, inputs[2] ?? null, singleShape);
    return [convolved(b, attrs, data, quantised(b, 'w_zero_point', w, inputs[3] ?? null, filters), null)];
  },
  QLinearConv(b, { attrs }, inputs) {
    const [x, w] = [inputAt(inputs, 0), inputAt(inputs, 3)];
    const filters: Align = (name, shape) => filterShape(name, shape, w.shape);
    // Against the output [N, O, d…] the scales of the filters lie along axis 1.
    const channels: Align = (name, shape) => filters(name, shape).slice(0, -1);
    const parameter = (name: string, i: number, align: Align): Operand => aligned(b, name, inputAt(inputs, i), align);
    const data = quantised(b, 'x_zero_point', x, inputAt(inputs, 2), singleShape);
    const sums = convolved(b, attrs, data, quantised(b, 'w_zero_point', w, inputAt(inputs, 5), filters), inputs[8] ?? null);
    const scales = [parameter('x_scale', 1, singleShape), parameter('w_scale', 4, channels), parameter('y_scale', 6, singleShape)] as const;
    return [requantized(b, sums, scales, parameter('y_zero_point', 7, singleShape))];
  },
  MatMulInteger(b, _, inputs) {
    const [x, y] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const left = quantised(b, 'a_zero_point', x, inputs[2] ?? null, (name, shape) => rowShape(name, shape, x.shape));
    const right = quantised(b, 'b_zero_point', y, inputs[3] ?? null, (name, shape) => columnShape(name, shape, y.shape));
    return [multiplied(b, left, right)];
  },
  QLinearMatMul(b, _, inputs) {
    const [x, y] = [inputAt(inputs, 0), inputAt(inputs, 3)];
    const rows: Align = (name, shape) => rowShape(name, shape, x.shape);
    const columns: Align = (name, shape) => columnShape(name, shape, y.shape);
    const parameter = (name: string, i: number, align: Align): Operand => aligned(b, name, inputAt(inputs, i), align);
    const sums = multiplied(b, quantised(b, 'a_zero_point', x, inputAt(inputs, 2), rows), quantised(b, 'b_zero_point', y, inputAt(inputs, 5), columns));
    return [requantized(b, sums, [parameter('a_scale', 1, rows), parameter('b_scale', 4, columns), parameter('y_scale', 6, rows)], parameter('y_zero_point', 7, rows))];
  },
};
