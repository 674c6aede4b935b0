// Decompositions of the activation family.
import type { activationOps } from '../../graph/ops/activation.ts';
import type { Lowerings } from '../lowering.ts';

export const activationLowerings: Lowerings<keyof typeof activationOps> = {};
