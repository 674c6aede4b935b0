// Declarations of the training family: one step of an optimiser, over any number of tensors at once.
import { float, required, trainingOp } from '../schema.ts';

const step = { since: 1, inputs: ['R', 'T', 'inputs*'], outputs: ['outputs*'] } as const;

export const trainingOps = {
  Adagrad: trainingOp({ ...step, attrs: { decay_factor: float(0), epsilon: float(1e-6), norm_coefficient: float(0) } }),
  Adam: trainingOp({ ...step, attrs: { alpha: float(0.9), beta: float(0.999), epsilon: float(1e-6), norm_coefficient: float(0), norm_coefficient_post: float(0) } }),
  Momentum: trainingOp({ ...step, attrs: { alpha: required('float'), beta: required('float'), mode: required('string'), norm_coefficient: required('float') } }),
} as const;
