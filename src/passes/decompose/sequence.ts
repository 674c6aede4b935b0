// Decompositions of the sequence family. Lists stay on the host; an optional tensor that is there is that tensor.
import type { sequenceOps } from '../../graph/ops/sequence.ts';
import { inputAt } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';

export const sequenceLowerings: Lowerings<keyof typeof sequenceOps> = {
  SequenceConstruct: 'host',
  SequenceEmpty: 'host',
  SequenceInsert: 'host',
  SequenceErase: 'host',
  SequenceAt: 'host',
  SequenceLength: 'host',
  SplitToSequence: 'host',
  ConcatFromSequence: 'host',
  Optional: 'host',
  OptionalHasElement: (b, _, inputs) => [b.scalar('bool', (inputs[0] ?? null) === null ? 0 : 1)],
  OptionalGetElement: (_b, _node, inputs) => [inputAt(inputs, 0)],
};
