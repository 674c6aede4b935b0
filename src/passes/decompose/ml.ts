// Decompositions of the ml family.
import type { mlOps } from '../../graph/ops/ml.ts';
import type { Lowerings } from '../lowering.ts';

export const mlLowerings: Lowerings<keyof typeof mlOps> = {};
