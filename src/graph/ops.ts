// The whole vocabulary of a Graph: primitives plus the ONNX operators in their latest form, one declaration file per family.
import { activationOps } from './ops/activation.ts';
import { controlOps } from './ops/control.ts';
import { convOps } from './ops/conv.ts';
import { indexingOps } from './ops/indexing.ts';
import { mathOps } from './ops/math.ts';
import { matmulOps } from './ops/matmul.ts';
import { mlOps } from './ops/ml.ts';
import { normOps } from './ops/norm.ts';
import { quantOps } from './ops/quant.ts';
import { randomOps } from './ops/random.ts';
import { recurrentOps } from './ops/recurrent.ts';
import { reduceOps } from './ops/reduce.ts';
import { sequenceOps } from './ops/sequence.ts';
import { shapeOps } from './ops/shape.ts';
import { signalOps } from './ops/signal.ts';
import { stringOps } from './ops/string.ts';
import { trainingOps } from './ops/training.ts';
import { visionOps } from './ops/vision.ts';
import type { Node, NodeOf } from './graph.ts';
import type { PrimAttrs, PrimName } from './prims.ts';
import type { AttrsOf, OpSchema } from './schema.ts';

/** Every ONNX operator, by its ONNX name (names are unique over the domains). */
export const onnxOps = {
  ...activationOps,
  ...controlOps,
  ...convOps,
  ...indexingOps,
  ...mathOps,
  ...matmulOps,
  ...mlOps,
  ...normOps,
  ...quantOps,
  ...randomOps,
  ...recurrentOps,
  ...reduceOps,
  ...sequenceOps,
  ...shapeOps,
  ...signalOps,
  ...stringOps,
  ...trainingOps,
  ...visionOps,
} as const;

export type OnnxOps = typeof onnxOps;
export type OnnxOpName = keyof OnnxOps;
export type OnnxAttrs = { readonly [O in OnnxOpName]: AttrsOf<OnnxOps[O]> };
export type OpAttrs = PrimAttrs & OnnxAttrs;
export type OpName = PrimName | OnnxOpName;

export const isOnnxOp = (name: string): name is OnnxOpName => Object.hasOwn(onnxOps, name);
export const schemaOf = (name: OnnxOpName): OpSchema => onnxOps[name];

/** Not a primitive. */
export const isOnnx = (node: Node): node is NodeOf<OnnxOpName> => isOnnxOp(node.op);
