// Decompositions of the matmul family.
import type { matmulOps } from '../../graph/ops/matmul.ts';
import type { Lowerings } from '../lowering.ts';

export const matmulLowerings: Lowerings<keyof typeof matmulOps> = {};
