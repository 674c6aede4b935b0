// Decompositions of the training family.
import type { trainingOps } from '../../graph/ops/training.ts';
import type { Lowerings } from '../lowering.ts';

export const trainingLowerings: Lowerings<keyof typeof trainingOps> = {};
