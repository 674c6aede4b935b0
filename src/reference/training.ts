// Reference of the training family, by the pseudo-code of the specification (ai.onnx.preview.training).
import { AnychipError } from '../core/error.ts';
import { createTensor, elementWriter, numberReader, toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { HostValue } from '../graph/graph.ts';
import type { trainingOps } from '../graph/ops/training.ts';
import { numericAt } from './evaluate.ts';
import type { Evaluations } from './evaluate.ts';

/** New values of one element of each of a variable's tensors: x, gradient, states… → x, states…. */
type Step = (values: readonly number[]) => readonly number[];

/** Inputs after R and T are `kinds` groups of n tensors each; outputs are the same without the gradients. */
function update(inputs: readonly HostValue[], kinds: number, makeStep: (rate: number, t: number) => Step): NumericTensor[] {
  const [rate, t] = [toNumbers(numericAt(inputs, 0))[0]!, toNumbers(numericAt(inputs, 1))[0]!];
  const step = makeStep(rate, t);
  const n = (inputs.length - 2) / kinds;
  if (!Number.isInteger(n)) throw new AnychipError('bad-model', `${inputs.length - 2} tensors are not ${kinds} for each variable`);
  const outputs: NumericTensor[] = [];
  for (let v = 0; v < n; v++) {
    const held = Array.from({ length: kinds }, (_, kind) => numericAt(inputs, 2 + kind * n + v));
    const results = held.slice(1).map((x) => createTensor(x.dtype, x.shape));
    const readers = held.map(numberReader);
    const writers = results.map(elementWriter);
    for (let i = 0; i < held[0]!.data.length; i++) step(readers.map((read) => read(i))).forEach((value, k) => writers[k]!(i, value));
    results.forEach((result, k) => void (outputs[k * n + v] = result));
  }
  return outputs;
}

export const trainingEvaluations: Evaluations<keyof typeof trainingOps> = {
  Adagrad: ({ attrs }, inputs) =>
    update(inputs, 3, (rate, t) => ([x, g, h]) => {
      const gradient = attrs.norm_coefficient * x! + g!;
      const squares = h! + gradient * gradient;
      return [x! - ((rate / (1 + t * attrs.decay_factor)) * gradient) / (Math.sqrt(squares) + attrs.epsilon), squares];
    }),
  Adam: ({ attrs }, inputs) =>
    update(inputs, 4, (rate, t) => ([x, g, v, h]) => {
      const gradient = attrs.norm_coefficient * x! + g!;
      const mean = attrs.alpha * v! + (1 - attrs.alpha) * gradient;
      const squares = attrs.beta * h! + (1 - attrs.beta) * gradient * gradient;
      const adjusted = t > 0 ? (rate * Math.sqrt(1 - attrs.beta ** t)) / (1 - attrs.alpha ** t) : rate;
      const next = x! - (adjusted * mean) / (Math.sqrt(squares) + attrs.epsilon);
      return [(1 - attrs.norm_coefficient_post) * next, mean, squares];
    }),
  Momentum: ({ attrs }, inputs) =>
    update(inputs, 3, (rate, t) => ([x, g, v]) => {
      const gradient = attrs.norm_coefficient * x! + g!;
      const momentum = attrs.alpha * v! + (t > 0 ? attrs.beta : 1) * gradient;
      return [x! - rate * (attrs.mode === 'nesterov' ? gradient + attrs.alpha * momentum : momentum), momentum];
    }),
};
