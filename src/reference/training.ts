// Reference of the training family.
import type { trainingOps } from '../graph/ops/training.ts';
import type { Evaluations } from './evaluate.ts';

export const trainingEvaluations: Evaluations<keyof typeof trainingOps> = {};
