// What the encoders of ai.onnx.ml map from and to, resolved from their attributes. Knows no data but the tables themselves.
import { numeric, stringTensor, tensorFrom } from '../../core/tensor.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { AttrsOf } from '../schema.ts';
import { badModel } from './classes.ts';
import type { mlOps } from './ml.ts';

type LabelAttrs = AttrsOf<typeof mlOps.LabelEncoder>;

/** Keys and values of equal length, and the value of everything that is no key. */
export interface LabelTable {
  readonly keys: Tensor;
  readonly values: Tensor;
  /** One element of the dtype of `values`. */
  readonly fallback: Tensor;
}

/** The one table that is given. */
function onlyOf(
  what: string,
  tensor: Tensor | undefined,
  floats: readonly number[] | undefined,
  ints: readonly number[] | undefined,
  strings: readonly string[] | undefined,
): Tensor {
  const given = [
    tensor,
    floats === undefined ? undefined : tensorFrom('f32', [floats.length], floats),
    ints === undefined ? undefined : tensorFrom('i64', [ints.length], ints),
    strings === undefined ? undefined : stringTensor([strings.length], strings),
  ].filter((t) => t !== undefined && t.data.length > 0);
  return given.length === 1 ? given[0]! : badModel(`LabelEncoder needs exactly one of its ${what}_… attributes`);
}

export function labelTable(attrs: LabelAttrs): LabelTable {
  const keys = onlyOf('keys', attrs.keys_tensor, attrs.keys_floats, attrs.keys_int64s, attrs.keys_strings);
  const values = onlyOf('values', attrs.values_tensor, attrs.values_floats, attrs.values_int64s, attrs.values_strings);
  if (keys.data.length !== values.data.length) badModel(`${keys.data.length} keys for ${values.data.length} values`);
  const fallback = attrs.default_tensor ?? defaultOf(values, attrs);
  if (fallback.dtype !== values.dtype || fallback.data.length !== 1) badModel('default_tensor must be one element of the dtype of the values');
  return { keys, values, fallback };
}

function defaultOf(values: Tensor, attrs: LabelAttrs): Tensor {
  if (values.dtype === 'string') return stringTensor([1], [attrs.default_string]);
  const isFloatTable = ['f32', 'f64', 'f16', 'bf16'].includes(values.dtype);
  return tensorFrom(numeric(values).dtype, [1], [isFloatTable ? attrs.default_float : attrs.default_int64]);
}

/** Imputer's replacements, one or one per feature, and what they replace. */
export function imputation(attrs: AttrsOf<typeof mlOps.Imputer>, floats: boolean, features: number): { readonly values: readonly number[]; readonly replaced: number } {
  const values = floats ? attrs.imputed_value_floats : attrs.imputed_value_int64s;
  if (values === undefined || (values.length !== 1 && values.length !== features)) {
    return badModel(`Imputer needs 1 or ${features} values of imputed_value_${floats ? 'floats' : 'int64s'}, not ${values?.length ?? 0}`);
  }
  return { values, replaced: floats ? attrs.replaced_value_float : attrs.replaced_value_int64 };
}

/** Scaler's lists, one or one entry per feature; absent ones change nothing. */
export function scaling(attrs: AttrsOf<typeof mlOps.Scaler>, features: number): { readonly offset: readonly number[]; readonly scale: readonly number[] } {
  const [offset, scale] = [attrs.offset ?? [0], attrs.scale ?? [1]];
  for (const list of [offset, scale]) if (list.length !== 1 && list.length !== features) badModel(`Scaler has ${list.length} entries for ${features} features`);
  return { offset, scale };
}
