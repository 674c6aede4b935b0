// Where the windows of convolutions and pools lie: padding resolved from auto_pad, output sizes, and which input a window touches.
// Shared by the reference, the decompositions and the quantised convolutions; knows shapes only, never data.
import { AnychipError } from '../../core/error.ts';
import { formatShape, sameShape } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';

/** The attributes that Conv, ConvInteger, QLinearConv and the pools have in common. */
export interface WindowAttrs {
  readonly kernel_shape?: readonly number[] | undefined;
  readonly strides?: readonly number[] | undefined;
  readonly dilations?: readonly number[] | undefined;
  readonly pads?: readonly number[] | undefined;
  readonly auto_pad?: string;
  readonly ceil_mode?: number;
}

/** One entry per spatial axis in every array. */
export interface WindowGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding the model asks for, before and after each axis. */
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Number of windows. With ceil_mode the last one may reach beyond the padding. */
  readonly out: readonly number[];
}

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, { hint: 'Check kernel_shape, strides, dilations, pads and auto_pad against the shape of the input.' });
};

/** Elements that a window of `size` taps spans. */
export const reachOf = (size: number, dilation: number): number => (size - 1) * dilation + 1;

/** `values`, or `fallback` on every axis; checks length and lower bound. */
export function perAxis(name: string, values: readonly number[] | undefined, rank: number, fallback: number, least: number): readonly number[] {
  const list = values === undefined || values.length === 0 ? Array.from({ length: rank }, () => fallback) : values;
  if (list.length !== rank || list.some((v) => v < least)) fail(`${name} ${formatShape(list)}: ${rank} values of at least ${least} are needed`);
  return list;
}

/** The spatial axes of x [N, C, d1, …]; throws when there are none. */
export function spatialOf(x: Shape): Shape {
  return x.length >= 3 ? x.slice(2) : fail(`an input of shape ${formatShape(x)} has no spatial axes: [N, C, d1, …] is needed`);
}

/** Padding before and after an axis for a total; auto_pad SAME_LOWER puts the odd element before. */
export function splitPadding(total: number, autoPad: string | undefined): readonly [low: number, high: number] {
  const half = Math.floor(total / 2);
  return autoPad === 'SAME_LOWER' ? [total - half, half] : [half, total - half];
}

const autoPads: readonly string[] = ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'];

/** auto_pad, checked; an absent or empty one is NOTSET. */
export function autoPadOf(attrs: WindowAttrs): string {
  const mode = attrs.auto_pad === undefined || attrs.auto_pad === '' ? 'NOTSET' : attrs.auto_pad;
  return autoPads.includes(mode) ? mode : fail(`auto_pad '${mode}' is none of ${autoPads.join(', ')}`);
}

/** pads as [low…, high…]. */
export function explicitPads(attrs: WindowAttrs, rank: number): { readonly low: readonly number[]; readonly high: readonly number[] } {
  const pads = perAxis('pads', attrs.pads, 2 * rank, 0, 0);
  return { low: pads.slice(0, rank), high: pads.slice(rank) };
}

/** Resolves the windows over the spatial axes of an input. `kernel` overrides kernel_shape where the weight tells it. */
export function resolveWindows(spatial: Shape, attrs: WindowAttrs, kernel: Shape | undefined = attrs.kernel_shape): WindowGeometry {
  const rank = spatial.length;
  if (kernel === undefined) return fail('kernel_shape is missing');
  perAxis('kernel_shape', kernel, rank, 1, 1);
  if (attrs.kernel_shape !== undefined && attrs.kernel_shape.some((k, i) => k !== kernel[i])) {
    fail(`kernel_shape ${formatShape(attrs.kernel_shape)} is not that of the weight, ${formatShape(kernel)}`);
  }
  const strides = perAxis('strides', attrs.strides, rank, 1, 1);
  const dilations = perAxis('dilations', attrs.dilations, rank, 1, 1);
  const mode = autoPadOf(attrs);
  const explicit = explicitPads(attrs, rank);
  const axes = spatial.map((size, i) => {
    const reach = reachOf(kernel[i]!, dilations[i]!);
    const stride = strides[i]!;
    if (mode === 'SAME_UPPER' || mode === 'SAME_LOWER') {
      const out = Math.ceil(size / stride);
      const [low, high] = splitPadding(Math.max((out - 1) * stride + reach - size, 0), mode);
      return { low, high, out };
    }
    const [low, high] = mode === 'VALID' ? [0, 0] : [explicit.low[i]!, explicit.high[i]!];
    if (reach > size + low + high) fail(`a kernel of ${formatShape(kernel)} with dilations ${formatShape(dilations)} does not fit into ${formatShape(spatial)}`);
    return { low, high, out: windowCount(size, low, high, reach, stride, attrs.ceil_mode === 1) };
  });
  return { kernel, strides, dilations, low: axes.map((a) => a.low), high: axes.map((a) => a.high), out: axes.map((a) => a.out) };
}

/** With `ceil`, windows that would start in the padding after the data are dropped (opset 22, and every runtime before). */
function windowCount(size: number, low: number, high: number, reach: number, stride: number, ceil: boolean): number {
  const free = size + low + high - reach;
  if (!ceil) return Math.floor(free / stride) + 1;
  const out = Math.ceil(free / stride) + 1;
  return (out - 1) * stride >= size + low ? out - 1 : out;
}

/** Padding after each axis that lets every window, those of ceil_mode included, stay inside. */
export function fittedHigh(spatial: Shape, g: WindowGeometry): number[] {
  return spatial.map((size, i) => Math.max((g.out[i]! - 1) * g.strides[i]! + reachOf(g.kernel[i]!, g.dilations[i]!) - size - g.low[i]!, 0));
}

/** Weight [O, C/groups, k…] against x [N, C, d…]: the checks that the specification of Conv demands. */
export function checkGroups(x: Shape, w: Shape, groups: number): void {
  const fits = w.length === x.length && groups >= 1 && w[1]! * groups === x[1] && w[0]! % groups === 0;
  if (!fits) fail(`an input of shape ${formatShape(x)} and a weight of shape ${formatShape(w)} do not make a convolution of ${groups} groups`);
}

/** The attributes of ConvTranspose that place its output. */
export interface TransposeAttrs extends WindowAttrs {
  readonly output_padding?: readonly number[] | undefined;
  readonly output_shape?: readonly number[] | undefined;
}

/**
 * ConvTranspose scatters input i·stride + k·dilation to position `− low` of an output of size `out`
 * (specification of ConvTranspose: explicit output_shape, then auto_pad, then pads).
 */
export function resolveTranspose(spatial: Shape, attrs: TransposeAttrs, kernel: Shape): WindowGeometry {
  const rank = spatial.length;
  const strides = perAxis('strides', attrs.strides, rank, 1, 1);
  const dilations = perAxis('dilations', attrs.dilations, rank, 1, 1);
  const extra = perAxis('output_padding', attrs.output_padding, rank, 0, 0);
  const mode = autoPadOf(attrs);
  const { low, high } = explicitPads(attrs, rank);
  // output_shape may name the spatial axes only, or all of them.
  const wanted = attrs.output_shape === undefined || attrs.output_shape.length === 0 ? undefined : attrs.output_shape.slice(-rank);
  const axes = spatial.map((size, i) => {
    const full = (size - 1) * strides[i]! + extra[i]! + reachOf(kernel[i]!, dilations[i]!);
    const same = mode === 'SAME_UPPER' || mode === 'SAME_LOWER';
    const out = wanted?.[i] ?? (same ? size * strides[i]! : undefined);
    if (out !== undefined) {
      const total = Math.max(full - out, 0);
      const [before, after] = splitPadding(total, mode === 'SAME_UPPER' ? mode : 'SAME_LOWER');
      return { low: before, high: after, out };
    }
    return mode === 'VALID' ? { low: 0, high: 0, out: full } : { low: low[i]!, high: high[i]!, out: full - low[i]! - high[i]! };
  });
  if (axes.some((a) => a.out < 0)) fail(`pads leave nothing of a transposed convolution of ${formatShape(spatial)}`);
  return { kernel, strides, dilations, low: axes.map((a) => a.low), high: axes.map((a) => a.high), out: axes.map((a) => a.out) };
}

/** DeformConv's windows, with the checks of its operands. offset: [N, offset_group·taps·rank, out…], mask: [N, offset_group·taps, out…]. */
export function deformGeometry(
  x: Shape,
  w: Shape,
  offset: Shape,
  mask: Shape | undefined,
  attrs: WindowAttrs & { readonly group: number; readonly offset_group: number },
): WindowGeometry {
  const spatial = spatialOf(x);
  checkGroups(x, w, attrs.group);
  const g = resolveWindows(spatial, attrs, w.slice(2));
  const fields = attrs.offset_group * g.kernel.reduce((a, b) => a * b, 1);
  const expect = (name: string, shape: Shape, channels: number): void => {
    const wanted = [x[0]!, channels, ...g.out];
    if (formatShape(shape) !== formatShape(wanted)) fail(`${name} has shape ${formatShape(shape)}, not ${formatShape(wanted)}`);
  };
  if (x[1]! % attrs.offset_group !== 0) fail(`${x[1]} channels do not split into ${attrs.offset_group} offset groups`);
  expect('offset', offset, fields * spatial.length);
  if (mask !== undefined) expect('mask', mask, fields);
  return g;
}

/** Col2Im's windows over `image`; x is [N, C·taps, L] with one column per window. */
export function col2ImGeometry(x: Shape, image: Shape, block: Shape, attrs: WindowAttrs): WindowGeometry {
  const g = resolveWindows(image, attrs, block);
  const taps = block.reduce((a, b) => a * b, 1);
  const columns = g.out.reduce((a, b) => a * b, 1);
  if (x.length !== 3 || x[1]! % taps !== 0 || x[2] !== columns) {
    fail(`columns of shape ${formatShape(x)} do not tile an image of ${formatShape(image)} by blocks of ${formatShape(block)}: [N, C·${taps}, ${columns}] is needed`);
  }
  return g;
}

/** Shape that MaxUnpool's indices refer to: the inverse of a pool without the optional output_shape. */
export function unpooledShape(x: Shape, attrs: WindowAttrs): number[] {
  const spatial = spatialOf(x);
  const rank = spatial.length;
  const kernel = perAxis('kernel_shape', attrs.kernel_shape, rank, 1, 1);
  const strides = perAxis('strides', attrs.strides, rank, 1, 1);
  const { low, high } = explicitPads(attrs, rank);
  return [x[0]!, x[1]!, ...spatial.map((d, i) => (d - 1) * strides[i]! + kernel[i]! - low[i]! - high[i]!)];
}

/** A causal convolution per channel: input [batch, channels, length], weight [channels, 1, taps]. */
export interface CausalGeometry {
  readonly batch: number;
  readonly channels: number;
  readonly length: number;
  readonly taps: number;
  readonly activated: boolean;
}

/** Specification of CausalConvWithState, opset 27. */
export function causalGeometry(x: Shape, w: Shape, bias: Shape | undefined, past: Shape | undefined, activation: string): CausalGeometry {
  const bad = (what: string): never => {
    throw new AnychipError('shape', `CausalConvWithState of ${formatShape(x)} with ${what}`, {
      hint: 'It takes [batch, channels, length], a weight [channels, 1, k] and a state [batch, channels, k − 1].',
    });
  };
  const [batch, channels, length] = [x[0]!, x[1]!, x[2]!];
  const taps = w[2] ?? 0;
  if (x.length !== 3 || !sameShape(w, [channels, 1, taps]) || taps < 1) bad(`a weight of ${formatShape(w)}`);
  if (bias !== undefined && !sameShape(bias, [channels])) bad(`a bias of ${formatShape(bias)}`);
  if (past !== undefined && !sameShape(past, [batch, channels, taps - 1])) bad(`a state of ${formatShape(past)}`);
  if (!['none', 'silu', 'swish'].includes(activation)) bad(`the activation '${activation}'`);
  return { batch, channels, length, taps, activated: activation !== 'none' };
}
