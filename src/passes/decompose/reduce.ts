// Decompositions of the reduce family.
import type { reduceOps } from '../../graph/ops/reduce.ts';
import type { Lowerings } from '../lowering.ts';

export const reduceLowerings: Lowerings<keyof typeof reduceOps> = {};
