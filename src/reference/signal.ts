// Reference of the signal family: Fourier sums as they are written, windows and mel filters from their formulas.
import { elementCount } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { createTensor, elementWriter, numberReader, tensorBytes, tensorFrom, toNumbers } from '../core/tensor.ts';
import type { NumericTensor } from '../core/tensor.ts';
import { AnychipError } from '../core/error.ts';
import { numericDTypeOfCode } from '../graph/onnxTypes.ts';
import { melWeights, resolveDft, resolveStft, windowTerms, windowValues } from '../graph/ops/signalGeometry.ts';
import type { signalOps } from '../graph/ops/signal.ts';
import { numericAt, optionalAt } from './evaluate.ts';
import type { Evaluate, Evaluations } from './evaluate.ts';
import type { HostValue } from '../graph/graph.ts';

interface Complex {
  readonly re: number;
  readonly im: number;
}

/** Bin `k` of the Fourier sum over `length` elements; +i in the exponent for the inverse. */
function fourierSum(element: (n: number) => Complex, length: number, k: number, inverse: boolean): Complex {
  let [re, im] = [0, 0];
  for (let n = 0; n < length; n++) {
    // n·k is reduced first, so that long signals keep the precision of the angle.
    const angle = ((inverse ? 2 : -2) * Math.PI * ((n * k) % length)) / length;
    const [x, cos, sin] = [element(n), Math.cos(angle), Math.sin(angle)];
    re += x.re * cos - x.im * sin;
    im += x.re * sin + x.im * cos;
  }
  return { re, im };
}

/** The only element of operand `i`. */
function scalarAt(inputs: readonly HostValue[], i: number): number {
  const tensor = numericAt(inputs, i);
  if (tensor.data.length !== 1) throw new AnychipError('shape', `input ${i} must be a scalar`);
  return toNumbers(tensor)[0]!;
}
const optionalScalarAt = (inputs: readonly HostValue[], i: number): number | undefined => (optionalAt(inputs, i) === undefined ? undefined : scalarAt(inputs, i));

/** The vectors of a tensor along an axis: number of vectors before and after it. */
const around = (shape: Shape, axis: number): readonly [outer: number, inner: number] => [elementCount(shape.slice(0, axis)), elementCount(shape.slice(axis + 1, -1))];

const dft: Evaluate<'DFT'> = ({ attrs }, inputs, context) => {
  const x = numericAt(inputs, 0);
  const plan = resolveDft(x.shape, optionalScalarAt(inputs, 1), optionalScalarAt(inputs, 2), attrs);
  const { axis, length, shape, inverse, realOutput } = plan;
  context.reserve(tensorBytes(x.dtype, shape));
  const y = createTensor(x.dtype, shape);
  const [read, write] = [numberReader(x), elementWriter(y)];
  const [outer, inner] = around(x.shape, axis);
  const [given, parts, outParts, bins] = [x.shape[axis]!, x.shape.at(-1)!, shape.at(-1)!, shape[axis]!];
  const at = (o: number, n: number, i: number): Complex => {
    if (n >= given) return { re: 0, im: 0 };
    const flat = ((o * given + n) * inner + i) * parts;
    return { re: read(flat), im: parts === 2 ? read(flat + 1) : 0 };
  };
  // The half of the spectrum that a one-sided inverse does not get is the conjugate of the half it gets.
  const mirrored = (o: number, n: number, i: number): Complex => {
    if (n <= length / 2) return at(o, n, i);
    const { re, im } = at(o, length - n, i);
    return { re, im: -im };
  };
  const scale = inverse ? 1 / length : 1;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      for (let k = 0; k < bins; k++) {
        const { re, im } = fourierSum((n) => (realOutput ? mirrored(o, n, i) : at(o, n, i)), length, k, inverse);
        const flat = ((o * bins + k) * inner + i) * outParts;
        write(flat, re * scale);
        if (outParts === 2) write(flat + 1, im * scale);
      }
    }
  }
  return [y];
};

const stft: Evaluate<'STFT'> = ({ attrs }, inputs, context) => {
  const signal = numericAt(inputs, 0);
  const window = optionalAt(inputs, 2);
  const { frames, step, length, bins, shape } = resolveStft(signal.shape, scalarAt(inputs, 1), window?.shape, optionalScalarAt(inputs, 3), attrs);
  context.reserve(tensorBytes(signal.dtype, shape));
  const y = createTensor(signal.dtype, shape);
  const [read, weight, write] = [numberReader(signal), window === undefined ? () => 1 : numberReader(window), elementWriter(y)];
  const parts = signal.shape[2] ?? 1;
  for (let batch = 0; batch < shape[0]!; batch++) {
    for (let frame = 0; frame < frames; frame++) {
      for (let k = 0; k < bins; k++) {
        const element = (n: number): Complex => {
          const flat = (batch * signal.shape[1]! + frame * step + n) * parts;
          return { re: weight(n) * read(flat), im: parts === 2 ? weight(n) * read(flat + 1) : 0 };
        };
        const { re, im } = fourierSum(element, length, k, false);
        const flat = ((batch * frames + frame) * bins + k) * 2;
        write(flat, re);
        write(flat + 1, im);
      }
    }
  }
  return [y];
};

const windowRule =
  (terms: readonly number[]) =>
  (
    { attrs }: { readonly attrs: { readonly output_datatype: number; readonly periodic: number } },
    inputs: readonly HostValue[],
    context: { reserve(bytes: number): void },
  ): NumericTensor[] => {
    const size = scalarAt(inputs, 0);
    context.reserve(8 * size);
    return [tensorFrom(numericDTypeOfCode(attrs.output_datatype), [size], windowValues(terms, size, attrs.periodic === 1))];
  };

export const signalEvaluations: Evaluations<keyof typeof signalOps> = {
  DFT: dft,
  STFT: stft,
  HannWindow: windowRule(windowTerms.HannWindow),
  HammingWindow: windowRule(windowTerms.HammingWindow),
  BlackmanWindow: windowRule(windowTerms.BlackmanWindow),
  MelWeightMatrix({ attrs }, inputs, context) {
    const [melBins, dftLength, rate, lower, upper] = [0, 1, 2, 3, 4].map((i) => scalarAt(inputs, i));
    context.reserve(8 * melBins! * (dftLength! / 2 + 1));
    const { shape, values } = melWeights(melBins!, dftLength!, rate!, lower!, upper!);
    return [tensorFrom(numericDTypeOfCode(attrs.output_datatype), shape, values)];
  },
};
