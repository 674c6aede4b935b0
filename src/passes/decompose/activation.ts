// Decompositions of the activation family: short elementwise chains, computed in f32 for the half-width floats.
import { checkSameShape } from '../../core/shape.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { activationOps } from '../../graph/ops/activation.ts';
import { accumulatorOf, inputAt } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';

/** `f` of the first input in the dtype that formulas are computed in; `k` makes constants of it. */
function formula(b: Builder, inputs: readonly (Operand | null)[], f: (x: Operand, k: (value: number) => Operand) => Operand): readonly Operand[] {
  const x = inputAt(inputs, 0);
  const acc = accumulatorOf(x.dtype);
  return [
    b.cast(
      f(b.cast(x, acc), (value) => b.scalar(acc, value)),
      x.dtype,
    ),
  ];
}

type K = (value: number) => Operand;

export const sigmoid = (b: Builder, x: Operand, k: K): Operand => b.reciprocal(b.add(k(1), b.exp(b.neg(x))));
/** Without overflow: the exponent is never positive. */
export const softplus = (b: Builder, x: Operand, k: K): Operand => b.add(b.max(x, k(0)), b.log(b.add(k(1), b.exp(b.neg(b.abs(x))))));
export const hardSigmoid = (b: Builder, x: Operand, alpha: number, beta: number, k: K): Operand => b.max(k(0), b.min(k(1), b.add(b.mul(k(alpha), x), k(beta))));

/** alpha·(e^x − 1) where x is negative: the argument is capped so that the other branch cannot overflow. */
const negativePart = (b: Builder, x: Operand, alpha: number, k: K): Operand => b.mul(k(alpha), b.sub(b.exp(b.min(x, k(0))), k(1)));

function gelu(b: Builder, x: Operand, approximate: string, k: K): Operand {
  const inner = approximate === 'tanh' ? b.tanh(b.mul(k(Math.sqrt(2 / Math.PI)), b.add(x, b.mul(k(0.044715), b.mul(x, b.mul(x, x)))))) : b.erf(b.mul(x, k(Math.SQRT1_2)));
  return b.mul(b.mul(k(0.5), x), b.add(k(1), inner));
}

export const activationLowerings: Lowerings<keyof typeof activationOps> = {
  Relu(b, _, inputs) {
    const x = inputAt(inputs, 0);
    return [b.max(x, b.scalar(x.dtype, 0))];
  },
  LeakyRelu: (b, { attrs }, inputs) => formula(b, inputs, (x, k) => b.where(b.lt(x, k(0)), b.mul(x, k(attrs.alpha)), x)),
  PRelu(b, _, inputs) {
    const [x, slope] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    return [b.where(b.lt(x, b.scalar(x.dtype, 0)), b.mul(x, slope), x)];
  },
  Elu: (b, { attrs }, inputs) => formula(b, inputs, (x, k) => b.where(b.lt(x, k(0)), negativePart(b, x, attrs.alpha, k), x)),
  Selu: (b, { attrs }, inputs) => formula(b, inputs, (x, k) => b.mul(k(attrs.gamma), b.where(b.gt(x, k(0)), x, negativePart(b, x, attrs.alpha, k)))),
  Celu: (b, { attrs }, inputs) => formula(b, inputs, (x, k) => b.add(b.max(k(0), x), b.min(k(0), b.mul(k(attrs.alpha), b.sub(b.exp(b.mul(x, k(1 / attrs.alpha))), k(1)))))),
  ThresholdedRelu: (b, { attrs }, inputs) => formula(b, inputs, (x, k) => b.where(b.gt(x, k(attrs.alpha)), x, k(0))),
  Sigmoid: (b, _, inputs) => formula(b, inputs, (x, k) => sigmoid(b, x, k)),
  HardSigmoid: (b, { attrs }, inputs) => formula(b, inputs, (x, k) => hardSigmoid(b, x, attrs.alpha, attrs.beta, k)),
  HardSwish: (b, _, inputs) => formula(b, inputs, (x, k) => b.mul(x, hardSigmoid(b, x, 1 / 6, 0.5, k))),
  Swish: (b, { attrs }, inputs) => formula(b, inputs, (x, k) => b.mul(x, sigmoid(b, b.mul(k(attrs.alpha), x), k))),
  SwiGLU(b, { attrs }, inputs) {
    const [gate, value] = [inputAt(inputs, 0), inputAt(inputs, 1)];
    checkSameShape(gate.shape, value.shape);
    return formula(b, inputs, (x, k) => b.mul(b.mul(x, sigmoid(b, b.mul(k(attrs.alpha), x), k)), b.cast(value, x.dtype)));
  },
  Mish: (b, _, inputs) => formula(b, inputs, (x, k) => b.mul(x, b.tanh(softplus(b, x, k)))),
  Gelu: (b, { attrs }, inputs) => formula(b, inputs, (x, k) => gelu(b, x, attrs.approximate, k)),
  Softplus: (b, _, inputs) => formula(b, inputs, (x, k) => softplus(b, x, k)),
  Softsign: (b, _, inputs) => formula(b, inputs, (x, k) => b.div(x, b.add(k(1), b.abs(x)))),
  Shrink: (b, { attrs }, inputs) => {
    const x = inputAt(inputs, 0);
    // Defined for integers too, where bias and lambd are floats.
    const wide = b.cast(x, x.dtype === 'f64' ? 'f64' : 'f32');
    const k: K = (value) => b.scalar(wide.dtype, value);
    const shrunk = b.where(b.lt(wide, k(-attrs.lambd)), b.add(wide, k(attrs.bias)), b.where(b.gt(wide, k(attrs.lambd)), b.sub(wide, k(attrs.bias)), k(0)));
    return [b.cast(shrunk, x.dtype)];
  },
};
