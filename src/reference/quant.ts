// Reference of the quant family.
import type { quantOps } from '../graph/ops/quant.ts';
import type { Evaluations } from './evaluate.ts';

export const quantEvaluations: Evaluations<keyof typeof quantOps> = {};
