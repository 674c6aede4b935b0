// Reference of matmul and conv: sums of products, in double precision for floats, in wrapping integers else.
import { dtypes } from '../../core/dtype.ts';
import type { DType, NumericDType } from '../../core/dtype.ts';
import { AnychipError } from '../../core/error.ts';
import { broadcastShapes, elementCount, stridesOf } from '../../core/shape.ts';
import { bigintReader, createTensor, elementWriter, numberReader } from '../../core/tensor.ts';
import type { NumericTensor } from '../../core/tensor.ts';
import { wordProduct } from '../../core/words.ts';
import type { WordParts } from '../../core/words.ts';
import { numericAt } from '../evaluate.ts';
import type { Evaluations } from '../evaluate.ts';
import { isWide } from './arithmetic.ts';
import { broadcastOffsets } from './elementwise.ts';

/** Σ over k of a[aAt + aStep·k]·b[bAt + bStep·k]. */
type Dot = (count: number, aAt: number, aStep: number, bAt: number, bStep: number) => number | bigint;

function dotOf(a: NumericTensor, b: NumericTensor, acc: NumericDType, words: WordParts | undefined): Dot {
  if (isWide(acc)) {
    const [x, y] = [bigintReader(a), bigintReader(b)];
    return (count, aAt, aStep, bAt, bStep) => {
      let sum = 0n;
      for (let k = 0; k < count; k++) sum += x(aAt + aStep * k) * y(bAt + bStep * k);
      return sum;
    };
  }
  const [x, y] = [numberReader(a), numberReader(b)];
  const integers = words === undefined ? Math.imul : (p: number, q: number) => wordProduct(words, p, q);
  const times = dtypes[acc].class === 'float' ? (p: number, q: number) => p * q : integers;
  return (count, aAt, aStep, bAt, bStep) => {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += times(x(aAt + aStep * k), y(bAt + bStep * k));
    return sum;
  };
}

const numericDType = (dtype: DType): NumericDType => {
  if (dtype === 'string') throw new AnychipError('shape', 'a sum of strings');
  return dtype;
};

export const contractions: Evaluations<'matmul' | 'conv'> = {
  matmul: ({ attrs }, inputs) => {
    const [a, b] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const acc = numericDType(attrs.acc);
    const [m, k, n] = [a.shape.at(-2)!, a.shape.at(-1)!, b.shape.at(-1)!];
    const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const out = createTensor(acc, [...batch, m, n]);
    const write = elementWriter(out);
    const dot = dotOf(a, b, acc, attrs.words);
    const [aBatch, bBatch] = [broadcastOffsets(a.shape.slice(0, -2), batch), broadcastOffsets(b.shape.slice(0, -2), batch)];
    for (let i = 0, flat = 0; i < elementCount(batch); i++) {
      const [aAt, bAt] = [(aBatch?.[i] ?? i) * m * k, (bBatch?.[i] ?? i) * k * n];
      for (let row = 0; row < m; row++) for (let column = 0; column < n; column++, flat++) write(flat, dot(k, aAt + row * k, 1, bAt + column, n));
    }
    return [out];
  },
  conv: ({ attrs }, inputs) => {
    const [x, w] = [numericAt(inputs, 0), numericAt(inputs, 1)];
    const acc = numericDType(attrs.acc);
    const { strides, dilations, low, high, groups } = attrs;
    const spatial = x.shape.slice(2);
    const kernel = w.shape.slice(2);
    const outSpatial = spatial.map((d, i) => Math.floor((d + low[i]! + high[i]! - (kernel[i]! - 1) * dilations[i]! - 1) / strides[i]!) + 1);
    const [batches, outChannels, perGroup] = [x.shape[0]!, w.shape[0]!, w.shape[1]!];
    const out = createTensor(acc, [batches, outChannels, ...outSpatial]);
    const write = elementWriter(out);
    const dot = dotOf(x, w, acc, attrs.words);
    const [plane, taps, positions] = [elementCount(spatial), elementCount(kernel), elementCount(outSpatial)];
    const meets = tapTable(spatial, kernel, outSpatial, attrs);
    for (let n = 0, flat = 0; n < batches; n++) {
      for (let o = 0; o < outChannels; o++) {
        const group = Math.floor(o / (outChannels / groups));
        const from = (n * x.shape[1]! + group * perGroup) * plane;
        for (let p = 0; p < positions; p++, flat++) {
          let sum: number | bigint = isWide(acc) ? 0n : 0;
          for (let t = 0; t < taps; t++) {
            const at = meets[p * taps + t]!;
            if (at < 0) continue;
            const part = dot(perGroup, from + at, plane, o * perGroup * taps + t, taps);
            sum = typeof sum === 'bigint' ? sum + BigInt(part) : sum + Number(part);
          }
          write(flat, sum);
        }
      }
    }
    return [out];
  },
};

/** For each output position and tap, the flat spatial element of the input that they meet; −1 on padding. */
function tapTable(
  spatial: readonly number[],
  kernel: readonly number[],
  out: readonly number[],
  attrs: { readonly strides: readonly number[]; readonly dilations: readonly number[]; readonly low: readonly number[] },
): Int32Array {
  const own = stridesOf(spatial);
  let table = Int32Array.of(0);
  // Axis by axis: rows of (position, tap) pairs, refined by the next axis.
  let [positions, taps] = [1, 1];
  spatial.forEach((size, axis) => {
    const next = new Int32Array(positions * out[axis]! * taps * kernel[axis]!);
    for (let p = 0; p < positions; p++) {
      for (let o = 0; o < out[axis]!; o++) {
        for (let t = 0; t < taps; t++) {
          for (let k = 0; k < kernel[axis]!; k++) {
            const at = o * attrs.strides[axis]! + k * attrs.dilations[axis]! - attrs.low[axis]!;
            const before = table[p * taps + t]!;
            next[((p * out[axis]! + o) * taps + t) * kernel[axis]! + k] = before < 0 || at < 0 || at >= size ? -1 : before + at * own[axis]!;
          }
        }
      }
    }
    table = next;
    positions *= out[axis]!;
    taps *= kernel[axis]!;
  });
  return table;
}
