// Decompositions of the conv family.
import type { convOps } from '../../graph/ops/conv.ts';
import type { Lowerings } from '../lowering.ts';

export const convLowerings: Lowerings<keyof typeof convOps> = {};
