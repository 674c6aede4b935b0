// Decompositions of the random family.
import type { randomOps } from '../../graph/ops/random.ts';
import type { Lowerings } from '../lowering.ts';

export const randomLowerings: Lowerings<keyof typeof randomOps> = {};
