// Declarations of the quant family: to and from integers and tiny floats, and the products of quantised tensors.
import { int, ints, op, string } from '../schema.ts';

const placement = { auto_pad: string('NOTSET'), dilations: ints(), group: int(1), kernel_shape: ints(), pads: ints(), strides: ints() } as const;

export const quantOps = {
  QuantizeLinear: op({
    since: 10,
    inputs: ['x', 'y_scale', 'y_zero_point?'],
    outputs: ['y'],
    attrs: { axis: int(1), block_size: int(0), output_dtype: int(0), precision: int(0), saturate: int(1) },
  }),
  DequantizeLinear: op({
    since: 10,
    inputs: ['x', 'x_scale', 'x_zero_point?'],
    outputs: ['y'],
    attrs: { axis: int(1), block_size: int(0), output_dtype: int(0) },
  }),
  DynamicQuantizeLinear: op({ since: 11, inputs: ['x'], outputs: ['y', 'y_scale', 'y_zero_point'], attrs: {} }),
  QLinearConv: op({
    since: 10,
    inputs: ['x', 'x_scale', 'x_zero_point', 'w', 'w_scale', 'w_zero_point', 'y_scale', 'y_zero_point', 'B?'],
    outputs: ['y'],
    attrs: placement,
  }),
  QLinearMatMul: op({
    since: 10,
    inputs: ['a', 'a_scale', 'a_zero_point', 'b', 'b_scale', 'b_zero_point', 'y_scale', 'y_zero_point'],
    outputs: ['y'],
    attrs: {},
  }),
  ConvInteger: op({ since: 10, inputs: ['x', 'w', 'x_zero_point?', 'w_zero_point?'], outputs: ['y'], attrs: placement }),
  MatMulInteger: op({ since: 10, inputs: ['A', 'B', 'a_zero_point?', 'b_zero_point?'], outputs: ['Y'], attrs: {} }),
} as const;
