// Reference of the ml family, collected.
import type { mlOps } from '../graph/ops/ml.ts';
import type { Evaluations } from './evaluate.ts';
import { featureEvaluations } from './mlFeatures.ts';
import { linearEvaluations } from './mlLinear.ts';
import { mapEvaluations } from './mlMaps.ts';
import { treeEvaluations } from './mlTrees.ts';

export const mlEvaluations: Evaluations<keyof typeof mlOps> = { ...treeEvaluations, ...linearEvaluations, ...featureEvaluations, ...mapEvaluations };
