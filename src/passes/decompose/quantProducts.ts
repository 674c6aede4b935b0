// Convolutions and matrix products of quantised tensors: zero points are taken off in 32 bits, sums are integers, and what is quantised
// again is scaled in f32.
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
import { matmul } from './products.ts';
import { quantize } from './requantize.ts';
import { along } from './views.ts';

type Align = (name: string, shape: Shape) => Shape;
const aligned = (b: Builder, name: string, x: Operand, align: Align): Operand => b.reshape(x, align(name, x.shape));

/** x minus its zero point, in the dtype that its products are summed in. */
function shifted(b: Builder, name: string, x: Operand, zeroPoint: Operand | null, align: Align): Operand {
  const acc = isFloat(x.dtype) ? 'f32' : 'i32';
  const wide = b.cast(x, acc);
  return zeroPoint === null ? wide : b.sub(wide, b.cast(aligned(b, name, zeroPoint, align), acc));
}

function requantized(b: Builder, sums: Operand, scales: readonly [x: Operand, w: Operand, y: Operand], zeroPoint: Operand): Operand {
  const [x, w, y] = scales.map((scale) => b.cast(scale, 'f32'));
  return quantize(b, b.mul(b.cast(sums, 'f32'), b.div(b.mul(x!, w!), y!)), b.cast(zeroPoint, 'f32'), zeroPoint.dtype, true);
}

function convolved(b: Builder, attrs: OnnxAttrs['Conv'], x: Operand, w: Operand, bias: Operand | null): Operand {
  checkGroups(x.shape, w.shape, attrs.group);
  const { strides, dilations, low, high } = resolveWindows(spatialOf(x.shape), attrs, w.shape.slice(2));
  const sums = b.conv(x, w, { strides, dilations, low, high, groups: attrs.group, acc: x.dtype });
  if (bias === null) return sums;
  const filters = sums.shape[1]!;
  if (elementCount(bias.shape) !== filters) throw new AnychipError('shape', `a bias of shape ${formatShape(bias.shape)} for ${filters} channels`);
  return b.add(sums, along(b, b.cast(b.reshape(bias, [filters]), sums.dtype), 1, sums.shape.length));
}

export const quantProductLowerings: Lowerings<'QLinearConv' | 'QLinearMatMul' | 'ConvInteger' | 'MatMulInteger'> = {
  ConvInteger(b, { attrs }, inputs) {
    const [x, w] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const filters: Align = (name, shape) => filterShape(name, shape, w.shape);
    return [convolved(b, attrs, shifted(b, 'x_zero_point', x, inputs[2] ?? null, singleShape), shifted(b, 'w_zero_point', w, inputs[3] ?? null, filters), null)];
  },
  QLinearConv(b, { attrs }, inputs) {
    const [x, w] = [inputAt(inputs, 0), inputAt(inputs, 3)];
    const filters: Align = (name, shape) => filterShape(name, shape, w.shape);
    // Against the output [N, O, d…] the scales of the filters lie along axis 1.
    const channels: Align = (name, shape) => filters(name, shape).slice(0, -1);
    const parameter = (name: string, i: number, align: Align): Operand => aligned(b, name, inputAt(inputs, i), align);
    const data = shifted(b, 'x_zero_point', x, inputAt(inputs, 2), singleShape);
    const sums = convolved(b, attrs, data, shifted(b, 'w_zero_point', w, inputAt(inputs, 5), filters), inputs[8] ?? null);
    const scales = [parameter('x_scale', 1, singleShape), parameter('w_scale', 4, channels), parameter('y_scale', 6, singleShape)] as const;
    return [requantized(b, sums, scales, parameter('y_zero_point', 7, singleShape))];
  },
  MatMulInteger(b, _, inputs) {
    const [x, y] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const left = shifted(b, 'a_zero_point', x, inputs[2] ?? null, (name, shape) => rowShape(name, shape, x.shape));
    return [
      matmul(
        b,
        left,
        shifted(b, 'b_zero_point', y, inputs[3] ?? null, (name, shape) => columnShape(name, shape, y.shape)),
      ),
    ];
  },
  QLinearMatMul(b, _, inputs) {
    const [x, y] = [inputAt(inputs, 0), inputAt(inputs, 3)];
    const rows: Align = (name, shape) => rowShape(name, shape, x.shape);
    const columns: Align = (name, shape) => columnShape(name, shape, y.shape);
    const parameter = (name: string, i: number, align: Align): Operand => aligned(b, name, inputAt(inputs, i), align);
    const sums = matmul(b, shifted(b, 'a_zero_point', x, inputAt(inputs, 2), rows), shifted(b, 'b_zero_point', y, inputAt(inputs, 5), columns));
    return [requantized(b, sums, [parameter('a_scale', 1, rows), parameter('b_scale', 4, columns), parameter('y_scale', 6, rows)], parameter('y_zero_point', 7, rows))];
  },
};
