// Decompositions of the vision family.
import type { visionOps } from '../../graph/ops/vision.ts';
import type { Lowerings } from '../lowering.ts';

export const visionLowerings: Lowerings<keyof typeof visionOps> = {};
