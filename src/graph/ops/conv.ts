// Declarations of the conv family: convolutions, pools, and what undoes them.
import { int, ints, op, required, string } from '../schema.ts';

const placement = { auto_pad: string('NOTSET'), dilations: ints(), kernel_shape: ints(), pads: ints(), strides: ints() } as const;
const pooling = { ...placement, ceil_mode: int(0), kernel_shape: required('ints') } as const;
const perImage = { since: 1, inputs: ['X'], outputs: ['Y'] } as const;

export const convOps = {
  Conv: op({ since: 1, inputs: ['X', 'W', 'B?'], outputs: ['Y'], attrs: { ...placement, group: int(1) } }),
  ConvTranspose: op({
    since: 1,
    inputs: ['X', 'W', 'B?'],
    outputs: ['Y'],
    attrs: { ...placement, group: int(1), output_padding: ints(), output_shape: ints() },
  }),
  CausalConvWithState: op({
    since: 27,
    inputs: ['input', 'weight', 'bias?', 'past_state?'],
    outputs: ['output', 'present_state'],
    attrs: { activation: string('none') },
  }),
  DeformConv: op({
    since: 19,
    inputs: ['X', 'W', 'offset', 'B?', 'mask?'],
    outputs: ['Y'],
    attrs: { dilations: ints(), group: int(1), kernel_shape: ints(), offset_group: int(1), pads: ints(), strides: ints() },
  }),
  MaxPool: op({ since: 1, inputs: ['X'], outputs: ['Y', 'Indices?'], attrs: { ...pooling, storage_order: int(0) } }),
  AveragePool: op({ ...perImage, attrs: { ...pooling, count_include_pad: int(0) } }),
  LpPool: op({ ...perImage, attrs: { ...pooling, p: int(2) } }),
  GlobalAveragePool: op({ ...perImage, attrs: {} }),
  GlobalMaxPool: op({ ...perImage, attrs: {} }),
  GlobalLpPool: op({ ...perImage, attrs: { p: int(2) } }),
  MaxUnpool: op({
    since: 9,
    inputs: ['X', 'I', 'output_shape?'],
    outputs: ['output'],
    attrs: { kernel_shape: required('ints'), pads: ints(), strides: ints() },
    hostInputs: ['output_shape'],
  }),
  Col2Im: op({
    since: 18,
    inputs: ['input', 'image_shape', 'block_shape'],
    outputs: ['output'],
    attrs: { dilations: ints(), pads: ints(), strides: ints() },
    hostInputs: ['image_shape', 'block_shape'],
  }),
} as const;
