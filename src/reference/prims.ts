// Reference of the primitives: what every chip's kernels are held to.
import type { PrimName } from '../graph/prims.ts';
import type { Evaluations } from './evaluate.ts';
import { contractions } from './prims/contractions.ts';
import { elementwise } from './prims/elementwise.ts';
import { indexing } from './prims/indexing.ts';
import { reductions } from './prims/reductions.ts';
import { views } from './prims/views.ts';

export const primEvaluations: Evaluations<PrimName> = { ...contractions, ...elementwise, ...indexing, ...reductions, ...views };
