// Reference of the random family.
import type { randomOps } from '../graph/ops/random.ts';
import type { Evaluations } from './evaluate.ts';

export const randomEvaluations: Evaluations<keyof typeof randomOps> = {};
