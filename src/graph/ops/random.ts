// Declarations of the random family. Results are seeded by the session, so they repeat from run to run of a program.
import { float, int, op, required } from '../schema.ts';

const drawn = { since: 1, inputs: [], outputs: ['output'], impure: true, hostOnly: 'random numbers are drawn on the host' } as const;
const like = { ...drawn, inputs: ['input'], shapeOnly: true } as const;
const normal = { dtype: int(), mean: float(0), scale: float(1), seed: float() } as const;
const uniform = { dtype: int(), high: float(1), low: float(0), seed: float() } as const;

export const randomOps = {
  RandomNormal: op({ ...drawn, attrs: { ...normal, shape: required('ints') } }),
  RandomNormalLike: op({ ...like, attrs: normal }),
  RandomUniform: op({ ...drawn, attrs: { ...uniform, shape: required('ints') } }),
  RandomUniformLike: op({ ...like, attrs: uniform }),
  Multinomial: op({ ...drawn, since: 7, inputs: ['input'], attrs: { dtype: int(6), sample_size: int(1), seed: float() } }),
  Bernoulli: op({ ...drawn, since: 15, inputs: ['input'], attrs: { dtype: int(), seed: float() } }),
} as const;
