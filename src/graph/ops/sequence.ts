// Declarations of the sequence family: lists of tensors, and values that may be absent.
import { int, op, required, valueType } from '../schema.ts';

const hosted = { hostOnly: 'a sequence is a list on the host' } as const;
const optional = { since: 15, inputs: ['input?'], outputs: ['output'] } as const;

export const sequenceOps = {
  SequenceConstruct: op({ since: 11, inputs: ['inputs*'], outputs: ['output_sequence'], attrs: {}, ...hosted }),
  SequenceEmpty: op({ since: 11, inputs: [], outputs: ['output'], attrs: { dtype: int(1) }, ...hosted }),
  SequenceInsert: op({ since: 11, inputs: ['input_sequence', 'tensor', 'position?'], outputs: ['output_sequence'], attrs: {}, ...hosted }),
  SequenceErase: op({ since: 11, inputs: ['input_sequence', 'position?'], outputs: ['output_sequence'], attrs: {}, ...hosted }),
  SequenceAt: op({ since: 11, inputs: ['input_sequence', 'position'], outputs: ['tensor'], attrs: {}, ...hosted }),
  SequenceLength: op({ since: 11, inputs: ['input_sequence'], outputs: ['length'], attrs: {}, ...hosted }),
  SplitToSequence: op({ since: 11, inputs: ['input', 'split?'], outputs: ['output_sequence'], attrs: { axis: int(0), keepdims: int(1) }, ...hosted }),
  ConcatFromSequence: op({ since: 11, inputs: ['input_sequence'], outputs: ['concat_result'], attrs: { axis: required('int'), new_axis: int(0) }, ...hosted }),
  Optional: op({ ...optional, attrs: { type: valueType() }, hostOnly: 'an optional is a value of the host' }),
  OptionalHasElement: op({ ...optional, attrs: {}, shapeOnly: true }),
  OptionalGetElement: op({ ...optional, inputs: ['input'], attrs: {} }),
} as const;
