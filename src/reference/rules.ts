// The total table of the reference: every operator has a rule, or this does not compile.
import type { OpName } from '../graph/ops.ts';
import type { Evaluations } from './evaluate.ts';
import { activationEvaluations } from './activation.ts';
import { controlEvaluations } from './control.ts';
import { convEvaluations } from './conv.ts';
import { indexingEvaluations } from './indexing.ts';
import { mathEvaluations } from './math.ts';
import { matmulEvaluations } from './matmul.ts';
import { mlEvaluations } from './ml.ts';
import { normEvaluations } from './norm.ts';
import { quantEvaluations } from './quant.ts';
import { randomEvaluations } from './random.ts';
import { recurrentEvaluations } from './recurrent.ts';
import { reduceEvaluations } from './reduce.ts';
import { sequenceEvaluations } from './sequence.ts';
import { shapeEvaluations } from './shape.ts';
import { signalEvaluations } from './signal.ts';
import { stringEvaluations } from './string.ts';
import { trainingEvaluations } from './training.ts';
import { visionEvaluations } from './vision.ts';
import { primEvaluations } from './prims.ts';

export const evaluations: Evaluations<OpName> = {
  ...activationEvaluations,
  ...controlEvaluations,
  ...convEvaluations,
  ...indexingEvaluations,
  ...mathEvaluations,
  ...matmulEvaluations,
  ...mlEvaluations,
  ...normEvaluations,
  ...quantEvaluations,
  ...randomEvaluations,
  ...recurrentEvaluations,
  ...reduceEvaluations,
  ...sequenceEvaluations,
  ...shapeEvaluations,
  ...signalEvaluations,
  ...stringEvaluations,
  ...trainingEvaluations,
  ...visionEvaluations,
  ...primEvaluations,
};
