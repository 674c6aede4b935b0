// What a decomposition rule is: an ONNX operator, with concrete shapes, written in primitives. A rule also is the operator's shape
// inference: the types of what it returns are the types of the node's outputs.
import { bigintReader, toNumbers } from '../core/tensor.ts';
import { invariant } from '../core/error.ts';
import type { NumericDType } from '../core/dtype.ts';
import type { Builder, Operand } from '../graph/builder.ts';
import type { NodeOf } from '../graph/graph.ts';
import type { OnnxOpName } from '../graph/ops.ts';

/** Why this node, with these attributes and dtypes, must run on the host. */
export interface OnHost {
  readonly onHost: string;
}
export const onHost = (reason: string): OnHost => ({ onHost: reason });

/** Inputs in the order of the schema, omitted ones null; results in the order of the schema (outputs not asked for may be null). */
export type Lower<O extends OnnxOpName> = (b: Builder, node: NodeOf<O>, inputs: readonly (Operand | null)[]) => readonly (Operand | null)[] | OnHost;

/** 'host' is for operators that never run on a device. */
export type Lowerings<O extends OnnxOpName> = { readonly [K in O]: Lower<K> | 'host' };

/** Input `i`, which the schema says is there. */
export function inputAt(inputs: readonly (Operand | null)[], i: number): Operand {
  const x = inputs[i] ?? null;
  invariant(x !== null, `input ${i} is missing`);
  return x;
}

/** The numbers of a constant operand (an input named in the schema's `hostInputs`). */
export function numbersOf(b: Builder, x: Operand): number[] {
  const value = b.valueOf(x);
  invariant(value !== undefined, 'a host input whose value is not known');
  return value.dtype === 'i64' || value.dtype === 'u64' ? clampInts(bigintReader(value), value.data.length) : toNumbers(value);
}

const clampInts = (read: (i: number) => bigint, length: number): number[] => {
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  return Array.from({ length }, (_, i) => {
    const v = read(i);
    return Number(v > limit ? limit : v < -limit ? -limit : v);
  });
};

/** The dtype in which sums and formulas of several steps over `dtype` are computed. */
export const accumulatorOf = (dtype: NumericDType): NumericDType => (dtype === 'f16' || dtype === 'bf16' ? 'f32' : dtype);
