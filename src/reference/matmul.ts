// Reference of the matmul family.
import type { matmulOps } from '../graph/ops/matmul.ts';
import type { Evaluations } from './evaluate.ts';

export const matmulEvaluations: Evaluations<keyof typeof matmulOps> = {};
