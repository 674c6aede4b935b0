// Reference of the vision family.
import type { visionOps } from '../graph/ops/vision.ts';
import type { Evaluations } from './evaluate.ts';

export const visionEvaluations: Evaluations<keyof typeof visionOps> = {};
