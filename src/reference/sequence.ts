// Reference of the sequence family. A sequence is an array of tensors, an optional is its element or null.
import { AnychipError } from '../core/error.ts';
import { normalizeAxis } from '../core/shape.ts';
import { reshaped, scalar, toNumbers } from '../core/tensor.ts';
import type { Tensor } from '../core/tensor.ts';
import type { HostValue } from '../graph/graph.ts';
import type { sequenceOps } from '../graph/ops/sequence.ts';
import { splitSizes } from '../graph/ops/shapeGeometry.ts';
import { optionalAt, sequenceAt, tensorAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';
import { joinTensors, sliceTensor, stackTensors } from './moves.ts';

/** Input `i` (`fallback` when omitted) as a position from 0 to `last`; negative ones count from `length` back. */
function positionAt(inputs: readonly HostValue[], i: number, length: number, last: number, fallback = NaN): number {
  const tensor = optionalAt(inputs, i);
  const given = tensor === undefined ? fallback : (toNumbers(tensor)[0] ?? NaN);
  const position = given < 0 ? given + length : given;
  if (!(position >= 0 && position <= last))
    throw new AnychipError('run', `position ${given} of a sequence of ${length}`, { hint: `Positions lie from ${-length} to ${last}.`, facts: { position: given, length } });
  return position;
}

const tensorsAt = (inputs: readonly HostValue[], i: number): Tensor[] => {
  const sequence = sequenceAt(inputs, i);
  return sequence.map((_, k) => tensorAt(sequence, k));
};

function sameDType(tensors: readonly Tensor[]): readonly Tensor[] {
  const dtypes = new Set(tensors.map((t) => t.dtype));
  if (dtypes.size > 1) throw new AnychipError('shape', `a sequence of ${[...dtypes].join(' and ')}`, { hint: 'All tensors of a sequence have one dtype.' });
  return tensors;
}

/** Parts along an axis: as long as a list says, or all of one length but for the last. */
function partSizes(size: number, split: Tensor | undefined): readonly number[] {
  if (split !== undefined && split.shape.length > 0) return splitSizes(size, toNumbers(split), split.data.length);
  const chunk = split === undefined ? 1 : toNumbers(split)[0]!;
  if (!(chunk > 0)) throw new AnychipError('run', `parts of length ${chunk}`, { hint: 'SplitToSequence wants a positive length.' });
  return Array.from({ length: Math.ceil(size / chunk) }, (_, i) => Math.min(chunk, size - i * chunk));
}

export const sequenceEvaluations: Evaluations<keyof typeof sequenceOps> = {
  SequenceConstruct: (_, inputs) => [sameDType(tensorsAt([inputs], 0))],
  SequenceEmpty: () => [[]],
  SequenceInsert: (_, inputs) => {
    const sequence = tensorsAt(inputs, 0);
    const { length } = sequence;
    return [sameDType(sequence.toSpliced(positionAt(inputs, 2, length, length, length), 0, tensorAt(inputs, 1)))];
  },
  SequenceErase: (_, inputs) => {
    const sequence = sequenceAt(inputs, 0);
    return [sequence.toSpliced(positionAt(inputs, 1, sequence.length, sequence.length - 1, -1), 1)];
  },
  SequenceAt: (_, inputs) => {
    const sequence = sequenceAt(inputs, 0);
    return [sequence[positionAt(inputs, 1, sequence.length, sequence.length - 1)] ?? null];
  },
  SequenceLength: (_, inputs) => [scalar('i64', sequenceAt(inputs, 0).length)],
  SplitToSequence: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const axis = normalizeAxis(attrs.axis, x.shape.length);
    const split = optionalAt(inputs, 1);
    let start = 0;
    const parts = partSizes(x.shape[axis]!, split).map((size) => {
      const part = sliceTensor(x, axis, start, size);
      start += size;
      return part;
    });
    return [split === undefined && attrs.keepdims === 0 ? parts.map((part) => reshaped(part, part.shape.toSpliced(axis, 1))) : parts];
  },
  ConcatFromSequence: ({ attrs }, inputs) => {
    const parts = tensorsAt(inputs, 0);
    const rank = parts[0]?.shape.length;
    if (rank === undefined) throw new AnychipError('run', 'an empty sequence cannot be joined', { hint: 'ConcatFromSequence wants at least one tensor.' });
    return [attrs.new_axis === 0 ? joinTensors(parts, normalizeAxis(attrs.axis, rank)) : stackTensors(parts, normalizeAxis(attrs.axis, rank + 1))];
  },
  Optional: (_, inputs) => [inputs[0] ?? null],
  OptionalHasElement: (_, inputs) => [scalar('bool', (inputs[0] ?? null) === null ? 0 : 1)],
  OptionalGetElement: (_, inputs) => {
    const value = inputs[0] ?? null;
    if (value === null) throw new AnychipError('run', 'the optional is empty', { hint: 'Ask OptionalHasElement first.' });
    return [value];
  },
};
