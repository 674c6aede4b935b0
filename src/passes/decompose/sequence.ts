// Decompositions of the sequence family.
import type { sequenceOps } from '../../graph/ops/sequence.ts';
import type { Lowerings } from '../lowering.ts';

export const sequenceLowerings: Lowerings<keyof typeof sequenceOps> = {};
