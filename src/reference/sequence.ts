// Reference of the sequence family.
import type { sequenceOps } from '../graph/ops/sequence.ts';
import type { Evaluations } from './evaluate.ts';

export const sequenceEvaluations: Evaluations<keyof typeof sequenceOps> = {};
