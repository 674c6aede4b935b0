// Decompositions of the indexing family.
import type { indexingOps } from '../../graph/ops/indexing.ts';
import type { Lowerings } from '../lowering.ts';

export const indexingLowerings: Lowerings<keyof typeof indexingOps> = {};
