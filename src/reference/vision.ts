// Reference of the vision family, collected.
import type { visionOps } from '../graph/ops/vision.ts';
import type { Evaluations } from './evaluate.ts';
import { gridEvaluations } from './grid.ts';
import { imageDecoder } from './image.ts';
import { regionEvaluations } from './regions.ts';
import { resize } from './resize.ts';

export const visionEvaluations: Evaluations<keyof typeof visionOps> = {
  Resize: resize,
  ...gridEvaluations,
  ...regionEvaluations,
  ImageDecoder: imageDecoder,
};
