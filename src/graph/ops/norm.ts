// Declarations of the norm family: normalisations, softmax and its kin, and the losses made of them.
import { float, int, ints, op, required, string } from '../schema.ts';

const perAxis = { since: 1, inputs: ['input'], outputs: ['output'], attrs: { axis: int(-1) } } as const;
const loss = { ignore_index: int(), reduction: string('mean') } as const;

export const normOps = {
  Softmax: op(perAxis),
  LogSoftmax: op(perAxis),
  Hardmax: op(perAxis),
  BatchNormalization: op({
    since: 1,
    inputs: ['X', 'scale', 'B', 'input_mean', 'input_var'],
    outputs: ['Y', 'running_mean?', 'running_var?'],
    attrs: { epsilon: float(1e-5), momentum: float(0.9), training_mode: int(0) },
  }),
  InstanceNormalization: op({ since: 1, inputs: ['input', 'scale', 'B'], outputs: ['output'], attrs: { epsilon: float(1e-5) } }),
  LayerNormalization: op({
    since: 17,
    inputs: ['X', 'Scale', 'B?'],
    outputs: ['Y', 'Mean?', 'InvStdDev?'],
    attrs: { axis: int(-1), epsilon: float(1e-5), stash_type: int(1) },
  }),
  GroupNormalization: op({ since: 18, inputs: ['X', 'scale', 'bias'], outputs: ['Y'], attrs: { epsilon: float(1e-5), num_groups: required('int'), stash_type: int(1) } }),
  RMSNormalization: op({ since: 23, inputs: ['X', 'scale'], outputs: ['Y'], attrs: { axis: int(-1), epsilon: float(1e-5), stash_type: int(1) } }),
  LRN: op({ since: 1, inputs: ['X'], outputs: ['Y'], attrs: { alpha: float(0.0001), beta: float(0.75), bias: float(1), size: required('int') } }),
  MeanVarianceNormalization: op({ since: 9, inputs: ['X'], outputs: ['Y'], attrs: { axes: ints([0, 2, 3]) } }),
  LpNormalization: op({ since: 1, inputs: ['input'], outputs: ['output'], attrs: { axis: int(-1), p: int(2) } }),
  SoftmaxCrossEntropyLoss: op({ since: 12, inputs: ['scores', 'labels', 'weights?'], outputs: ['output', 'log_prob?'], attrs: loss }),
  NegativeLogLikelihoodLoss: op({ since: 12, inputs: ['input', 'target', 'weight?'], outputs: ['loss'], attrs: loss }),
  Dropout: op({
    since: 1,
    inputs: ['data', 'ratio?', 'training_mode?'],
    outputs: ['output', 'mask?'],
    attrs: { seed: int() },
    hostInputs: ['training_mode'],
    impure: true,
    hostWhen: 'it trains: elements are drawn at random',
  }),
} as const;
