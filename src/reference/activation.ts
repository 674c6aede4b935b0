// Reference of the activation family.
import type { activationOps } from '../graph/ops/activation.ts';
import type { Evaluations } from './evaluate.ts';

export const activationEvaluations: Evaluations<keyof typeof activationOps> = {};
