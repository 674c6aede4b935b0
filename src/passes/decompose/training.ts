// Decompositions of the training family: elementwise formulas of a step, for each variable.
import { AnychipError } from '../../core/error.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import type { trainingOps } from '../../graph/ops/training.ts';
import { inputAt } from '../lowering.ts';
import type { Lowerings } from '../lowering.ts';

interface Step {
  readonly rate: Operand;
  /** The step count, in the dtype of the variables. */
  readonly t: Operand;
  readonly k: (value: number) => Operand;
}

/** New x and states of one variable from its x, gradient and states. */
type Formula = (held: readonly Operand[], step: Step) => readonly Operand[];

function update(b: Builder, inputs: readonly (Operand | null)[], kinds: number, formula: Formula): Operand[] {
  const n = (inputs.length - 2) / kinds;
  if (!Number.isInteger(n)) throw new AnychipError('bad-model', `${inputs.length - 2} tensors are not ${kinds} for each variable`);
  const outputs: Operand[] = [];
  for (let v = 0; v < n; v++) {
    const held = Array.from({ length: kinds }, (_, kind) => inputAt(inputs, 2 + kind * n + v));
    const { dtype } = held[0]!;
    const scalar = (i: number): Operand => b.cast(b.reshape(inputAt(inputs, i), []), dtype);
    formula(held, { rate: scalar(0), t: scalar(1), k: (value) => b.scalar(dtype, value) }).forEach((x, kind) => void (outputs[kind * n + v] = x));
  }
  return outputs;
}

const regularised = (b: Builder, [x, g]: readonly Operand[], coefficient: Operand): Operand => b.add(b.mul(coefficient, x!), g!);

export const trainingLowerings: Lowerings<keyof typeof trainingOps> = {
  Adagrad: (b, { attrs }, inputs) =>
    update(b, inputs, 3, (held, { rate, t, k }) => {
      const gradient = regularised(b, held, k(attrs.norm_coefficient));
      const squares = b.add(held[2]!, b.mul(gradient, gradient));
      const decayed = b.div(rate, b.add(k(1), b.mul(t, k(attrs.decay_factor))));
      return [b.sub(held[0]!, b.div(b.mul(decayed, gradient), b.add(b.sqrt(squares), k(attrs.epsilon)))), squares];
    }),
  Adam: (b, { attrs }, inputs) =>
    update(b, inputs, 4, (held, { rate, t, k }) => {
      const gradient = regularised(b, held, k(attrs.norm_coefficient));
      const mean = b.add(b.mul(k(attrs.alpha), held[2]!), b.mul(k(1 - attrs.alpha), gradient));
      const squares = b.add(b.mul(k(attrs.beta), held[3]!), b.mul(k(1 - attrs.beta), b.mul(gradient, gradient)));
      const corrected = b.div(b.mul(rate, b.sqrt(b.sub(k(1), b.pow(k(attrs.beta), t)))), b.sub(k(1), b.pow(k(attrs.alpha), t)));
      const adjusted = b.where(b.gt(t, k(0)), corrected, rate);
      const next = b.sub(held[0]!, b.div(b.mul(adjusted, mean), b.add(b.sqrt(squares), k(attrs.epsilon))));
      return [b.mul(k(1 - attrs.norm_coefficient_post), next), mean, squares];
    }),
  Momentum: (b, { attrs }, inputs) =>
    update(b, inputs, 3, (held, { rate, t, k }) => {
      const gradient = regularised(b, held, k(attrs.norm_coefficient));
      const weight = b.where(b.gt(t, k(0)), k(attrs.beta), k(1));
      const momentum = b.add(b.mul(k(attrs.alpha), held[2]!), b.mul(weight, gradient));
      const direction = attrs.mode === 'nesterov' ? b.add(gradient, b.mul(k(attrs.alpha), momentum)) : momentum;
      return [b.sub(held[0]!, b.mul(rate, direction)), momentum];
    }),
};
