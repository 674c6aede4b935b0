// Reference of the norm family.
import type { normOps } from '../graph/ops/norm.ts';
import type { Evaluations } from './evaluate.ts';

export const normEvaluations: Evaluations<keyof typeof normOps> = {};
