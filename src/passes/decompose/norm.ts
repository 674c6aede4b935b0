// Decompositions of the norm family.
import type { normOps } from '../../graph/ops/norm.ts';
import type { Lowerings } from '../lowering.ts';

export const normLowerings: Lowerings<keyof typeof normOps> = {};
