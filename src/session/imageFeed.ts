// An image file as the tensor that a model's image input wants. Layout, channels and size are read off the input's type.
import { AnychipError } from '../core/error.ts';
import { elementCount, formatShape } from '../core/shape.ts';
import { createTensor, elementWriter } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { dtypes } from '../core/dtype.ts';
import type { Dim, Graph, TensorType, Value } from '../graph/graph.ts';
import { decodePixels } from '../reference/image.ts';
import type { Pixels } from '../reference/image.ts';
import { DEFAULT_MAX_MEMORY_BYTES, reserveWithin } from './limits.ts';

export interface ImageOptions {
  /** Subtracted from pixels (0–255), one value or one a channel. */
  readonly mean?: readonly number[] | undefined;
  /** Pixels are divided by it. */
  readonly std?: readonly number[] | undefined;
}

/** Decoded pixels, row by row, 4 bytes each (red, green, blue, alpha): a browser's ImageData is one. */
export interface RgbaImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}
/** A PNG, JPEG, BMP or PNM file, or its pixels. */
export type ImageSource = Uint8Array | RgbaImage;

/** Where the axes of an image lie in a tensor. */
interface ImageLayout {
  readonly height: number;
  readonly width: number;
  /** Undefined: one channel without an axis. */
  readonly channel: number | undefined;
}

function pixelsOf(source: ImageSource, reserve: (bytes: number) => void): Pixels {
  if (source instanceof Uint8Array) return decodePixels(source, reserve);
  const { width, height, data } = source;
  if (width > 0 && height > 0 && data.length === width * height * 4) return { width, height, channels: 4, data };
  throw new AnychipError('bad-argument', `${data.length} bytes are no image of ${width}×${height} pixels`, { hint: 'Give 4 bytes a pixel, as ImageData has them.' });
}

const isChannels = (dim: Dim | undefined): boolean => dim === 1 || dim === 3;

function layoutOf(value: Value, shape: readonly Dim[]): ImageLayout {
  const rank = shape.length;
  const lead = rank - 3;
  if (rank === 2) return { height: 0, width: 1, channel: undefined };
  if (rank === 3 || (rank === 4 && (typeof shape[0] === 'string' || shape[0] === 1))) {
    if (isChannels(shape[lead])) return { channel: lead, height: lead + 1, width: lead + 2 };
    if (isChannels(shape[rank - 1])) return { height: lead, width: lead + 1, channel: rank - 1 };
  }
  throw new AnychipError('bad-argument', `input '${value.name}' of shape ${formatShape(shape)} takes no image`, {
    hint: 'An image goes into a tensor of one batch with 1 or 3 channels; give a .npy file instead.',
  });
}

/** Luma of ITU-R BT.601, as grey images are made. */
const GREY = [0.299, 0.587, 0.114] as const;

function planesOf({ width, height, channels, data }: Pixels, count: number): Float64Array[] {
  const planes = Array.from({ length: count }, () => new Float64Array(width * height));
  for (let i = 0; i < width * height; i++) {
    if (count === 3) for (let c = 0; c < 3; c++) planes[c]![i] = data[i * channels + c]!;
    else planes[0]![i] = GREY.reduce((sum, weight, c) => sum + weight * data[i * channels + c]!, 0);
  }
  return planes;
}

/** Rows of weights of a triangle filter that is as wide as the step where the image shrinks. */
function filterOf(from: number, to: number): (i: number) => readonly { readonly at: number; readonly weight: number }[] {
  const scale = from / to;
  const reach = Math.max(scale, 1);
  return (i) => {
    const center = (i + 0.5) * scale - 0.5;
    const taps: { at: number; weight: number }[] = [];
    for (let x = Math.ceil(center - reach); x <= Math.floor(center + reach); x++) {
      const weight = 1 - Math.abs(x - center) / reach;
      if (weight > 0) taps.push({ at: Math.min(Math.max(x, 0), from - 1), weight });
    }
    const sum = taps.reduce((s, t) => s + t.weight, 0);
    return taps.map((t) => ({ at: t.at, weight: t.weight / sum }));
  };
}

/** Linear resampling, first along rows, then along columns. */
function resize(plane: Float64Array, from: readonly [number, number], to: readonly [number, number]): Float64Array {
  const [height, width] = from;
  if (height === to[0] && width === to[1]) return plane;
  const [across, down] = [filterOf(width, to[1]), filterOf(height, to[0])];
  const rows = new Float64Array(height * to[1]);
  const out = new Float64Array(to[0] * to[1]);
  for (let x = 0; x < to[1]; x++) {
    const taps = across(x);
    for (let y = 0; y < height; y++) rows[y * to[1] + x] = taps.reduce((sum, t) => sum + t.weight * plane[y * width + t.at]!, 0);
  }
  for (let y = 0; y < to[0]; y++) {
    const taps = down(y);
    for (let x = 0; x < to[1]; x++) out[y * to[1] + x] = taps.reduce((sum, t) => sum + t.weight * rows[t.at * to[1] + x]!, 0);
  }
  return out;
}

function perChannel(name: string, values: readonly number[] | undefined, count: number, otherwise: number): (channel: number) => number {
  if (values === undefined) return () => otherwise;
  if (values.length !== 1 && values.length !== count) throw new AnychipError('bad-argument', `${values.length} values of --${name} for ${count} channels`);
  return (channel) => values[values.length === 1 ? 0 : channel]!;
}

/** Floats are brought to [0, 1] unless `mean` or `std` says otherwise; integers stay pixels. */
export function imageTensor(source: ImageSource, value: Value, type: TensorType, options: ImageOptions, reserve: (bytes: number) => void): NumericTensor {
  if (type.dtype === 'string' || type.shape === undefined) throw new AnychipError('bad-argument', `input '${value.name}' takes no image`);
  const layout = layoutOf(value, type.shape);
  const pixels = pixelsOf(source, reserve);
  const sizeOf = (axis: number, own: number): number => (typeof type.shape![axis] === 'number' ? type.shape![axis] : own);
  const size = [sizeOf(layout.height, pixels.height), sizeOf(layout.width, pixels.width)] as const;
  const count = layout.channel === undefined ? 1 : sizeOf(layout.channel, 3);
  const shape = type.shape.map((_, axis) => (axis === layout.height ? size[0] : axis === layout.width ? size[1] : axis === layout.channel ? count : 1));
  reserve((elementCount(shape) + pixels.width * pixels.height * count) * Float64Array.BYTES_PER_ELEMENT);
  const isReal = dtypes[type.dtype].class === 'float';
  const scale = isReal && options.mean === undefined && options.std === undefined ? 255 : 1;
  const [mean, std] = [perChannel('mean', options.mean, count, 0), perChannel('std', options.std, count, scale)];
  const out = createTensor(type.dtype, shape);
  const write = elementWriter(out);
  planesOf(pixels, count).forEach((plane, channel) => {
    const resized = resize(plane, [pixels.height, pixels.width], size);
    resized.forEach((pixel, i) => {
      const x = (pixel - mean(channel)) / std(channel);
      const at = layout.channel === shape.length - 1 ? i * count + channel : channel * resized.length + i;
      write(at, isReal ? x : Math.round(x));
    });
  });
  return out;
}

/** An image as a value for the input `name` of a graph, scaled to the size that the input wants. */
export function imageFeed(graph: Graph, name: string, source: ImageSource, options: ImageOptions & { readonly maxMemoryBytes?: number } = {}): NumericTensor {
  const value = graph.inputs.find((input) => input.name === name);
  if (value === undefined) throw new AnychipError('bad-argument', `the model has no input '${name}'`, { hint: `Inputs: ${graph.inputs.map((v) => v.name).join(', ')}.` });
  if (value.type?.kind !== 'tensor') throw new AnychipError('bad-argument', `input '${name}' takes no image`, { hint: 'An image goes into a tensor.' });
  return imageTensor(source, value, value.type, options, reserveWithin(options.maxMemoryBytes ?? DEFAULT_MAX_MEMORY_BYTES));
}
