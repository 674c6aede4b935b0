// Decompositions of the shape family.
import type { shapeOps } from '../../graph/ops/shape.ts';
import type { Lowerings } from '../lowering.ts';

export const shapeLowerings: Lowerings<keyof typeof shapeOps> = {};
