// Reference of the random family: distributions by their textbook transforms of uniform numbers.
import type { NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import type { Shape } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, tensorBytes } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import type { HostValue } from '../graph/graph.ts';
import { numericDTypeOfCode } from '../graph/onnxTypes.ts';
import type { randomOps } from '../graph/ops/random.ts';
import { numericAt, tensorAt } from './evaluate.ts';
import type { EvaluateContext, Evaluations } from './evaluate.ts';

function draw(context: EvaluateContext, dtype: NumericDType, shape: Shape, next: (i: number) => number): readonly NumericTensor[] {
  if (shape.some((d) => d < 0)) throw new AnychipError('shape', `random numbers of shape [${shape.join(', ')}]`);
  context.reserve(tensorBytes(dtype, shape));
  const out = createTensor(dtype, shape);
  const write = elementWriter(out);
  for (let i = 0; i < out.data.length; i++) write(i, next(i));
  return [out];
}

const dtypeOf = (code: number | undefined, fallback: NumericDType): NumericDType => (code === undefined ? fallback : numericDTypeOfCode(code));
const likeDType = (code: number | undefined, inputs: readonly HostValue[]): NumericDType => dtypeOf(code, code === undefined ? numericAt(inputs, 0).dtype : 'f32');

/** Box and Muller, "A note on the generation of random normal deviates" (1958). */
const normal = (random: () => number, mean: number, scale: number) => (): number => mean + scale * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const uniform = (random: () => number, low: number, high: number) => (): number => low + (high - low) * random();

export const randomEvaluations: Evaluations<keyof typeof randomOps> = {
  RandomNormal: ({ attrs }, _, context) => draw(context, dtypeOf(attrs.dtype, 'f32'), attrs.shape, normal(context.random(attrs.seed), attrs.mean, attrs.scale)),
  RandomNormalLike: ({ attrs }, inputs, context) =>
    draw(context, likeDType(attrs.dtype, inputs), tensorAt(inputs, 0).shape, normal(context.random(attrs.seed), attrs.mean, attrs.scale)),
  RandomUniform: ({ attrs }, _, context) => draw(context, dtypeOf(attrs.dtype, 'f32'), attrs.shape, uniform(context.random(attrs.seed), attrs.low, attrs.high)),
  RandomUniformLike: ({ attrs }, inputs, context) =>
    draw(context, likeDType(attrs.dtype, inputs), tensorAt(inputs, 0).shape, uniform(context.random(attrs.seed), attrs.low, attrs.high)),
  Multinomial: ({ attrs }, inputs, context) => {
    const x = numericAt(inputs, 0);
    if (x.shape.length !== 2 || x.shape[1] === 0) throw new AnychipError('shape', 'Multinomial wants [batch, classes] of logarithms of probabilities');
    const [batch, classes] = [x.shape[0]!, x.shape[1]!];
    const read = numberReader(x);
    const random = context.random(attrs.seed);
    return draw(context, numericDTypeOfCode(attrs.dtype), [batch, attrs.sample_size], (i) => {
      const row = Math.floor(i / attrs.sample_size) * classes;
      const weights = Array.from({ length: classes }, (_, c) => Math.exp(read(row + c)));
      let rest = random() * weights.reduce((a, b) => a + b, 0);
      const chosen = weights.findIndex((weight) => (rest -= weight) < 0);
      return chosen < 0 ? classes - 1 : chosen;
    });
  },
  Bernoulli: ({ attrs }, inputs, context) => {
    const x = numericAt(inputs, 0);
    const read = numberReader(x);
    const random = context.random(attrs.seed);
    return draw(context, dtypeOf(attrs.dtype, x.dtype), x.shape, (i) => (random() < read(i) ? 1 : 0));
  },
};
