// Decompositions of the signal family. Windows and mel filters are constants, since their arguments are known on the host.
import type { NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { elementCount } from '../../core/shape.ts';
import { tensorFrom } from '../../core/tensor.ts';
import type { Builder, Operand } from '../../graph/builder.ts';
import { numericDTypeOfCode } from '../../graph/onnxTypes.ts';
import { melWeights, resolveDft, resolveStft, windowTerms, windowValues } from '../../graph/ops/signalGeometry.ts';
import type { signalOps } from '../../graph/ops/signal.ts';
import { accumulatorOf, inputAt, numbersOf } from '../lowering.ts';
import type { Lower, Lowerings } from '../lowering.ts';
import { realPart, transform } from './fourier.ts';
import { along, padAxis, sliceAxis } from './views.ts';

function scalarAt(b: Builder, inputs: readonly (Operand | null)[], i: number): number {
  const values = numbersOf(b, inputAt(inputs, i));
  if (values.length !== 1) throw new AnychipError('shape', `input ${i} must be a scalar`);
  return values[0]!;
}
const optionalScalarAt = (b: Builder, inputs: readonly (Operand | null)[], i: number): number | undefined => ((inputs[i] ?? null) === null ? undefined : scalarAt(b, inputs, i));

/** The axis of x cut or padded with zeros to `length`. */
function fit(b: Builder, x: Operand, axis: number, length: number): Operand {
  const size = x.shape[axis]!;
  return size >= length ? sliceAxis(b, x, axis, 0, length) : padAxis(b, x, axis, 0, length - size);
}

/** Half of a conjugate symmetric spectrum [B, ⌊n/2⌋+1, 1 | 2] completed to [B, n, 1 | 2]. */
function mirror(b: Builder, half: Operand, length: number): Operand {
  const missing = length - half.shape[1]!;
  if (missing === 0) return half;
  const flipped = sliceAxis(b, half, 1, missing, missing, -1);
  const signs = b.constant(tensorFrom(half.dtype, [1, 1, half.shape[2]!], [1, -1].slice(0, half.shape[2]!)));
  return b.concat([half, b.mul(flipped, signs)], 1);
}

const dft: Lower<'DFT'> = (b, { attrs }, inputs) => {
  const x = inputAt(inputs, 0);
  const { axis, length, inverse, realOutput, shape } = resolveDft(x.shape, optionalScalarAt(b, inputs, 1), optionalScalarAt(b, inputs, 2), attrs);
  if (elementCount(shape) === 0) return [b.full(x.dtype, shape, 0)];
  // The transformed axis goes next to the parts; the others are the batch.
  const last = x.shape.length - 1;
  const perm = [...x.shape.keys()].filter((i) => i !== axis && i !== last);
  const order = [...perm, axis, last];
  const [given, parts] = [x.shape[axis]!, x.shape[last]!];
  const moved = b.reshape(b.transpose(b.cast(x, accumulatorOf(x.dtype)), order), [elementCount(perm.map((i) => x.shape[i]!)), given, parts]);
  const vectors = realOutput ? mirror(b, fit(b, moved, 1, Math.floor(length / 2) + 1), length) : fit(b, moved, 1, length);
  const bins = transform(b, vectors, { length, bins: shape[axis]!, inverse });
  const wanted = realOutput ? realPart(b, bins) : bins;
  const scaled = inverse ? b.mul(wanted, b.scalar(wanted.dtype, 1 / length)) : wanted;
  const back = order.map((_, i) => order.indexOf(i));
  return [
    b.cast(
      b.transpose(
        b.reshape(
          scaled,
          order.map((i) => shape[i]!),
        ),
        back,
      ),
      x.dtype,
    ),
  ];
};

const stft: Lower<'STFT'> = (b, { attrs }, inputs) => {
  const [signal, window] = [inputAt(inputs, 0), inputs[2] ?? null];
  const { frames, step, length, bins, shape } = resolveStft(signal.shape, scalarAt(b, inputs, 1), window?.shape, optionalScalarAt(b, inputs, 3), attrs);
  const parts = signal.shape[2] ?? 1;
  const samples = b.reshape(b.cast(signal, accumulatorOf(signal.dtype)), [shape[0]!, signal.shape[1]!, parts]);
  const windows = b.transpose(b.window(samples, [{ axis: 1, size: length, stride: step, dilation: 1 }]), [0, 1, 3, 2]);
  const weighted = window === null ? windows : b.mul(windows, along(b, b.cast(window, samples.dtype), 2, 4));
  const vectors = b.reshape(weighted, [shape[0]! * frames, length, parts]);
  return [b.cast(b.reshape(transform(b, vectors, { length, bins, inverse: false }), shape), signal.dtype)];
};

const constant = (b: Builder, dtype: NumericDType, shape: readonly number[], values: readonly number[]): readonly Operand[] => [b.constant(tensorFrom(dtype, shape, values))];

const windowRule =
  (terms: readonly number[]) =>
  (b: Builder, { attrs }: { readonly attrs: { readonly output_datatype: number; readonly periodic: number } }, inputs: readonly (Operand | null)[]): readonly Operand[] => {
    const size = scalarAt(b, inputs, 0);
    return constant(b, numericDTypeOfCode(attrs.output_datatype), [size], windowValues(terms, size, attrs.periodic === 1));
  };

export const signalLowerings: Lowerings<keyof typeof signalOps> = {
  DFT: dft,
  STFT: stft,
  HannWindow: windowRule(windowTerms.HannWindow),
  HammingWindow: windowRule(windowTerms.HammingWindow),
  BlackmanWindow: windowRule(windowTerms.BlackmanWindow),
  MelWeightMatrix(b, { attrs }, inputs) {
    const [melBins, dftLength, rate, lower, upper] = [0, 1, 2, 3, 4].map((i) => scalarAt(b, inputs, i));
    const { shape, values } = melWeights(melBins!, dftLength!, rate!, lower!, upper!);
    return constant(b, numericDTypeOfCode(attrs.output_datatype), shape, values);
  },
};
