// Reference of the shape family.
import type { shapeOps } from '../graph/ops/shape.ts';
import type { Evaluations } from './evaluate.ts';

export const shapeEvaluations: Evaluations<keyof typeof shapeOps> = {};
