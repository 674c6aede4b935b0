// Decompositions of the vision family, collected.
import type { visionOps } from '../../graph/ops/vision.ts';
import type { Lowerings } from '../lowering.ts';
import { gridLowerings } from './grid.ts';
import { regionLowerings } from './regions.ts';
import { resize } from './resize.ts';

export const visionLowerings: Lowerings<keyof typeof visionOps> = {
  Resize: resize,
  ...gridLowerings,
  ...regionLowerings,
  ImageDecoder: 'host',
};
