// Decompositions of the math family.
import type { mathOps } from '../../graph/ops/math.ts';
import type { Lowerings } from '../lowering.ts';

export const mathLowerings: Lowerings<keyof typeof mathOps> = {};
