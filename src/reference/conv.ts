// Reference of the conv family.
import type { convOps } from '../graph/ops/conv.ts';
import type { Evaluations } from './evaluate.ts';

export const convEvaluations: Evaluations<keyof typeof convOps> = {};
