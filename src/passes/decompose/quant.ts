// Decompositions of the quant family.
import type { quantOps } from '../../graph/ops/quant.ts';
import type { Lowerings } from '../lowering.ts';

export const quantLowerings: Lowerings<keyof typeof quantOps> = {};
