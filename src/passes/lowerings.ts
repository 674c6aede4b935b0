// The total table of decompositions: every ONNX operator has a rule, or this does not compile.
import type { NodeOf } from '../graph/graph.ts';
import { schemaOf } from '../graph/ops.ts';
import type { OnnxOpName } from '../graph/ops.ts';
import { activationLowerings } from './decompose/activation.ts';
import { controlLowerings } from './decompose/control.ts';
import { convLowerings } from './decompose/conv.ts';
import { indexingLowerings } from './decompose/indexing.ts';
import { mathLowerings } from './decompose/math.ts';
import { matmulLowerings } from './decompose/matmul.ts';
import { mlLowerings } from './decompose/ml.ts';
import { normLowerings } from './decompose/norm.ts';
import { quantLowerings } from './decompose/quant.ts';
import { randomLowerings } from './decompose/random.ts';
import { recurrentLowerings } from './decompose/recurrent.ts';
import { reduceLowerings } from './decompose/reduce.ts';
import { sequenceLowerings } from './decompose/sequence.ts';
import { shapeLowerings } from './decompose/shape.ts';
import { signalLowerings } from './decompose/signal.ts';
import { stringLowerings } from './decompose/string.ts';
import { trainingLowerings } from './decompose/training.ts';
import { visionLowerings } from './decompose/vision.ts';
import type { Lowerings } from './lowering.ts';

export const lowerings: Lowerings<OnnxOpName> = {
  ...activationLowerings,
  ...controlLowerings,
  ...convLowerings,
  ...indexingLowerings,
  ...mathLowerings,
  ...matmulLowerings,
  ...mlLowerings,
  ...normLowerings,
  ...quantLowerings,
  ...randomLowerings,
  ...recurrentLowerings,
  ...reduceLowerings,
  ...sequenceLowerings,
  ...shapeLowerings,
  ...signalLowerings,
  ...stringLowerings,
  ...trainingLowerings,
  ...visionLowerings,
};

/** Why no device runs a node, whatever its operands; undefined where a device may. */
export function hostReason(node: NodeOf<OnnxOpName>): string | undefined {
  return lowerings[node.op] === 'host' ? (schemaOf(node.op).hostOnly ?? 'runs on the host') : undefined;
}
