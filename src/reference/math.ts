// Reference of the math family.
import type { mathOps } from '../graph/ops/math.ts';
import type { Evaluations } from './evaluate.ts';

export const mathEvaluations: Evaluations<keyof typeof mathOps> = {};
