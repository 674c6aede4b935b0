// How far a result may lie from the expected one. Exact operators share one bound; those that are inexact by nature say by how much,
// and why. A case is held to the widest bound among its operators.
import { isFloat } from '../core/dtype.ts';
import type { DType } from '../core/dtype.ts';
import type { OpName } from '../graph/ops.ts';
import type { Precision } from '../session/options.ts';

export interface Tolerance {
  /** Of the expected element. */
  readonly rtol: number;
  readonly atol: number;
  /** Of the expected tensor's largest magnitude: rounding of a sum scales with its terms, not with what is left of them. */
  readonly scaled: number;
  /** Values are random by definition: only dtype and shape are compared. */
  readonly shapeOnly: boolean;
}

export const exact: Tolerance = { rtol: 1e-3, atol: 1e-7, scaled: 0, shapeOnly: false };

type Entry = Partial<Tolerance> & { readonly why: string; readonly dtypes?: readonly DType[] };

const sums: Entry = { scaled: 1e-5, why: 'sums of products are taken in another order' };
const random: Entry = { shapeOnly: true, why: 'random by definition' };
const border: Entry = { atol: 1, dtypes: ['i8', 'u8', 'i16', 'u16'], why: 'a sum that differs in its last bit may round to the next integer' };

/** By operator. */
export const tolerances: { readonly [O in OpName]?: readonly Entry[] } = {
  Conv: [sums],
  ConvTranspose: [sums],
  DeformConv: [sums],
  MatMul: [sums],
  Gemm: [sums],
  Einsum: [sums],
  Attention: [sums, { rtol: 2 ** -6, dtypes: ['bf16'], why: 'each of several steps rounds to 8 bits' }],
  LinearAttention: [sums],
  CausalConvWithState: [sums],
  RNN: [sums],
  GRU: [sums],
  LSTM: [sums],
  DFT: [sums],
  STFT: [sums],
  ReduceSum: [sums],
  ReduceMean: [sums],
  BatchNormalization: [sums],
  InstanceNormalization: [sums],
  LayerNormalization: [sums],
  GroupNormalization: [sums],
  MeanVarianceNormalization: [{ scaled: 1e-5, why: 'a difference of nearly equal sums' }],
  Resize: [{ scaled: 1e-5, why: 'interpolation weights are rounded' }],
  GridSample: [{ scaled: 1e-5, why: 'interpolation weights are rounded' }],
  AffineGrid: [{ scaled: 1e-6, why: 'coordinates that cancel to zero' }],
  Det: [{ scaled: 1e-5, why: 'elimination takes another order' }],
  QLinearConv: [border],
  QLinearMatMul: [border],
  QuantizeLinear: [border],
  DynamicQuantizeLinear: [border],
  ImageDecoder: [{ atol: 2, dtypes: ['u8'], why: 'JPEG decoders may differ in the last bit of each transform' }],
  RandomNormal: [random],
  RandomNormalLike: [random],
  RandomUniform: [random],
  RandomUniformLike: [random],
  Multinomial: [random],
  Bernoulli: [random],
};

/** Formats so coarse that one unit in the last place is more than the common bound. */
const coarse: { readonly [D in DType]?: number } = { bf16: 2 ** -7, f16: 2 ** -9 };

/**
 * Of models whose floats are narrowed. Each value between nodes is rounded to 11 bits (f16) or 8 (bf16), so it is off by half a unit of
 * the last place; what dozens of layers make of that grows with the largest value, not with the one at hand.
 */
const narrowed: { readonly [P in Precision]: number } = { f16: 2 ** -5, bf16: 2 ** -2 };

/** The bound for an output of `dtype` of a model made of `ops`, where its floats are f32 or narrowed to `precision`. */
export function toleranceFor(ops: ReadonlySet<string>, dtype: DType, precision?: Precision): Tolerance {
  let bound: Tolerance = { ...exact, rtol: Math.max(exact.rtol, coarse[dtype] ?? 0), scaled: precision !== undefined && isFloat(dtype) ? narrowed[precision] : 0 };
  for (const [op, entries] of Object.entries(tolerances)) {
    if (!ops.has(op)) continue;
    for (const entry of entries) {
      if (entry.dtypes !== undefined && !entry.dtypes.includes(dtype)) continue;
      bound = {
        rtol: Math.max(bound.rtol, entry.rtol ?? 0),
        atol: Math.max(bound.atol, entry.atol ?? 0),
        scaled: Math.max(bound.scaled, entry.scaled ?? 0),
        shapeOnly: bound.shapeOnly || entry.shapeOnly === true,
      };
    }
  }
  return bound;
}
