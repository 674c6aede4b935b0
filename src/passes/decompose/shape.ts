// Decompositions of the shape family: views, with a gather where the order depends on data.
import { AnychipError } from '../../core/error.ts';
import { broadcastShapes, elementCount, normalizeAxis } from '../../core/shape.ts';
import { intTensor, numeric, tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { numericDTypeOfCode } from '../../graph/onnxTypes.ts';
import {
  blockShape,
  checkReverseSequence,
  flattenedShape,
  padMode,
  permutationOf,
  rangeCount,
  resolveCenter,
  resolvePads,
  resolveReshape,
  resolveSlice,
  shapeSlice,
  splitSizes,
  squeezedShape,
  tiledShape,
  unsqueezedShape,
} from '../../graph/ops/shapeGeometry.ts';
import type { PadMode } from '../../graph/ops/shapeGeometry.ts';
import type { shapeOps } from '../../graph/ops/shape.ts';
import { accumulatorOf, inputAt, numbersOf, onHost } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { transposed } from './dequantized.ts';
import { along, sliceAxis } from './views.ts';

const intsAt = (b: Builder, inputs: readonly (Operand | null)[], i: number): number[] => numbersOf(b, inputAt(inputs, i));
const optionalIntsAt = (b: Builder, inputs: readonly (Operand | null)[], i: number): number[] | undefined => ((inputs[i] ?? null) === null ? undefined : intsAt(b, inputs, i));

/** Crops (negative) then pads with `value`. */
function cropAndPad(b: Builder, x: Operand, low: readonly number[], high: readonly number[], value: Operand): Operand {
  const starts = low.map((l) => Math.max(0, -l));
  const sizes = x.shape.map((d, i) => Math.max(0, d - starts[i]! - Math.max(0, -high[i]!)));
  // An axis that is cropped away entirely may still be padded from the other side.
  const cropped = b.slice(
    x,
    starts.map((s, i) => (sizes[i] === 0 ? 0 : s)),
    sizes,
  );
  const left = low.map((l, i) => Math.min(Math.max(0, l), x.shape[i]! + l + high[i]!));
  const right = x.shape.map((d, i) => d + low[i]! + high[i]! - left[i]! - sizes[i]!);
  return b.pad(cropped, left, right, value);
}

/** Pads one axis with its own elements: runs of the input in steps of one, joined. */
function padAxisBy(b: Builder, x: Operand, axis: number, low: number, high: number, mode: PadMode): Operand {
  const size = x.shape[axis]!;
  if (low === 0 && high === 0) return x;
  const sources = Array.from({ length: size + low + high }, (_, i) => mode(i - low, size));
  const pieces: Operand[] = [];
  for (let i = 0; i < sources.length;) {
    const step = sources[i + 1] === undefined ? 1 : sources[i + 1]! - sources[i]!;
    let count = 1;
    while (sources[i + count] !== undefined && step === sources[i + count]! - sources[i + count - 1]! && Math.abs(step) <= 1) count++;
    const run = sliceAxis(b, x, axis, sources[i]!, step === 0 ? 1 : count, step === 0 ? 1 : Math.sign(step));
    pieces.push(
      step === 0
        ? b.expand(
            run,
            run.shape.map((d, k) => (k === axis ? count : d)),
          )
        : run,
    );
    i += count;
  }
  return b.concat(pieces, axis);
}

export const shapeLowerings: Lowerings<keyof typeof shapeOps> = {
  Identity: (_, _node, inputs) => [inputAt(inputs, 0)],
  ConstantOfShape(b, { attrs }, inputs) {
    const shape = intsAt(b, inputs, 0);
    if (shape.some((d) => d < 0)) throw new AnychipError('shape', `ConstantOfShape of [${shape.join(', ')}]`, { hint: 'Dimensions must not be negative.' });
    if (attrs.value === undefined) return [b.full('f32', shape, 0)];
    if (attrs.value.dtype === 'string') return onHost('strings');
    return [
      b.expand(
        b.reshape(
          b.constant(numeric(attrs.value)),
          shape.map(() => 1),
        ),
        shape,
      ),
    ];
  },
  Shape: (b, { attrs }, inputs) => [b.constant(intTensor(shapeSlice(inputAt(inputs, 0).shape, attrs.start, attrs.end)))],
  Size: (b, _, inputs) => [b.scalar('i64', elementCount(inputAt(inputs, 0).shape))],
  Reshape(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    return [b.reshape(x, resolveReshape(x.shape, intsAt(b, inputs, 1), attrs.allowzero !== 0))];
  },
  Flatten(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    return [b.reshape(x, flattenedShape(x.shape, attrs.axis))];
  },
  Squeeze(b, _, inputs) {
    const x = inputAt(inputs, 0);
    return [b.reshape(x, squeezedShape(x.shape, optionalIntsAt(b, inputs, 1)))];
  },
  Unsqueeze(b, _, inputs) {
    const x = inputAt(inputs, 0);
    return [b.reshape(x, unsqueezedShape(x.shape, intsAt(b, inputs, 1)))];
  },
  Transpose(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    return [transposed(b, x, permutationOf(attrs.perm, x.shape.length))];
  },
  Expand(b, _, inputs) {
    const x = inputAt(inputs, 0);
    return [b.expand(x, broadcastShapes(x.shape, intsAt(b, inputs, 1)))];
  },
  Concat(b, { attrs }, inputs) {
    const parts = inputs.map((_, i) => inputAt(inputs, i));
    return [b.concat(parts, normalizeAxis(attrs.axis, parts[0]!.shape.length))];
  },
  Split(b, { attrs, outputs }, inputs) {
    const x = inputAt(inputs, 0);
    const axis = normalizeAxis(attrs.axis, x.shape.length);
    let start = 0;
    return splitSizes(x.shape[axis]!, optionalIntsAt(b, inputs, 1), attrs.num_outputs ?? outputs.length).map((size) => {
      const from = size === 0 ? 0 : start;
      start += size;
      return sliceAxis(b, x, axis, from, size);
    });
  },
  Slice(b, _, inputs) {
    const x = inputAt(inputs, 0);
    const { starts, sizes, steps } = resolveSlice(x.shape, intsAt(b, inputs, 1), intsAt(b, inputs, 2), optionalIntsAt(b, inputs, 3), optionalIntsAt(b, inputs, 4));
    return [b.slice(x, starts, sizes, steps)];
  },
  Pad(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const { low, high } = resolvePads(x.shape, intsAt(b, inputs, 1), optionalIntsAt(b, inputs, 3));
    const mode = padMode(attrs.mode, x.shape, low, high);
    if (attrs.mode === 'constant') return [cropAndPad(b, x, low, high, inputs[2] ?? b.scalar(x.dtype, 0))];
    return [x.shape.reduce((y, _, axis) => padAxisBy(b, y, axis, low[axis]!, high[axis]!, mode), x)];
  },
  Tile(b, _, inputs) {
    const x = inputAt(inputs, 0);
    const repeats = intsAt(b, inputs, 1);
    const shape = tiledShape(x.shape, repeats);
    const wide = b.expand(
      b.reshape(
        x,
        x.shape.flatMap((d) => [1, d]),
      ),
      x.shape.flatMap((d, i) => [repeats[i]!, d]),
    );
    return [b.reshape(wide, shape)];
  },
  SpaceToDepth(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const s = attrs.blocksize;
    const { n, c, h, w } = blockShape(x.shape, s, 'join');
    const order = attrs.mode === 'CRD' ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
    return [b.reshape(b.transpose(b.reshape(x, [n, c, h / s, s, w / s, s]), order), [n, c * s * s, h / s, w / s])];
  },
  DepthToSpace(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const s = attrs.blocksize;
    const { n, c, h, w } = blockShape(x.shape, s, 'split');
    const depth = c / (s * s);
    const split =
      attrs.mode === 'CRD' ? b.transpose(b.reshape(x, [n, depth, s, s, h, w]), [0, 1, 4, 2, 5, 3]) : b.transpose(b.reshape(x, [n, s, s, depth, h, w]), [0, 3, 4, 1, 5, 2]);
    return [b.reshape(split, [n, depth, h * s, w * s])];
  },
  EyeLike(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const dtype = attrs.dtype === undefined ? x.dtype : numericDTypeOfCode(attrs.dtype);
    if (x.shape.length !== 2) throw new AnychipError('shape', 'EyeLike needs a matrix');
    const diagonal = b.eq(b.sub(b.iota('i32', x.shape, 1), b.iota('i32', x.shape, 0)), b.scalar('i32', attrs.k));
    return [b.cast(diagonal, dtype)];
  },
  Range(b, _, inputs) {
    const [start, limit, delta] = [0, 1, 2].map((i) => numbersOf(b, inputAt(inputs, i))[0]!);
    const { dtype } = inputAt(inputs, 0);
    const count = rangeCount(start!, limit!, delta!);
    if (count === 0) return [b.constant(tensorFrom(dtype, [0], []))];
    const scalar = (i: number): Operand => b.cast(b.reshape(inputAt(inputs, i), []), accumulatorOf(dtype));
    return [b.cast(b.add(b.mul(b.iota(accumulatorOf(dtype), [count], 0), scalar(2)), scalar(0)), dtype)];
  },
  Trilu(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const k = optionalIntsAt(b, inputs, 1)?.[0] ?? 0;
    if (x.shape.length < 2) throw new AnychipError('shape', 'Trilu needs matrices');
    const plane = x.shape.slice(-2);
    const distance = b.sub(b.iota('i32', plane, 1), b.iota('i32', plane, 0));
    // Any k beyond the matrix says the same as the matrix' own size.
    const bound = b.scalar('i32', Math.min(Math.max(k, -plane[0]! - 1), plane[1]! + 1));
    return [b.where(attrs.upper !== 0 ? b.ge(distance, bound) : b.le(distance, bound), x, b.scalar(x.dtype, 0))];
  },
  ReverseSequence(b, { attrs }, inputs) {
    const [x, lengths] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const rank = x.shape.length;
    const { batch, time } = checkReverseSequence(x.shape, lengths.shape, attrs.batch_axis, attrs.time_axis);
    const shape = x.shape.map((d, i) => (i === batch || i === time ? d : 1));
    const at = b.iota(lengths.dtype, shape, time);
    const ends = along(b, lengths, batch, rank);
    const mirrored = b.sub(b.sub(ends, b.scalar(lengths.dtype, 1)), at);
    const source = b.where(b.lt(at, ends), mirrored, at);
    return [
      b.gather(
        x,
        x.shape.map((_, i) => (i === time ? { index: 0 } : { axis: i })),
        [source],
        x.shape,
      ),
    ];
  },
  CenterCropPad(b, { attrs }, inputs) {
    const x = inputAt(inputs, 0);
    const { starts, sizes } = resolveCenter(x.shape, intsAt(b, inputs, 1), attrs.axes);
    const low = starts.map((s) => -s);
    const high = sizes.map((size, i) => size - x.shape[i]! - low[i]!);
    return [cropAndPad(b, x, low, high, b.scalar(x.dtype, 0))];
  },
};
