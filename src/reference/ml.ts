// Reference of the ml family.
import type { mlOps } from '../graph/ops/ml.ts';
import type { Evaluations } from './evaluate.ts';

export const mlEvaluations: Evaluations<keyof typeof mlOps> = {};
