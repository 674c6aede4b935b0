// The primitive operators: what every composite decomposes into and what every chip must be able to run.
// Shapes are concrete and all parameters are attributes, so a primitive's meaning is fixed when it is built.
import type { DType } from '../core/dtype.ts';
import type { WordParts } from '../core/words.ts';

/** f on floats unless said otherwise. neg, abs, sign: any number. not: bool. bitNot: integers. isNaN, isInf: float to bool. */
export const unaryFns = [
  'neg',
  'abs',
  'sign',
  'floor',
  'ceil',
  'round',
  'trunc',
  'sqrt',
  'reciprocal',
  'exp',
  'log',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'sinh',
  'cosh',
  'tanh',
  'asinh',
  'acosh',
  'atanh',
  'erf',
  'not',
  'bitNot',
  'isNaN',
  'isInf',
] as const;
export type UnaryFn = (typeof unaryFns)[number];

/**
 * Same dtype in and out, NumPy broadcasting. div truncates on integers (x/0 is 0 there); mod takes the sign of the divisor (Python),
 * rem that of the dividend (C fmod); min, max propagate NaN; and, or, xor: bool or integers; shl, shr: unsigned integers, 0 when the
 * count reaches the width; pow on integers by repeated squaring, negative exponents give 0 unless the base is ±1.
 */
export const binaryFns = ['add', 'sub', 'mul', 'div', 'mod', 'rem', 'pow', 'min', 'max', 'and', 'or', 'xor', 'shl', 'shr'] as const;
export type BinaryFn = (typeof binaryFns)[number];

/** Functions that take a few steps of arithmetic for each element; the others take series, or steps that depend on the operands. */
export const simpleFns: ReadonlySet<UnaryFn | BinaryFn> = new Set([
  ...(['neg', 'abs', 'sign', 'floor', 'ceil', 'round', 'trunc', 'sqrt', 'reciprocal', 'not', 'bitNot', 'isNaN', 'isInf'] as const),
  ...(['add', 'sub', 'mul', 'div', 'min', 'max', 'and', 'or', 'xor', 'shl', 'shr'] as const),
]);

/** Any dtype to bool, NumPy broadcasting. Comparisons with NaN are false, except ne. */
export const compareFns = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;
export type CompareFn = (typeof compareFns)[number];

/** Bool tensors reduce by min (all) and max (any). Empty: 0, 1, lowest, highest. */
export const reduceFns = ['sum', 'prod', 'max', 'min'] as const;
export type ReduceFn = (typeof reduceFns)[number];

/** `replace` keeps the last update in row-major order of the updates. */
export type ScatterFn = 'replace' | 'add' | 'mul' | 'min' | 'max';

/**
 * How an index tuple meets the data of gather and scatter. For each data axis: `{ index: i }` — its coordinate is read from the i-th
 * index tensor (i32 or i64, broadcast to the iteration shape); `{ axis: a }` — its coordinate is that of iteration axis a.
 * Negative coordinates count from the end; others out of range are an error on the reference and clamped on devices.
 */
export type IndexSource = { readonly index: number } | { readonly axis: number };

export interface PrimAttrs {
  /** x → same shape; bool for isNaN and isInf. */
  unary: { readonly fn: UnaryFn };
  /** a, b → broadcast shape. */
  binary: { readonly fn: BinaryFn };
  /** a, b → bool, broadcast shape. */
  compare: { readonly fn: CompareFn };
  /** condition (bool), a, b → broadcast shape. */
  where: Record<never, never>;
  /** x → same shape in `to`. Float to integer truncates toward zero; out of range wraps (saturates for f8 kinds when asked); anything to bool is ≠ 0. */
  cast: { readonly to: DType; readonly saturate: boolean };
  /** x → same shape, the same bits as another dtype of the same width. */
  bitcast: { readonly to: DType };
  /** () → `shape`: the coordinate along `axis`. */
  iota: { readonly dtype: DType; readonly shape: readonly number[]; readonly axis: number };
  /** x → `shape`, same number of elements. */
  reshape: { readonly shape: readonly number[] };
  /** x → out.shape[i] = x.shape[perm[i]]. */
  transpose: { readonly perm: readonly number[] };
  /** x → `shape`: same rank, dimensions of 1 repeated. */
  expand: { readonly shape: readonly number[] };
  /** x → `sizes`; out[i] = x[starts + i·steps], steps may be negative, never out of range. */
  slice: { readonly starts: readonly number[]; readonly sizes: readonly number[]; readonly steps: readonly number[] };
  /** x, value (scalar) → x with `low` and `high` elements of value around it, per axis, ≥ 0. */
  pad: { readonly low: readonly number[]; readonly high: readonly number[] };
  /** x → one more axis per entry, appended in order: out[…, i on `axis`, …, w] = x[… i·stride + w·dilation …]. Never out of range. */
  window: { readonly windows: readonly { readonly axis: number; readonly size: number; readonly stride: number; readonly dilation: number }[] };
  /** x of small integers → i32: along `axis`, whose length they divide, so many neighbours as a word has parts become one, the first in the lowest bits. */
  words: { readonly parts: WordParts; readonly axis: number };
  /** x… → joined along `axis`. */
  concat: { readonly axis: number };
  /** x → the reduced axes become 1 (rank is kept). */
  reduce: { readonly fn: ReduceFn; readonly axes: readonly number[] };
  /** x → i64, `axis` becomes 1: index of the first (or last) extreme. NaN counts as the extreme. */
  argReduce: { readonly fn: 'max' | 'min'; readonly axis: number; readonly last: boolean };
  /** x → same shape: running sum or product along `axis`. */
  scan: { readonly fn: 'sum' | 'prod'; readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean };
  /**
   * a [batch…, M, K], b [batch…, K, N] → [batch…, M, N]; same rank ≥ 2, batch dimensions broadcast. f32 accumulates f16 and bf16. Integers
   * accumulate in `acc`. With `words` both are i32 and hold parts, whose products are summed in i32.
   */
  matmul: { readonly acc: DType; readonly words?: WordParts };
  /** x [N, C, d…], w [O, C/groups, k…] → [N, O, out…]; padding is explicit, `low` and `high` per spatial axis. Accumulates and results in `acc`. `words` as in matmul. */
  conv: {
    readonly strides: readonly number[];
    readonly dilations: readonly number[];
    readonly low: readonly number[];
    readonly high: readonly number[];
    readonly groups: number;
    readonly acc: DType;
    readonly words?: WordParts;
  };
  /** data, index tensors… → `shape` (the iteration shape). */
  gather: { readonly sources: readonly IndexSource[]; readonly shape: readonly number[] };
  /** data, updates, index tensors… → data's shape with updates written; the iteration shape is that of updates. */
  scatter: { readonly sources: readonly IndexSource[]; readonly fn: ScatterFn };
  /** x → values [.., k, ..], indices (i64) of the k first along `axis` in sorted order; ties by lower index. NaN counts as largest. */
  topK: { readonly axis: number; readonly k: number; readonly largest: boolean };
}
export type PrimName = keyof PrimAttrs;

export interface PrimFacts {
  readonly kind: 'elementwise' | 'view' | 'source' | 'reduction' | 'contraction' | 'indexing' | 'ordering';
  /** How inputs are told from one another in errors and docs. */
  readonly inputs: readonly string[];
}

/** Traits that passes and schedules ask for, instead of names. */
export const prims = {
  unary: { kind: 'elementwise', inputs: ['x'] },
  binary: { kind: 'elementwise', inputs: ['a', 'b'] },
  compare: { kind: 'elementwise', inputs: ['a', 'b'] },
  where: { kind: 'elementwise', inputs: ['condition', 'a', 'b'] },
  cast: { kind: 'elementwise', inputs: ['x'] },
  bitcast: { kind: 'elementwise', inputs: ['x'] },
  iota: { kind: 'source', inputs: [] },
  reshape: { kind: 'view', inputs: ['x'] },
  transpose: { kind: 'view', inputs: ['x'] },
  expand: { kind: 'view', inputs: ['x'] },
  slice: { kind: 'view', inputs: ['x'] },
  pad: { kind: 'view', inputs: ['x', 'value'] },
  window: { kind: 'view', inputs: ['x'] },
  words: { kind: 'view', inputs: ['x'] },
  concat: { kind: 'view', inputs: ['x*'] },
  reduce: { kind: 'reduction', inputs: ['x'] },
  argReduce: { kind: 'reduction', inputs: ['x'] },
  scan: { kind: 'ordering', inputs: ['x'] },
  matmul: { kind: 'contraction', inputs: ['a', 'b'] },
  conv: { kind: 'contraction', inputs: ['x', 'w'] },
  gather: { kind: 'indexing', inputs: ['data', 'index*'] },
  scatter: { kind: 'indexing', inputs: ['data', 'updates', 'index*'] },
  topK: { kind: 'ordering', inputs: ['x'] },
} as const satisfies Record<PrimName, PrimFacts>;
