// Declarations of the indexing family: elements chosen by other tensors, by rank or by value.
import { int, op, string } from '../schema.ts';

const scatter = { inputs: ['data', 'indices', 'updates'], outputs: ['output'] } as const;

export const indexingOps = {
  Gather: op({ since: 1, inputs: ['data', 'indices'], outputs: ['output'], attrs: { axis: int(0) } }),
  GatherElements: op({ since: 11, inputs: ['data', 'indices'], outputs: ['output'], attrs: { axis: int(0) } }),
  GatherND: op({ since: 11, inputs: ['data', 'indices'], outputs: ['output'], attrs: { batch_dims: int(0) } }),
  ScatterElements: op({ since: 11, ...scatter, attrs: { axis: int(0), reduction: string('none') } }),
  ScatterND: op({ since: 11, ...scatter, attrs: { reduction: string('none') } }),
  TensorScatter: op({
    since: 24,
    inputs: ['past_cache', 'update', 'write_indices?'],
    outputs: ['present_cache'],
    attrs: { axis: int(-2), mode: string('linear') },
  }),
  OneHot: op({ since: 9, inputs: ['indices', 'depth', 'values'], outputs: ['output'], attrs: { axis: int(-1) }, hostInputs: ['depth'] }),
  TopK: op({ since: 1, inputs: ['X', 'K'], outputs: ['Values', 'Indices'], attrs: { axis: int(-1), largest: int(1), sorted: int(1) }, hostInputs: ['K'] }),
  NonZero: op({ since: 9, inputs: ['X'], outputs: ['Y'], attrs: {}, hostOnly: 'how many there are depends on data' }),
  Compress: op({ since: 9, inputs: ['input', 'condition'], outputs: ['output'], attrs: { axis: int() }, hostInputs: ['condition'] }),
  Unique: op({
    since: 11,
    inputs: ['X'],
    outputs: ['Y', 'indices?', 'inverse_indices?', 'counts?'],
    attrs: { axis: int(), sorted: int(1) },
    hostOnly: 'how many there are depends on data',
  }),
  NonMaxSuppression: op({
    since: 10,
    inputs: ['boxes', 'scores', 'max_output_boxes_per_class?', 'iou_threshold?', 'score_threshold?'],
    outputs: ['selected_indices'],
    attrs: { center_point_box: int(0) },
    hostOnly: 'how many boxes stay depends on data',
  }),
} as const;
