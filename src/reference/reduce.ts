// Reference of the reduce family.
import type { reduceOps } from '../graph/ops/reduce.ts';
import type { Evaluations } from './evaluate.ts';

export const reduceEvaluations: Evaluations<keyof typeof reduceOps> = {};
