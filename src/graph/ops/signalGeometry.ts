// What the signal operators mean by their arguments: lengths and shapes of transforms, coefficients of windows, mel triangles.
// Shared by reference and decomposition; the transforms themselves are not here.
import { AnychipError } from '../../core/error.ts';
import { formatShape, normalizeAxis } from '../../core/shape.ts';
import type { Shape } from '../../core/shape.ts';
import { checkedLength } from './limits.ts';

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, { hint: 'Check the operator against its specification.' });
};

/** A Fourier transform along one axis of [..., 1 | 2], the last axis holding real and imaginary parts. */
export interface DftPlan {
  readonly axis: number;
  /** Elements that enter the transform: those of the input, cut or padded with zeros, and for a one-sided inverse mirrored. */
  readonly length: number;
  readonly inverse: boolean;
  /** The input is half of a conjugate symmetric spectrum and the output is real. */
  readonly realOutput: boolean;
  readonly shape: Shape;
}

/** Output elements of a transform of `length`, all or those that conjugate symmetry does not repeat. */
export const binsOf = (length: number, onesided: boolean): number => (onesided ? Math.floor(length / 2) + 1 : length);

/** Resolves DFT. A one-sided inverse takes half a spectrum and gives a real signal of twice its length less two, unless dft_length says otherwise. */
export function resolveDft(x: Shape, dftLength: number | undefined, axisInput: number | undefined, attrs: { readonly inverse: number; readonly onesided: number }): DftPlan {
  const parts = x.at(-1);
  if (x.length < 2 || (parts !== 1 && parts !== 2)) fail(`a signal of shape ${formatShape(x)}: the last axis must hold 1 (real) or 2 (complex) parts`);
  const axis = normalizeAxis(axisInput ?? -2, x.length);
  if (axis === x.length - 1) fail('the axis of real and imaginary parts cannot be transformed');
  const [inverse, onesided] = [attrs.inverse === 1, attrs.onesided === 1];
  const realOutput = inverse && onesided;
  const length = dftLength ?? (realOutput ? 2 * (x[axis]! - 1) : x[axis]!);
  if (checkedLength('a transform', length) === 0) fail('a transform of nothing');
  const shape = x.with(axis, realOutput ? length : binsOf(length, onesided)).with(x.length - 1, realOutput ? 1 : 2);
  return { axis, length, inverse, realOutput, shape };
}

/** Frames of STFT over [batch, samples, 1 | 2]. */
export interface StftPlan {
  readonly frames: number;
  readonly step: number;
  readonly length: number;
  readonly bins: number;
  readonly shape: Shape;
}

export function resolveStft(signal: Shape, step: number, window: Shape | undefined, frameLength: number | undefined, attrs: { readonly onesided: number }): StftPlan {
  // The parts of a real signal may be left out.
  if (signal.length !== 2 && !(signal.length === 3 && (signal[2] === 1 || signal[2] === 2))) fail(`a signal of shape ${formatShape(signal)}: [batch, samples, 1 or 2] is needed`);
  const length = frameLength ?? window?.[0] ?? signal[1]!;
  if (window !== undefined && (window.length !== 1 || window[0] !== length)) fail(`a window of shape ${formatShape(window)} for frames of ${length}`);
  if (!(step >= 1) || !(length >= 1) || length > signal[1]!) fail(`frames of ${length} every ${step} samples do not fit into ${signal[1]} samples`);
  const frames = Math.floor((signal[1]! - length) / step) + 1;
  const bins = binsOf(length, attrs.onesided === 1);
  return { frames, step, length, bins, shape: [signal[0]!, frames, bins, 2] };
}

/** Σ aₖ·cos(2πk·n/N): the coefficients of each window (specification of the operators). */
export const windowTerms = {
  HannWindow: [0.5, -0.5],
  HammingWindow: [25 / 46, -21 / 46],
  BlackmanWindow: [0.42, -0.5, 0.08],
} as const;

/** The values of a window of `size`. A symmetric window of one element is 1, which its formula leaves open. */
export function windowValues(terms: readonly number[], size: number, periodic: boolean): number[] {
  checkedLength('a window', size);
  const period = periodic ? size : size - 1;
  return Array.from({ length: size }, (_, n) => (period === 0 ? 1 : terms.reduce((sum, a, k) => sum + a * Math.cos((2 * Math.PI * k * n) / period), 0)));
}

/** MelWeightMatrix, row-major [bins of the spectrum, mel bins]: overlapping triangles, evenly spaced in mel. */
export function melWeights(melBins: number, dftLength: number, sampleRate: number, lower: number, upper: number): { readonly shape: Shape; readonly values: readonly number[] } {
  const bins = binsOf(dftLength, true);
  if (checkedLength('a mel matrix', melBins * checkedLength('a transform', dftLength)) === 0 || !(sampleRate > 0))
    fail(`${melBins} mel bins over a transform of ${dftLength} at ${sampleRate} Hz`);
  const mel = (hertz: number): number => 2595 * Math.log10(1 + hertz / 700);
  const step = (mel(upper) - mel(lower)) / (melBins + 2);
  // The spectrum bin under each corner of the triangles.
  const corners = Array.from({ length: melBins + 2 }, (_, i) => Math.floor(((dftLength + 1) * (700 * (10 ** ((i * step + mel(lower)) / 2595) - 1))) / sampleRate));
  const values = Array.from({ length: bins * melBins }, () => 0);
  const put = (bin: number, m: number, weight: number): void => {
    if (bin >= 0 && bin < bins) values[bin * melBins + m] = weight;
  };
  for (let m = 0; m < melBins; m++) {
    const [low, centre, high] = [corners[m]!, corners[m + 1]!, corners[m + 2]!];
    for (let i = low; i < centre; i++) put(i, m, (i - low) / (centre - low));
    put(centre, m, 1);
    for (let i = centre + 1; i < high; i++) put(i, m, (high - i) / (high - centre));
  }
  return { shape: [bins, melBins], values };
}
