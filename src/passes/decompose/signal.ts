// Decompositions of the signal family.
import type { signalOps } from '../../graph/ops/signal.ts';
import type { Lowerings } from '../lowering.ts';

export const signalLowerings: Lowerings<keyof typeof signalOps> = {};
