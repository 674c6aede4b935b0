// Decompositions of the ml family, collected. Strings and maps stay on the host.
import type { mlOps } from '../../graph/ops/ml.ts';
import type { Lowerings } from '../lowering.ts';
import { featureLowerings } from './mlFeatures.ts';
import { linearLowerings } from './mlLinear.ts';
import { treeLowerings } from './mlTrees.ts';

export const mlLowerings: Lowerings<keyof typeof mlOps> = {
  ...treeLowerings,
  ...linearLowerings,
  ...featureLowerings,
  ZipMap: 'host',
  DictVectorizer: 'host',
  CastMap: 'host',
};
