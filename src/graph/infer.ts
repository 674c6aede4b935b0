// Result types of primitives, and the checks that make a primitive graph valid by construction. One total table.
import { dtypes, isFloat, isInteger } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { broadcastShapes, elementCount, formatShape } from '../core/shape.ts';
import type { Shape } from '../core/shape.ts';
import { wordLayouts } from '../core/words.ts';
import type { PrimAttrs, PrimName } from './prims.ts';

export interface ConcreteType {
  readonly dtype: NumericDType;
  readonly shape: Shape;
}
type Infer<P extends PrimName> = (attrs: PrimAttrs[P], inputs: readonly ConcreteType[]) => readonly ConcreteType[];

const fail = (reason: string): never => {
  throw new AnychipError('shape', reason, { hint: 'The operands of this operator do not fit together; check the model or the shapes of its inputs.' });
};
const check = (ok: boolean, reason: () => string): void => {
  if (!ok) fail(reason());
};
const numericDType = (dtype: keyof typeof dtypes): NumericDType => (dtype === 'string' ? fail('strings have no device type') : dtype);

function at(inputs: readonly ConcreteType[], i: number): ConcreteType {
  return inputs[i] ?? fail(`operand ${i} is missing`);
}

function sameDType(inputs: readonly ConcreteType[]): NumericDType {
  const { dtype } = at(inputs, 0);
  check(
    inputs.every((t) => t.dtype === dtype),
    () => `operands of different dtypes: ${inputs.map((t) => t.dtype).join(', ')}`,
  );
  return dtype;
}

function matmulShape(a: Shape, b: Shape): number[] {
  check(a.length >= 2 && a.length === b.length, () => `matmul of ${formatShape(a)} and ${formatShape(b)}: ranks must be equal and at least 2`);
  check(a.at(-1) === b.at(-2), () => `matmul of ${formatShape(a)} and ${formatShape(b)}: the inner dimensions differ`);
  return [...broadcastShapes(a.slice(0, -2), b.slice(0, -2)), a.at(-2)!, b.at(-1)!];
}

function convShape(x: Shape, w: Shape, attrs: PrimAttrs['conv']): number[] {
  const spatial = x.length - 2;
  check(spatial >= 0 && w.length === x.length, () => `conv of ${formatShape(x)} with a weight of ${formatShape(w)}: ranks differ`);
  check(x[1] === w[1]! * attrs.groups, () => `conv of ${formatShape(x)} with a weight of ${formatShape(w)} and ${attrs.groups} groups: channels do not match`);
  check(w[0]! % attrs.groups === 0, () => `conv with ${w[0]} output channels cannot be split into ${attrs.groups} groups`);
  const out = Array.from({ length: spatial }, (_, i) => {
    const reach = (w[i + 2]! - 1) * attrs.dilations[i]! + 1;
    const size = Math.floor((x[i + 2]! + attrs.low[i]! + attrs.high[i]! - reach) / attrs.strides[i]!) + 1;
    check(size >= 0, () => `conv kernel reaches ${reach} but axis ${i + 2} has only ${x[i + 2]} elements with padding`);
    return size;
  });
  return [x[0]!, w[0]!, ...out];
}

function sumsOf({ acc, words }: Pick<PrimAttrs['matmul'], 'acc' | 'words'>, inputs: readonly ConcreteType[]): NumericDType {
  check(words === undefined || (acc === 'i32' && inputs.every((x) => x.dtype === 'i32')), () => `products of ${words} in words of ${inputs[0]?.dtype}, summed in ${acc}`);
  return numericDType(acc);
}

const keepDim = (shape: Shape, axes: readonly number[]): number[] => shape.map((d, i) => (axes.includes(i) ? 1 : d));

export const inferences: { readonly [P in PrimName]: Infer<P> } = {
  unary: ({ fn }, inputs) => {
    const x = at(inputs, 0);
    if (fn === 'isNaN' || fn === 'isInf') return [{ dtype: 'bool', shape: x.shape }];
    if (fn === 'not') check(x.dtype === 'bool', () => `not of ${x.dtype}`);
    else if (fn === 'bitNot') check(isInteger(x.dtype), () => `bitNot of ${x.dtype}`);
    else if (fn !== 'neg' && fn !== 'abs' && fn !== 'sign') check(isFloat(x.dtype), () => `${fn} of ${x.dtype}`);
    return [x];
  },
  binary: (_, inputs) => [{ dtype: sameDType(inputs), shape: broadcastShapes(...inputs.map((t) => t.shape)) }],
  compare: (_, inputs) => {
    sameDType(inputs);
    return [{ dtype: 'bool', shape: broadcastShapes(...inputs.map((t) => t.shape)) }];
  },
  where: (_, inputs) => {
    check(at(inputs, 0).dtype === 'bool', () => `a condition of dtype ${at(inputs, 0).dtype}`);
    return [{ dtype: sameDType(inputs.slice(1)), shape: broadcastShapes(...inputs.map((t) => t.shape)) }];
  },
  cast: ({ to }, inputs) => [{ dtype: numericDType(to), shape: at(inputs, 0).shape }],
  bitcast: ({ to }, inputs) => {
    const x = at(inputs, 0);
    check(dtypes[to].bits === dtypes[x.dtype].bits, () => `bitcast of ${x.dtype} to ${to}: widths differ`);
    return [{ dtype: numericDType(to), shape: x.shape }];
  },
  iota: ({ dtype, shape }) => [{ dtype: numericDType(dtype), shape }],
  reshape: ({ shape }, inputs) => {
    const x = at(inputs, 0);
    check(elementCount(shape) === elementCount(x.shape), () => `cannot reshape ${formatShape(x.shape)} to ${formatShape(shape)}`);
    return [{ dtype: x.dtype, shape }];
  },
  transpose: ({ perm }, inputs) => {
    const x = at(inputs, 0);
    check(
      perm.length === x.shape.length && new Set(perm).size === perm.length && perm.every((p) => p >= 0 && p < perm.length),
      () => `${formatShape(perm)} is not a permutation of the axes of ${formatShape(x.shape)}`,
    );
    return [{ dtype: x.dtype, shape: perm.map((p) => x.shape[p]!) }];
  },
  expand: ({ shape }, inputs) => {
    const x = at(inputs, 0);
    check(shape.length === x.shape.length && x.shape.every((d, i) => d === 1 || d === shape[i]), () => `cannot expand ${formatShape(x.shape)} to ${formatShape(shape)}`);
    return [{ dtype: x.dtype, shape }];
  },
  slice: ({ starts, sizes, steps }, inputs) => {
    const x = at(inputs, 0);
    const inside = x.shape.every((d, i) => {
      if (sizes[i] === 0) return true;
      const last = starts[i]! + (sizes[i]! - 1) * steps[i]!;
      return starts[i]! >= 0 && starts[i]! < d && last >= 0 && last < d;
    });
    check(sizes.length === x.shape.length && inside, () => `slice from ${formatShape(starts)} of ${formatShape(sizes)} by ${formatShape(steps)} leaves ${formatShape(x.shape)}`);
    return [{ dtype: x.dtype, shape: sizes }];
  },
  pad: ({ low, high }, inputs) => {
    const x = at(inputs, 0);
    check(at(inputs, 1).dtype === x.dtype && elementCount(at(inputs, 1).shape) === 1, () => 'the padding value must be a scalar of the same dtype');
    check(low.length === x.shape.length && [...low, ...high].every((p) => p >= 0), () => `padding ${formatShape(low)} and ${formatShape(high)} of ${formatShape(x.shape)}`);
    return [{ dtype: x.dtype, shape: x.shape.map((d, i) => d + low[i]! + high[i]!) }];
  },
  words: ({ parts, axis }, inputs) => {
    const x = at(inputs, 0);
    const { count, bits } = wordLayouts[parts];
    check(isInteger(x.dtype) && dtypes[x.dtype].bits === bits, () => `words of ${parts} of ${x.dtype}`);
    check(x.shape[axis]! % count === 0, () => `words of ${parts} along axis ${axis} of ${formatShape(x.shape)}`);
    return [{ dtype: 'i32', shape: x.shape.map((d, i) => (i === axis ? d / count : d)) }];
  },
  window: ({ windows }, inputs) => {
    const x = at(inputs, 0);
    const shape = [...x.shape];
    for (const { axis, size, stride, dilation } of windows) {
      const count = Math.floor((x.shape[axis]! - (size - 1) * dilation - 1) / stride) + 1;
      check(count >= 0 && size > 0, () => `a window of ${size} (dilation ${dilation}) does not fit in ${x.shape[axis]} elements`);
      shape[axis] = count;
      shape.push(size);
    }
    return [{ dtype: x.dtype, shape }];
  },
  concat: ({ axis }, inputs) => {
    const first = at(inputs, 0);
    check(
      inputs.every((t) => t.shape.length === first.shape.length && t.shape.every((d, i) => i === axis || d === first.shape[i])),
      () => `cannot join ${inputs.map((t) => formatShape(t.shape)).join(', ')} along axis ${axis}`,
    );
    return [{ dtype: sameDType(inputs), shape: first.shape.map((d, i) => (i === axis ? inputs.reduce((n, t) => n + t.shape[axis]!, 0) : d)) }];
  },
  reduce: ({ axes }, inputs) => [{ dtype: at(inputs, 0).dtype, shape: keepDim(at(inputs, 0).shape, axes) }],
  argReduce: ({ axis }, inputs) => {
    check(at(inputs, 0).shape[axis] !== 0, () => 'the extreme of nothing');
    return [{ dtype: 'i64', shape: keepDim(at(inputs, 0).shape, [axis]) }];
  },
  scan: (_, inputs) => [at(inputs, 0)],
  matmul: (attrs, inputs) => [{ dtype: sumsOf(attrs, inputs), shape: matmulShape(at(inputs, 0).shape, at(inputs, 1).shape) }],
  conv: (attrs, inputs) => [{ dtype: sumsOf(attrs, inputs), shape: convShape(at(inputs, 0).shape, at(inputs, 1).shape, attrs) }],
  gather: ({ sources, shape }, inputs) => {
    const data = at(inputs, 0);
    check(sources.length === data.shape.length, () => `${sources.length} index sources for ${formatShape(data.shape)}`);
    check(
      inputs.slice(1).every((t) => t.dtype === 'i64' || t.dtype === 'i32'),
      () => 'indices must be i32 or i64',
    );
    return [{ dtype: data.dtype, shape }];
  },
  scatter: ({ sources }, inputs) => {
    const data = at(inputs, 0);
    check(sources.length === data.shape.length, () => `${sources.length} index sources for ${formatShape(data.shape)}`);
    check(at(inputs, 1).dtype === data.dtype, () => `updates of ${at(inputs, 1).dtype} into ${data.dtype}`);
    return [data];
  },
  topK: ({ axis, k }, inputs) => {
    const x = at(inputs, 0);
    check(k >= 0 && k <= x.shape[axis]!, () => `the first ${k} of ${x.shape[axis]} elements`);
    const shape = x.shape.map((d, i) => (i === axis ? k : d));
    return [
      { dtype: x.dtype, shape },
      { dtype: 'i64', shape },
    ];
  },
};

export function inferPrim<P extends PrimName>(op: P, attrs: PrimAttrs[P], inputs: readonly ConcreteType[]): readonly ConcreteType[] {
  return inferences[op](attrs, inputs);
}
