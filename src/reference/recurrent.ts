// Reference of the recurrent family.
import type { recurrentOps } from '../graph/ops/recurrent.ts';
import type { Evaluations } from './evaluate.ts';

export const recurrentEvaluations: Evaluations<keyof typeof recurrentOps> = {};
