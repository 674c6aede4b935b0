// Declarations of the shape family: operators that move elements or say how they lie, without computing with them.
import { int, ints, op, required, string, tensor } from '../schema.ts';

const unary = { since: 1, inputs: ['input'], outputs: ['output'] } as const;

export const shapeOps = {
  Identity: op({ ...unary, attrs: {} }),
  ConstantOfShape: op({ since: 9, inputs: ['input'], outputs: ['output'], attrs: { value: tensor() }, hostInputs: ['input'] }),
  Shape: op({ since: 1, inputs: ['data'], outputs: ['shape'], attrs: { start: int(0), end: int() }, shapeOnly: true }),
  Size: op({ since: 1, inputs: ['data'], outputs: ['size'], attrs: {}, shapeOnly: true }),
  Reshape: op({ since: 1, inputs: ['data', 'shape'], outputs: ['reshaped'], attrs: { allowzero: int(0) }, hostInputs: ['shape'] }),
  Flatten: op({ ...unary, attrs: { axis: int(1) } }),
  Squeeze: op({ since: 1, inputs: ['data', 'axes?'], outputs: ['squeezed'], attrs: {}, hostInputs: ['axes'] }),
  Unsqueeze: op({ since: 1, inputs: ['data', 'axes'], outputs: ['expanded'], attrs: {}, hostInputs: ['axes'] }),
  Transpose: op({ since: 1, inputs: ['data'], outputs: ['transposed'], attrs: { perm: ints() } }),
  Expand: op({ since: 8, inputs: ['input', 'shape'], outputs: ['output'], attrs: {}, hostInputs: ['shape'] }),
  Concat: op({ since: 1, inputs: ['inputs*'], outputs: ['concat_result'], attrs: { axis: required('int') } }),
  Split: op({ since: 1, inputs: ['input', 'split?'], outputs: ['outputs*'], attrs: { axis: int(0), num_outputs: int() }, hostInputs: ['split'] }),
  Slice: op({ since: 1, inputs: ['data', 'starts', 'ends', 'axes?', 'steps?'], outputs: ['output'], attrs: {}, hostInputs: ['starts', 'ends', 'axes', 'steps'] }),
  Pad: op({ since: 1, inputs: ['data', 'pads', 'constant_value?', 'axes?'], outputs: ['output'], attrs: { mode: string('constant') }, hostInputs: ['pads', 'axes'] }),
  Tile: op({ since: 1, inputs: ['input', 'repeats'], outputs: ['output'], attrs: {}, hostInputs: ['repeats'] }),
  SpaceToDepth: op({ ...unary, attrs: { blocksize: required('int'), mode: string('DCR') } }),
  DepthToSpace: op({ ...unary, attrs: { blocksize: required('int'), mode: string('DCR') } }),
  EyeLike: op({ ...unary, since: 9, attrs: { dtype: int(), k: int(0) }, shapeOnly: true }),
  Range: op({ since: 11, inputs: ['start', 'limit', 'delta'], outputs: ['output'], attrs: { stash_type: int(1) }, hostInputs: ['start', 'limit', 'delta'] }),
  Trilu: op({ since: 14, inputs: ['input', 'k?'], outputs: ['output'], attrs: { upper: int(1) }, hostInputs: ['k'] }),
  ReverseSequence: op({ since: 10, inputs: ['input', 'sequence_lens'], outputs: ['Y'], attrs: { batch_axis: int(1), time_axis: int(0) } }),
  CenterCropPad: op({ since: 18, inputs: ['input_data', 'shape'], outputs: ['output_data'], attrs: { axes: ints() }, hostInputs: ['shape'] }),
} as const;
