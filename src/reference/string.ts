// Reference of the string family.
import type { stringOps } from '../graph/ops/string.ts';
import type { Evaluations } from './evaluate.ts';

export const stringEvaluations: Evaluations<keyof typeof stringOps> = {};
