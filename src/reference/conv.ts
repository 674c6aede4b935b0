// Reference of the conv family: convolutions straight from their sums.
import { AnychipError } from '../core/error.ts';
import { elementCount, forEachIndex, formatShape } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, numeric, tensorBytes, toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { convOps } from '../graph/ops/conv.ts';
import { causalGeometry, checkGroups, deformGeometry, resolveTranspose, resolveWindows, spatialOf } from '../graph/ops/convGeometry.ts';
import { sigmoid } from './activation.ts';
import type { EvaluateContext, Evaluations } from './evaluate.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import { joinTensors, sliceTensor } from './moves.ts';
import { sampleLinear } from './sampling.ts';
import { poolEvaluations } from './pool.ts';
import { forEachWindow } from './windows.ts';

/** The output of a convolution, filled with the bias of its channel. */
function biased(
  dtype: NumericTensor['dtype'],
  shape: Shape,
  bias: NumericTensor | undefined,
  context: EvaluateContext,
): { readonly y: NumericTensor; readonly sums: Float64Array } {
  if (bias !== undefined && elementCount(bias.shape) !== shape[1]) {
    throw new AnychipError('shape', `a bias of shape ${formatShape(bias.shape)} for ${shape[1]} channels`);
  }
  context.reserve(tensorBytes(dtype, shape) + 8 * elementCount(shape));
  const y = createTensor(dtype, shape);
  const sums = new Float64Array(elementCount(shape));
  if (bias !== undefined) {
    const read = numberReader(bias);
    const size = elementCount(shape.slice(2));
    for (let i = 0; i < sums.length; i++) sums[i] = read(Math.floor(i / size) % shape[1]!);
  }
  return { y, sums };
}

function written(y: NumericTensor, values: ArrayLike<number>): NumericTensor {
  const write = elementWriter(y);
  for (let i = 0; i < values.length; i++) write(i, values[i]!);
  return y;
}

export const convEvaluations: Evaluations<keyof typeof convOps> = {
  ...poolEvaluations,
  Conv({ attrs }, inputs, context) {
    const [x, w] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const { group } = attrs;
    const spatial = spatialOf(x.shape);
    checkGroups(x.shape, w.shape, group);
    const g = resolveWindows(spatial, attrs, w.shape.slice(2));
    const [batch, channels, filters] = [x.shape[0]!, w.shape[1]!, w.shape[0]!];
    const { y, sums } = biased(x.dtype, [batch, filters, ...g.out], optionalAt(inputs, 2), context);
    const [data, weights] = [toNumbers(x), toNumbers(w)];
    const [inSize, outSize, taps] = [elementCount(spatial), elementCount(g.out), elementCount(g.kernel)];
    forEachWindow(spatial, g, ({ kernel, input }, position) => {
      for (let n = 0; n < batch; n++) {
        for (let o = 0; o < filters; o++) {
          const first = Math.floor(o / (filters / group)) * channels;
          let sum = 0;
          for (let c = 0; c < channels; c++) {
            const plane = (n * x.shape[1]! + first + c) * inSize;
            const filter = (o * channels + c) * taps;
            for (let t = 0; t < kernel.length; t++) sum += data[plane + input[t]!]! * weights[filter + kernel[t]!]!;
          }
          sums[(n * filters + o) * outSize + position]! += sum;
        }
      }
    });
    return [written(y, sums)];
  },

  // Every input element scatters its filter into the output: the windows of Conv, read the other way round.
  ConvTranspose({ attrs }, inputs, context) {
    const [x, w] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const { group } = attrs;
    const spatial = spatialOf(x.shape);
    const [batch, channels, perGroup] = [x.shape[0]!, x.shape[1]!, w.shape[1]!];
    if (w.shape.length !== x.shape.length || w.shape[0] !== channels || channels % group !== 0) {
      throw new AnychipError(
        'shape',
        `an input of shape ${formatShape(x.shape)} and a weight of shape ${formatShape(w.shape)} do not make a transposed convolution of ${group} groups`,
      );
    }
    const g = resolveTranspose(spatial, attrs, w.shape.slice(2));
    const { y, sums } = biased(x.dtype, [batch, perGroup * group, ...g.out], optionalAt(inputs, 2), context);
    const [data, weights] = [toNumbers(x), toNumbers(w)];
    const [inSize, outSize, taps] = [elementCount(spatial), elementCount(g.out), elementCount(g.kernel)];
    forEachWindow(g.out, { ...g, out: spatial }, ({ kernel, input: target }, position) => {
      for (let n = 0; n < batch; n++) {
        for (let c = 0; c < channels; c++) {
          const value = data[(n * channels + c) * inSize + position]!;
          const first = Math.floor(c / (channels / group)) * perGroup;
          for (let o = 0; o < perGroup; o++) {
            const plane = (n * perGroup * group + first + o) * outSize;
            const filter = (c * perGroup + o) * taps;
            for (let t = 0; t < kernel.length; t++) sums[plane + target[t]!]! += value * weights[filter + kernel[t]!]!;
          }
        }
      }
    });
    return [written(y, sums)];
  },

  CausalConvWithState({ attrs }, inputs) {
    const [x, w, bias, past] = [numericAt(inputs, 0), numericAt(inputs, 1), optionalAt(inputs, 2), optionalAt(inputs, 3)];
    const g = causalGeometry(x.shape, w.shape, bias?.shape, past?.shape, attrs.activation);
    const state = past ?? createTensor(x.dtype, [g.batch, g.channels, g.taps - 1]);
    const all = numeric(joinTensors([state, x], 2));
    const [y, row] = [createTensor(x.dtype, x.shape), g.length + g.taps - 1];
    const [write, read, weight, shift] = [elementWriter(y), numberReader(all), numberReader(w), bias === undefined ? () => 0 : numberReader(bias)];
    forEachIndex(x.shape, ([n, c, t], at) => {
      let sum = shift(c!);
      for (let tap = 0; tap < g.taps; tap++) sum += read((n! * g.channels + c!) * row + t! + tap) * weight(c! * g.taps + tap);
      write(at, g.activated ? sum * sigmoid(sum) : sum);
    });
    return [y, sliceTensor(all, 2, g.length, g.taps - 1)];
  },

  DeformConv({ attrs }, inputs, context) {
    const [x, w, offset] = [numericAt(inputs, 0), numericAt(inputs, 1), numericAt(inputs, 2)];
    const mask = optionalAt(inputs, 4);
    const g = deformGeometry(x.shape, w.shape, offset.shape, mask?.shape, attrs);
    const { group, offset_group: offsetGroups } = attrs;
    const [batch, channels, filters, perGroup] = [x.shape[0]!, x.shape[1]!, w.shape[0]!, w.shape[1]!];
    const spatial = spatialOf(x.shape);
    const [data, weights, shift] = [toNumbers(x), toNumbers(w), numberReader(offset)];
    const scale = mask === undefined ? () => 1 : numberReader(mask);
    const [inSize, outSize, taps, rank] = [elementCount(spatial), elementCount(g.out), elementCount(g.kernel), spatial.length];
    const { y, sums } = biased(x.dtype, [batch, filters, ...g.out], optionalAt(inputs, 3), context);
    forEachIndex([batch, channels], ([n, c]) => {
      const og = Math.floor(c! / (channels / offsetGroups));
      const filterGroup = Math.floor(c! / perGroup);
      const plane = data.slice((n! * channels + c!) * inSize, (n! * channels + c! + 1) * inSize);
      forEachIndex(g.out, (position, output) => {
        forEachIndex(g.kernel, (tap, flatTap) => {
          const entry = (n! * offsetGroups + og) * taps + flatTap;
          const at = spatial.map((_, i) => position[i]! * g.strides[i]! + tap[i]! * g.dilations[i]! - g.low[i]! + shift((entry * rank + i) * outSize + output));
          const value = sampleLinear(plane, spatial, at) * scale(entry * outSize + output);
          for (let o = 0; o < filters / group; o++) {
            const filter = filterGroup * (filters / group) + o;
            sums[(n! * filters + filter) * outSize + output]! += value * weights[(filter * perGroup + (c! % perGroup)) * taps + flatTap]!;
          }
        });
      });
    });
    return [written(y, sums)];
  },
};
