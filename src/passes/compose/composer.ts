// What rules that write primitives as operators of ONNX share: nodes in order, constants, intermediate values. The way back from `decompose`.
import type { NumericDType } from '../../core/dtype.ts';
import { intTensor, scalar } from '../../core/tensor.ts';
import type { NumericTensor } from '../../core/tensor.ts';
import type { Operand, PrimNode } from '../../graph/builder.ts';
import { constantOf } from '../../graph/graph.ts';
import type { Constant, Node, Value } from '../../graph/graph.ts';
import { codeOfDType } from '../../graph/onnxTypes.ts';
import { schemaOf } from '../../graph/ops.ts';
import type { OnnxAttrs, OnnxOpName } from '../../graph/ops.ts';
import type { PrimName } from '../../graph/prims.ts';

/** One use of an operator; its outputs come later. */
export interface Call {
  readonly op: OnnxOpName;
  readonly inputs: readonly (Value | null)[];
  readonly attrs: Readonly<Record<string, unknown>>;
}
/** What is left out of `attrs` has the operator's default. */
export const call = <O extends OnnxOpName>(op: O, inputs: readonly (Value | null)[], attrs: Partial<OnnxAttrs[O]> = {}): Call => ({ op, inputs, attrs });

/** The call that gives a primitive's outputs. Shapes and dtypes are those of `node`; `inputs` are its operands in the new graph. */
export type Compose<P extends PrimName> = (node: Extract<PrimNode, { readonly op: P }>, inputs: readonly Value[], c: Composer) => Call;
export type Compositions = { readonly [P in PrimName]: Compose<P> };

export class Composer {
  readonly nodes: Node[] = [];
  readonly constants = new Map<Value, Constant>();

  /** Puts a node behind the others. */
  emit({ op, inputs, attrs }: Call, name: string, outputs: readonly (Value | null)[]): void {
    const defaults = Object.fromEntries(Object.entries(schemaOf(op).attrs).map(([key, spec]) => [key, spec.fallback]));
    // oxlint-disable-next-line typescript/consistent-type-assertions -- `call` tied attributes to their operator
    this.nodes.push({ op, name, attrs: { ...defaults, ...attrs }, inputs, outputs } as Node);
  }

  /** An intermediate value. */
  value(made: Call): Value {
    const name = `${made.op}.${this.nodes.length}`;
    const output: Value = { name, type: undefined };
    this.emit(made, name, [output]);
    return output;
  }

  constant(tensor: NumericTensor): Value {
    const value: Value = { name: `constant.${this.constants.size}`, type: undefined };
    this.constants.set(value, constantOf(tensor));
    return value;
  }
  ints(values: readonly number[]): Value {
    return this.constant(intTensor(values));
  }
  scalar(dtype: NumericDType, value: number): Value {
    return this.constant(scalar(dtype, value));
  }

  cast(x: Value, to: NumericDType): Value {
    return this.value(cast(x, to));
  }
  /** `x` in another shape of as many elements. */
  reshape(x: Value, shape: readonly number[]): Value {
    return this.value(reshape(this, x, shape));
  }
}

export const cast = (x: Value, to: NumericDType): Call => call('Cast', [x], { to: codeOfDType(to) });
/** 0 is a size here, and never one to be copied. */
export const reshape = (c: Composer, x: Value, shape: readonly number[]): Call => call('Reshape', [x, c.ints(shape)], { allowzero: shape.includes(0) ? 1 : 0 });

/** Computes in `dtype` what the operator has not for the dtype of `x`, and casts the result back. */
export const through = (c: Composer, dtype: NumericDType, x: Operand, inputs: readonly Value[], compute: (inputs: readonly Value[]) => Call): Call =>
  cast(c.value(compute(inputs.map((value) => c.cast(value, dtype)))), x.dtype);
