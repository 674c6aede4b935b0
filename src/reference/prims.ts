// Reference of the primitives.
import type { PrimName } from '../graph/prims.ts';
import type { Evaluations } from './evaluate.ts';

export const primEvaluations: Evaluations<PrimName> = {};
