// The templates for contractions, tried in order. Where none fits, the contraction is a plain loop nest.
import { channelsTemplate } from './contractions/channels.ts';
import { convTemplate } from './contractions/conv.ts';
import { depthwiseLastTemplate } from './contractions/depthwiseLast.ts';
import { depthwiseTemplate } from './contractions/depthwise.ts';
import { digitsTemplate } from './contractions/digits.ts';
import { dotsTemplate } from './contractions/dots.ts';
import { matmulTemplate } from './contractions/matmul.ts';
import { winogradTemplate } from './contractions/winograd.ts';
import type { ContractionTemplate } from './templates.ts';

export const contractionTemplates: readonly ContractionTemplate[] = [
  digitsTemplate,
  dotsTemplate,
  matmulTemplate,
  depthwiseLastTemplate,
  depthwiseTemplate,
  winogradTemplate,
  channelsTemplate,
  convTemplate,
];
