// Decompositions of convolutions: padding and views around the conv primitive.
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { range } from '../../core/integers.ts';
import { elementCount, formatShape } from '../../core/shape.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { convOps } from '../../graph/ops/conv.ts';
import { causalGeometry, checkGroups, deformGeometry, resolveTranspose, resolveWindows, spatialOf } from '../../graph/ops/convGeometry.ts';
import type { WindowGeometry } from '../../graph/ops/convGeometry.ts';
import { accumulatorOf, inputAt } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';
import { sigmoid } from './activation.ts';
import { dequantizedConv } from './dequantized.ts';
import { poolLowerings } from './pool.ts';
import { linearTaps, sumTaps } from './sampling.ts';
import { along, flipAxis, padAxis, sliceAxis, spreadAxis } from './views.ts';

/** Adds the bias of each channel in the accumulator's dtype, then rounds to that of the output. */
function finish(b: Builder, sums: Operand, bias: Operand | null, dtype: NumericDType): Operand {
  if (bias === null) return b.cast(sums, dtype);
  if (elementCount(bias.shape) !== sums.shape[1]) throw new AnychipError('shape', `a bias of shape ${formatShape(bias.shape)} for ${sums.shape[1]} channels`);
  return b.cast(b.add(sums, along(b, b.cast(b.reshape(bias, [sums.shape[1]!]), sums.dtype), 1, sums.shape.length)), dtype);
}

/**
 * A transposed convolution of stride s as a plain one: output q·s + r is a convolution of x at q with every s-th tap, starting at r.
 * So the taps are dealt out to s times as many filters (per axis), and their results are interleaved. No multiplication is wasted
 * on inserted zeros.
 */
function convTranspose(b: Builder, x: Operand, w: Operand, g: WindowGeometry, groups: number, acc: NumericDType): Operand {
  const spatial = x.shape.slice(2);
  const filters = w.shape[1]! * groups;
  const phases = g.strides;
  // Where there is but one phase, dilation stays an attribute; elsewhere the gaps become taps of zero.
  const dense = phases.reduce((v, s, i) => (s === 1 ? v : spreadAxis(b, v, i + 2, g.dilations[i]!)), w);
  const dilations = phases.map((s, i) => (s === 1 ? g.dilations[i]! : 1));
  const taps = phases.map((s, i) => Math.ceil(dense.shape[i + 2]! / s));
  const axes = spatial.map((size, i) => {
    const [s, lead] = [phases[i]!, (taps[i]! - 1) * dilations[i]!];
    const low = Math.max(lead - Math.floor(g.low[i]! / s), 0);
    const high = Math.max(Math.ceil((g.low[i]! + g.out[i]!) / s) - size, 0);
    return { low, high, start: g.low[i]! - (lead - low) * s };
  });
  const filter = dealTaps(b, dense, groups, phases, taps);
  const y = b.conv(x, filter, {
    strides: spatial.map(() => 1),
    dilations,
    low: axes.map((a) => a.low),
    high: axes.map((a) => a.high),
    groups,
    acc,
  });
  const wide = interleave(b, y, filters, phases);
  return b.slice(wide, [0, 0, ...axes.map((a) => a.start)], [x.shape[0]!, filters, ...g.out]);
}

/** [C, O/G, k…] → [O·phases, C/G, taps…]: for each phase every s-th tap, in reverse. */
function dealTaps(b: Builder, w: Operand, groups: number, phases: readonly number[], taps: readonly number[]): Operand {
  const [channels, perGroup] = [w.shape[0]!, w.shape[1]!];
  const padded = phases.reduce((v, s, i) => padAxis(b, v, i + 2, 0, taps[i]! * s - w.shape[i + 2]!), w);
  const split = b.reshape(padded, [groups, channels / groups, perGroup, ...phases.flatMap((s, i) => [taps[i]!, s])]);
  const flipped = phases.reduce((v, _, i) => flipAxis(b, v, 3 + 2 * i), split);
  const dealt = b.transpose(flipped, [0, 2, ...phases.map((_, i) => 4 + 2 * i), 1, ...phases.map((_, i) => 3 + 2 * i)]);
  return b.reshape(dealt, [groups * perGroup * elementCount(phases), channels / groups, ...taps]);
}

/** [N, O·phases, q…] → [N, O, q·s…]. */
function interleave(b: Builder, y: Operand, filters: number, phases: readonly number[]): Operand {
  const rank = phases.length;
  const sizes = y.shape.slice(2);
  const split = b.reshape(y, [y.shape[0]!, filters, ...phases, ...sizes]);
  const mixed = b.transpose(split, [0, 1, ...phases.flatMap((_, i) => [2 + rank + i, 2 + i])]);
  return b.reshape(mixed, [y.shape[0]!, filters, ...sizes.map((q, i) => q * phases[i]!)]);
}

/** Where each tap of each window reads, along axis `i`: [N, groups, 1, taps, out…] in `acc`. */
function deformedCoordinates(b: Builder, offset: Operand, g: WindowGeometry, i: number, groups: number, acc: NumericDType): Operand {
  const rank = g.out.length;
  const taps = elementCount(g.kernel);
  const fields = b.reshape(offset, [offset.shape[0]!, groups, taps, rank, ...g.out]);
  const shift = b.reshape(sliceAxis(b, fields, 3, i, 1), [offset.shape[0]!, groups, 1, taps, ...g.out]);
  const inner = elementCount(g.kernel.slice(i + 1));
  const tapTable = b.constant(
    tensorFrom(
      acc,
      [taps],
      Array.from({ length: taps }, (_, t) => (Math.floor(t / inner) % g.kernel[i]!) * g.dilations[i]!),
    ),
  );
  const startTable = b.constant(
    tensorFrom(
      acc,
      [g.out[i]!],
      Array.from({ length: g.out[i]! }, (_, o) => o * g.strides[i]! - g.low[i]!),
    ),
  );
  const grid = b.add(along(b, tapTable, 3, 4 + rank), along(b, startTable, 4 + i, 4 + rank));
  return b.add(b.cast(shift, acc), grid);
}

/** The convolution without the taps at the ends of an axis that meet nothing but padding, as those of wide dilations over small images do. */
function withoutIdleTaps(
  b: Builder,
  x: Operand,
  w: Operand,
  { out, ...window }: WindowGeometry,
): { readonly filter: Operand; readonly window: Omit<WindowGeometry, 'kernel' | 'out'> } {
  const ends = window.low.map((low, i) => {
    const [size, taps, dilation, stride, high] = [x.shape[i + 2]!, w.shape[i + 2]!, window.dilations[i]!, window.strides[i]!, window.high[i]!];
    const meets = (tap: number): boolean => {
      const first = Math.max(Math.ceil((low - tap * dilation) / stride), 0);
      return first < out[i]! && first * stride + tap * dilation - low < size;
    };
    const met = range(taps).filter(meets);
    const [begin, idle] = [met[0] ?? 0, taps - 1 - (met.at(-1) ?? taps - 1)];
    const trimmed = { begin, taps: taps - begin - idle, low: low - begin * dilation, high: high - idle * dilation };
    return trimmed.low < 0 || trimmed.high < 0 ? { begin: 0, taps, low, high } : trimmed;
  });
  const filter = b.slice(w, [0, 0, ...ends.map((e) => e.begin)], [...w.shape.slice(0, 2), ...ends.map((e) => e.taps)]);
  return { filter, window: { strides: window.strides, dilations: window.dilations, low: ends.map((e) => e.low), high: ends.map((e) => e.high) } };
}

export const convLowerings: Lowerings<keyof typeof convOps> = {
  ...poolLowerings,
  Conv(b, { attrs }, inputs) {
    const [x, w] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    checkGroups(x.shape, w.shape, attrs.group);
    const met = withoutIdleTaps(b, x, w, resolveWindows(spatialOf(x.shape), attrs, w.shape.slice(2)));
    const window = { ...met.window, groups: attrs.group };
    const sums = dequantizedConv(b, x, met.filter, window) ?? b.conv(x, met.filter, { ...window, acc: accumulatorOf(x.dtype) });
    return [finish(b, sums, inputs[2] ?? null, x.dtype)];
  },

  ConvTranspose(b, { attrs }, inputs) {
    const [x, w] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    const spatial = spatialOf(x.shape);
    if (w.shape.length !== x.shape.length || w.shape[0] !== x.shape[1] || x.shape[1]! % attrs.group !== 0) {
      throw new AnychipError(
        'shape',
        `an input of shape ${formatShape(x.shape)} and a weight of shape ${formatShape(w.shape)} do not make a transposed convolution of ${attrs.group} groups`,
      );
    }
    const g = resolveTranspose(spatial, attrs, w.shape.slice(2));
    return [finish(b, convTranspose(b, x, w, g, attrs.group, accumulatorOf(x.dtype)), inputs[2] ?? null, x.dtype)];
  },

  CausalConvWithState(b, { attrs }, inputs) {
    const [x, w, bias, past] = [inputAt(inputs, 0), inputAt(inputs, 1), inputs[2] ?? null, inputs[3] ?? null];
    const g = causalGeometry(x.shape, w.shape, bias?.shape, past?.shape, attrs.activation);
    const all = past === null ? padAxis(b, x, 2, g.taps - 1, 0) : b.concat([past, x], 2);
    const acc = accumulatorOf(x.dtype);
    const sums = b.conv(all, w, { strides: [1], dilations: [1], low: [0], high: [0], groups: g.channels, acc });
    const y = finish(b, sums, bias, acc);
    const activated = g.activated
      ? b.mul(
          y,
          sigmoid(b, y, (value) => b.scalar(acc, value)),
        )
      : y;
    return [b.cast(activated, x.dtype), sliceAxis(b, all, 2, g.taps === 1 ? 0 : g.length, g.taps - 1)];
  },

  // Samples the columns of every window by gathers, then multiplies them with the filters.
  DeformConv(b, { attrs }, inputs) {
    const [x, w, offset, mask] = [inputAt(inputs, 0), inputAt(inputs, 1), inputAt(inputs, 2), inputs[4] ?? null];
    const { group, offset_group: offsetGroups } = attrs;
    const spatial = spatialOf(x.shape);
    const g = deformGeometry(x.shape, w.shape, offset.shape, mask?.shape, attrs);
    const acc = accumulatorOf(x.dtype);
    const [batch, channels, filters] = [x.shape[0]!, x.shape[1]!, w.shape[0]!];
    const [taps, positions] = [elementCount(g.kernel), elementCount(g.out)];
    const planes = b.reshape(b.cast(x, acc), [batch, offsetGroups, channels / offsetGroups, ...spatial]);
    const coordinates = spatial.map((size, i) => linearTaps(b, deformedCoordinates(b, offset, g, i, offsetGroups, acc), size));
    const sampled = sumTaps(b, planes, [0, 1, 2, ...coordinates], [batch, offsetGroups, channels / offsetGroups, taps, ...g.out]);
    const masked = mask === null ? sampled : b.mul(sampled, b.reshape(b.cast(mask, acc), [batch, offsetGroups, 1, taps, ...g.out]));
    const columns = b.reshape(masked, [batch, group, (channels / group) * taps, positions]);
    const kernels = b.reshape(b.cast(w, acc), [1, group, filters / group, (channels / group) * taps]);
    const sums = b.reshape(b.matmul(kernels, columns), [batch, filters, ...g.out]);
    return [finish(b, sums, inputs[3] ?? null, x.dtype)];
  },
};
