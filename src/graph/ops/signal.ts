// Declarations of the signal family: Fourier transforms, windows, mel filters.
import { int, op } from '../schema.ts';

const window = {
  since: 17,
  inputs: ['size'],
  outputs: ['output'],
  attrs: { output_datatype: int(1), periodic: int(1) },
  hostInputs: ['size'],
} as const;

export const signalOps = {
  DFT: op({
    since: 17,
    inputs: ['input', 'dft_length?', 'axis?'],
    outputs: ['output'],
    attrs: { inverse: int(0), onesided: int(0) },
    hostInputs: ['dft_length', 'axis'],
  }),
  STFT: op({
    since: 17,
    inputs: ['signal', 'frame_step', 'window?', 'frame_length?'],
    outputs: ['output'],
    attrs: { onesided: int(1) },
    hostInputs: ['frame_step', 'frame_length'],
  }),
  HannWindow: op(window),
  HammingWindow: op(window),
  BlackmanWindow: op(window),
  MelWeightMatrix: op({
    since: 17,
    inputs: ['num_mel_bins', 'dft_length', 'sample_rate', 'lower_edge_hertz', 'upper_edge_hertz'],
    outputs: ['output'],
    attrs: { output_datatype: int(1) },
    hostInputs: ['num_mel_bins', 'dft_length', 'sample_rate', 'lower_edge_hertz', 'upper_edge_hertz'],
  }),
} as const;
