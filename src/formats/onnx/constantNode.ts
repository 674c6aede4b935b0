// The value of a Constant node, in each of its encodings.
import { AnychipError } from '../../core/error.ts';
import { intTensor, stringTensor, tensorFrom } from '../../core/tensor.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { RawAttr } from './upgrade/upgrade.ts';

const encodings: Readonly<Record<string, (attr: RawAttr) => Tensor | undefined>> = {
  value: (attr) => (attr.kind === 'tensor' ? attr.value : undefined),
  sparse_value: (attr) => (attr.kind === 'tensor' ? attr.value : undefined),
  value_float: (attr) => (attr.kind === 'float' ? tensorFrom('f32', [], [attr.value]) : undefined),
  value_floats: (attr) => (attr.kind === 'floats' ? tensorFrom('f32', [attr.value.length], attr.value) : undefined),
  value_int: (attr) => (attr.kind === 'int' ? intTensor([attr.value], []) : undefined),
  value_ints: (attr) => (attr.kind === 'ints' ? intTensor(attr.value) : undefined),
  value_string: (attr) => (attr.kind === 'string' ? stringTensor([], [attr.value]) : undefined),
  value_strings: (attr) => (attr.kind === 'strings' ? stringTensor([attr.value.length], attr.value) : undefined),
};

export function readConstantNode(attrs: ReadonlyMap<string, RawAttr>): Tensor {
  const [entry, ...more] = [...attrs];
  const encoding = entry !== undefined && more.length === 0 && Object.hasOwn(encodings, entry[0]) ? encodings[entry[0]] : undefined;
  const tensor = entry === undefined ? undefined : encoding?.(entry[1]);
  if (tensor === undefined)
    throw new AnychipError('bad-model', `a Constant with the attributes ${[...attrs.keys()].join(', ') || 'none'}`, { hint: 'It must have exactly one value.' });
  return tensor;
}
