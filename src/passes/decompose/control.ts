// Decompositions of the control family.
import type { controlOps } from '../../graph/ops/control.ts';
import type { Lowerings } from '../lowering.ts';

export const controlLowerings: Lowerings<keyof typeof controlOps> = {};
