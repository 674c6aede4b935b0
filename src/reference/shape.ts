// Reference of the shape family: each result element is fetched from where the specification says it comes from.
import { AnychipError } from '../core/error.ts';
import { broadcastShapes, elementCount, normalizeAxis, stridesOf } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { bigintReader, createTensor, elementWriter, intTensor, numberReader, scalar, tensorBytes, toNumbers } from '../core/tensor.ts';
import type { NumericTensor, Tensor } from '../core/tensor.ts';
import type { HostValue } from '../graph/graph.ts';
import { numericDTypeOfCode } from '../graph/onnxTypes.ts';
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
} from '../graph/ops/shapeGeometry.ts';
import type { shapeOps } from '../graph/ops/shape.ts';
import { clampedInts, numericAt, optionalAt, tensorAt } from './evaluate.ts';
import type { EvaluateContext, Evaluations } from './evaluate.ts';
import { joinTensors, moveCoordinates, sliceTensor } from './moves.ts';

const intsAt = (inputs: readonly HostValue[], i: number): number[] => clampedInts(numericAt(inputs, i));
const optionalIntsAt = (inputs: readonly HostValue[], i: number): number[] | undefined => {
  const tensor = optionalAt(inputs, i);
  return tensor === undefined ? undefined : clampedInts(tensor);
};

/** The same elements under another shape. */
const viewed = (x: Tensor, shape: Shape): Tensor => (x.dtype === 'string' ? { ...x, shape } : { ...x, shape });
const reserve = (context: EvaluateContext, x: Tensor, shape: Shape): void => context.reserve(tensorBytes(x.dtype, shape));
const emptyAs = (x: Tensor): Tensor | undefined => (x.dtype === 'string' ? undefined : createTensor(x.dtype, []));

export const shapeEvaluations: Evaluations<keyof typeof shapeOps> = {
  Identity: (_, inputs) => [inputs[0] ?? null],
  ConstantOfShape: ({ attrs }, inputs, context) => {
    const value = attrs.value ?? scalar('f32', 0);
    const shape = intsAt(inputs, 0);
    if (shape.some((d) => d < 0)) throw new AnychipError('shape', `ConstantOfShape of [${shape.join(', ')}]`, { hint: 'Dimensions must not be negative.' });
    reserve(context, value, shape);
    return [moveCoordinates(viewed(value, [1]), shape, () => [0])];
  },
  Shape: ({ attrs }, inputs) => [intTensor(shapeSlice(tensorAt(inputs, 0).shape, attrs.start, attrs.end))],
  Size: (_, inputs) => [scalar('i64', elementCount(tensorAt(inputs, 0).shape))],
  Reshape: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    return [viewed(x, resolveReshape(x.shape, intsAt(inputs, 1), attrs.allowzero !== 0))];
  },
  Flatten: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    return [viewed(x, flattenedShape(x.shape, attrs.axis))];
  },
  Squeeze: (_, inputs) => {
    const x = tensorAt(inputs, 0);
    return [viewed(x, squeezedShape(x.shape, optionalIntsAt(inputs, 1)))];
  },
  Unsqueeze: (_, inputs) => {
    const x = tensorAt(inputs, 0);
    return [viewed(x, unsqueezedShape(x.shape, intsAt(inputs, 1)))];
  },
  Transpose: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const perm = permutationOf(attrs.perm, x.shape.length);
    const back = perm.map((_, axis) => perm.indexOf(axis));
    return [
      moveCoordinates(
        x,
        perm.map((p) => x.shape[p]!),
        (index) => back.map((p) => index[p]!),
      ),
    ];
  },
  Expand: (_, inputs, context) => {
    const x = tensorAt(inputs, 0);
    const shape = broadcastShapes(x.shape, intsAt(inputs, 1));
    reserve(context, x, shape);
    const lead = shape.length - x.shape.length;
    return [moveCoordinates(x, shape, (index) => x.shape.map((d, axis) => (d === 1 ? 0 : index[axis + lead]!)))];
  },
  Concat: ({ attrs }, inputs) => {
    const parts = inputs.map((_, i) => tensorAt(inputs, i));
    return [joinTensors(parts, normalizeAxis(attrs.axis, parts[0]!.shape.length))];
  },
  Split: ({ attrs, outputs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const axis = normalizeAxis(attrs.axis, x.shape.length);
    let start = 0;
    return splitSizes(x.shape[axis]!, optionalIntsAt(inputs, 1), attrs.num_outputs ?? outputs.length).map((size) => {
      const part = sliceTensor(x, axis, start, size);
      start += size;
      return part;
    });
  },
  Slice: (_, inputs) => {
    const x = tensorAt(inputs, 0);
    const { starts, sizes, steps } = resolveSlice(x.shape, intsAt(inputs, 1), intsAt(inputs, 2), optionalIntsAt(inputs, 3), optionalIntsAt(inputs, 4));
    return [moveCoordinates(x, sizes, (index) => index.map((at, i) => starts[i]! + at * steps[i]!))];
  },
  Pad: ({ attrs }, inputs, context) => {
    const x = tensorAt(inputs, 0);
    const { low, high } = resolvePads(x.shape, intsAt(inputs, 1), optionalIntsAt(inputs, 3));
    const shape = x.shape.map((d, i) => d + low[i]! + high[i]!);
    reserve(context, x, shape);
    const mode = padMode(attrs.mode, x.shape, low, high);
    const fill = (inputs[2] ?? null) === null ? emptyAs(x) : tensorAt(inputs, 2);
    if (fill !== undefined && (fill.dtype !== x.dtype || fill.data.length !== 1))
      throw new AnychipError('shape', 'the padding value must be a scalar of the same dtype', { hint: 'Check constant_value against the data.' });
    return [
      moveCoordinates(
        x,
        shape,
        (index) => {
          const source = index.map((at, i) => mode(at - low[i]!, x.shape[i]!));
          return source.every((at) => at >= 0) ? source : undefined;
        },
        fill,
      ),
    ];
  },
  Tile: (_, inputs, context) => {
    const x = tensorAt(inputs, 0);
    const shape = tiledShape(x.shape, intsAt(inputs, 1));
    reserve(context, x, shape);
    return [moveCoordinates(x, shape, (index) => index.map((at, i) => at % x.shape[i]!))];
  },
  SpaceToDepth: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const s = attrs.blocksize;
    const { n, c, h, w } = blockShape(x.shape, s, 'join');
    // DCR: the place in the block is the outer part of a channel; CRD: the inner.
    const [channel, place] = attrs.mode === 'CRD' ? [(d: number) => Math.floor(d / (s * s)), (d: number) => d % (s * s)] : [(d: number) => d % c, (d: number) => Math.floor(d / c)];
    return [moveCoordinates(x, [n, c * s * s, h / s, w / s], ([a, d, y, z]) => [a!, channel(d!), y! * s + Math.floor(place(d!) / s), z! * s + (place(d!) % s)])];
  },
  DepthToSpace: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const s = attrs.blocksize;
    const { n, c, h, w } = blockShape(x.shape, s, 'split');
    const depth = c / (s * s);
    // DCR: the block offset is the outer part of a channel; CRD: the inner.
    const channel = attrs.mode === 'CRD' ? (d: number, y: number, z: number) => (d * s + y) * s + z : (d: number, y: number, z: number) => (y * s + z) * depth + d;
    return [moveCoordinates(x, [n, depth, h * s, w * s], ([a, d, y, z]) => [a!, channel(d!, y! % s, z! % s), Math.floor(y! / s), Math.floor(z! / s)])];
  },
  EyeLike: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const dtype = attrs.dtype === undefined ? numericAt(inputs, 0).dtype : numericDTypeOfCode(attrs.dtype);
    if (x.shape.length !== 2) throw new AnychipError('shape', 'EyeLike needs a matrix');
    const out = createTensor(dtype, x.shape);
    const write = elementWriter(out);
    for (let row = 0; row < x.shape[0]!; row++) if (row + attrs.k >= 0 && row + attrs.k < x.shape[1]!) write(row * x.shape[1]! + row + attrs.k, 1);
    return [out];
  },
  Range: (_, inputs, context) => {
    const [start, limit, delta] = [0, 1, 2].map((i) => numericAt(inputs, i));
    const first = (t: NumericTensor): number => toNumbers(t)[0]!;
    const count = rangeCount(first(start!), first(limit!), first(delta!));
    context.reserve(tensorBytes(start!.dtype, [count]));
    const out = createTensor(start!.dtype, [count]);
    const write = elementWriter(out);
    if (start!.dtype === 'i64' || start!.dtype === 'u64') for (let i = 0; i < count; i++) write(i, bigintReader(start!)(0) + BigInt(i) * bigintReader(delta!)(0));
    else for (let i = 0; i < count; i++) write(i, first(start!) + i * first(delta!));
    return [out];
  },
  Trilu: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const k = optionalIntsAt(inputs, 1)?.[0] ?? 0;
    if (x.shape.length < 2) throw new AnychipError('shape', 'Trilu needs matrices');
    return [
      moveCoordinates(
        x,
        x.shape,
        (index) => {
          const distance = index.at(-1)! - index.at(-2)!;
          return (attrs.upper !== 0 ? distance >= k : distance <= k) ? index : undefined;
        },
        emptyAs(x),
      ),
    ];
  },
  ReverseSequence: ({ attrs }, inputs) => {
    const x = tensorAt(inputs, 0);
    const lengths = numericAt(inputs, 1);
    const { batch, time } = checkReverseSequence(x.shape, lengths.shape, attrs.batch_axis, attrs.time_axis);
    const read = numberReader(lengths);
    return [
      moveCoordinates(x, x.shape, (index) => {
        const length = read(index[batch]!);
        return index.map((at, i) => (i === time && at < length ? length - 1 - at : at));
      }),
    ];
  },
  CenterCropPad: ({ attrs }, inputs, context) => {
    const x = tensorAt(inputs, 0);
    const { starts, sizes } = resolveCenter(x.shape, intsAt(inputs, 1), attrs.axes);
    reserve(context, x, sizes);
    const strides = stridesOf(x.shape);
    return [
      moveCoordinates(
        x,
        sizes,
        (index) => {
          const source = index.map((at, i) => at + starts[i]!);
          return strides.every((_, i) => source[i]! >= 0 && source[i]! < x.shape[i]!) ? source : undefined;
        },
        emptyAs(x),
      ),
    ];
  },
};
