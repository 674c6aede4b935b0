// Declarations of the recurrent family.
import { float, floats, int, op, string, strings } from '../schema.ts';

const cell = {
  activation_alpha: floats(),
  activation_beta: floats(),
  activations: strings(),
  clip: float(),
  direction: string('forward'),
  hidden_size: int(),
  layout: int(0),
} as const;
const unrolled = { hostWhen: 'there are more than 1024 steps, both directions together' } as const;
const inputs = ['X', 'W', 'R', 'B?', 'sequence_lens?', 'initial_h?'] as const;

export const recurrentOps = {
  RNN: op({ since: 1, inputs, outputs: ['Y?', 'Y_h?'], attrs: cell, ...unrolled }),
  GRU: op({ since: 1, inputs, outputs: ['Y?', 'Y_h?'], attrs: { ...cell, linear_before_reset: int(0) }, ...unrolled }),
  LSTM: op({ since: 1, inputs: [...inputs, 'initial_c?', 'P?'], outputs: ['Y?', 'Y_h?', 'Y_c?'], attrs: { ...cell, input_forget: int(0) }, ...unrolled }),
} as const;
