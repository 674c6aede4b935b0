// Decompositions of the recurrent family.
import type { recurrentOps } from '../../graph/ops/recurrent.ts';
import type { Lowerings } from '../lowering.ts';

export const recurrentLowerings: Lowerings<keyof typeof recurrentOps> = {};
