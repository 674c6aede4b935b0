// Reference of the indexing family.
import type { indexingOps } from '../graph/ops/indexing.ts';
import type { Evaluations } from './evaluate.ts';

export const indexingEvaluations: Evaluations<keyof typeof indexingOps> = {};
