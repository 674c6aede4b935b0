// Reference of the activation family: each function by its formula.
import { erf } from '../core/math.ts';
import { checkSameShape } from '../core/shape.ts';
import type { HostValue } from '../graph/graph.ts';
import type { activationOps } from '../graph/ops/activation.ts';
import { mapElements } from './broadcast.ts';
import { numericAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';

const each = (inputs: readonly HostValue[], f: (x: number) => number, wide?: (x: bigint) => bigint): readonly HostValue[] => {
  const x = numericAt(inputs, 0);
  return [mapElements(x.dtype, [x], f, wide)];
};

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
/** A ramp from 0 to 1 of the slope alpha, with NaN kept. */
export const hardSigmoid = (x: number, alpha: number, beta: number): number => Math.max(0, Math.min(1, alpha * x + beta));

export const activationEvaluations: Evaluations<keyof typeof activationOps> = {
  Relu: (_, inputs) =>
    each(
      inputs,
      (x) => Math.max(x, 0),
      (x) => (x > 0n ? x : 0n),
    ),
  LeakyRelu: ({ attrs }, inputs) => each(inputs, (x) => (x < 0 ? attrs.alpha * x : x)),
  PRelu: (_, inputs) => {
    const x = numericAt(inputs, 0);
    return [
      mapElements(
        x.dtype,
        [x, numericAt(inputs, 1)],
        (v, slope) => (v! < 0 ? slope! * v! : v!),
        (v, slope) => (v! < 0n ? slope! * v! : v!),
      ),
    ];
  },
  Elu: ({ attrs }, inputs) => each(inputs, (x) => (x < 0 ? attrs.alpha * Math.expm1(x) : x)),
  Selu: ({ attrs }, inputs) => each(inputs, (x) => attrs.gamma * (x > 0 ? x : attrs.alpha * Math.expm1(x))),
  Celu: ({ attrs }, inputs) => each(inputs, (x) => Math.max(0, x) + Math.min(0, attrs.alpha * Math.expm1(x / attrs.alpha))),
  ThresholdedRelu: ({ attrs }, inputs) => each(inputs, (x) => (x > attrs.alpha ? x : 0)),
  Sigmoid: (_, inputs) => each(inputs, sigmoid),
  HardSigmoid: ({ attrs }, inputs) => each(inputs, (x) => hardSigmoid(x, attrs.alpha, attrs.beta)),
  HardSwish: (_, inputs) => each(inputs, (x) => x * hardSigmoid(x, 1 / 6, 0.5)),
  Swish: ({ attrs }, inputs) => each(inputs, (x) => x * sigmoid(attrs.alpha * x)),
  SwiGLU: ({ attrs }, inputs) => {
    const [gate, value] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    checkSameShape(gate.shape, value.shape);
    return [mapElements(gate.dtype, [gate, value], (x, v) => x! * sigmoid(attrs.alpha * x!) * v!)];
  },
  Mish: (_, inputs) => each(inputs, (x) => x * Math.tanh(softplus(x))),
  Gelu: ({ attrs }, inputs) =>
    each(inputs, attrs.approximate === 'tanh' ? (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))) : (x) => 0.5 * x * (1 + erf(x / Math.SQRT2))),
  Softplus: (_, inputs) => each(inputs, softplus),
  Softsign: (_, inputs) => each(inputs, (x) => x / (1 + Math.abs(x))),
  Shrink: ({ attrs }, inputs) => each(inputs, (x) => (x < -attrs.lambd ? x + attrs.bias : x > attrs.lambd ? x - attrs.bias : 0)),
};
