// Declarations of the activation family: elementwise functions of neural networks.
import { float, op, string } from '../schema.ts';

const unary = { since: 1, inputs: ['X'], outputs: ['Y'], attrs: {} } as const;

export const activationOps = {
  Relu: op(unary),
  LeakyRelu: op({ ...unary, attrs: { alpha: float(0.01) } }),
  PRelu: op({ ...unary, inputs: ['X', 'slope'] }),
  Elu: op({ ...unary, attrs: { alpha: float(1) } }),
  Selu: op({ ...unary, attrs: { alpha: float(1.6732632423543772), gamma: float(1.0507009873554805) } }),
  Celu: op({ ...unary, since: 12, attrs: { alpha: float(1) } }),
  ThresholdedRelu: op({ ...unary, since: 10, attrs: { alpha: float(1) } }),
  Sigmoid: op(unary),
  HardSigmoid: op({ ...unary, attrs: { alpha: float(0.2), beta: float(0.5) } }),
  HardSwish: op({ ...unary, since: 14 }),
  Swish: op({ ...unary, since: 24, attrs: { alpha: float(1) } }),
  SwiGLU: op({ since: 28, inputs: ['A', 'B'], outputs: ['Y'], attrs: { alpha: float(1) } }),
  Mish: op({ ...unary, since: 18 }),
  Gelu: op({ ...unary, since: 20, attrs: { approximate: string('none') } }),
  Softplus: op(unary),
  Softsign: op(unary),
  Shrink: op({ ...unary, since: 9, attrs: { bias: float(0), lambd: float(0.5) } }),
} as const;
