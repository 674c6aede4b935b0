// Decompositions of the string family.
import type { stringOps } from '../../graph/ops/string.ts';
import type { Lowerings } from '../lowering.ts';

export const stringLowerings: Lowerings<keyof typeof stringOps> = {};
