// Reference of the control family.
import type { controlOps } from '../graph/ops/control.ts';
import type { Evaluations } from './evaluate.ts';

export const controlEvaluations: Evaluations<keyof typeof controlOps> = {};
