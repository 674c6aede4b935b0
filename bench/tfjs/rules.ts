// Operators as calls of TensorFlow.js: those that the nets of the bench have. Normalisations and activations behind a convolution are
// merged into it, as TensorFlow.js's converter does.
import { toNumbers } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import type { Node, NodeOf, Value } from '../../src/graph/graph.ts';
import { fittedHigh, resolveWindows } from '../../src/graph/ops/convGeometry.ts';
import type { WindowAttrs } from '../../src/graph/ops/convGeometry.ts';
import type { OpName } from '../../src/graph/ops.ts';
import type { FusedConv, Tf, TfTensor } from './api.ts';
import { extentsOf, identity, isSameOrder, preferredOrder, reshapeLayout } from './layout.ts';
import type { Layout } from './layout.ts';
import type { Build, Live, Rule } from './program.ts';

const IMAGE = preferredOrder(4);
type Activation = FusedConv['activation'];
type Pads = FusedConv['pad'];

/** x·scale + shift for each channel. */
interface Affine {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
}

const numbersOf = (build: Build, value: Value | null | undefined): number[] | undefined => {
  const tensor = value === null || value === undefined ? undefined : build.constant(value);
  return tensor === undefined ? undefined : toNumbers(tensor);
};

/** One number for each of `channels` of a tensor of `rank` axes, or undefined where the constant is anything else. */
function perChannel(tensor: NumericTensor | undefined, rank: number, channels: number): number[] | undefined {
  if (tensor === undefined) return undefined;
  const shape = [...Array.from({ length: Math.max(rank - tensor.shape.length, 0) }, () => 1), ...tensor.shape];
  if (shape.some((extent, axis) => extent !== 1 && axis !== 1)) return undefined;
  const data = toNumbers(tensor);
  return data.length === channels ? data : data.length === 1 ? Array.from({ length: channels }, () => data[0]!) : undefined;
}

/** What `node` does to channels of `x`, if it is no more than that. */
function affineOf(build: Build, node: Node, x: Value, { shape }: Layout): Affine | undefined {
  const channels = shape[1]!;
  if (node.op === 'BatchNormalization') {
    const [scale, shift, mean, variance] = node.inputs.slice(1).map((value) => numbersOf(build, value));
    if (scale === undefined || shift === undefined || mean === undefined || variance === undefined) return undefined;
    const factors = scale.map((s, c) => s / Math.sqrt(variance[c]! + node.attrs.epsilon));
    return { scale: factors, shift: shift.map((b, c) => b - mean[c]! * factors[c]!) };
  }
  if (node.op !== 'Mul' && node.op !== 'Add') return undefined;
  const other = node.inputs.find((value) => value !== x);
  const factors = other === null || other === undefined ? undefined : perChannel(build.constant(other), shape.length, channels);
  if (factors === undefined) return undefined;
  return node.op === 'Mul' ? { scale: factors, shift: factors.map(() => 0) } : { scale: factors.map(() => 1), shift: factors };
}

const compose = (first: Affine, then: Affine): Affine => ({
  scale: first.scale.map((s, c) => s * then.scale[c]!),
  shift: first.shift.map((b, c) => b * then.scale[c]! + then.shift[c]!),
});

/** Merges all affine nodes behind `value`; the last value is what they make. */
function affineChain(build: Build, value: Value, layout: Layout, start: Affine): { readonly affine: Affine; readonly last: Value } {
  let [affine, last] = [start, value];
  for (;;) {
    const node = build.soleConsumer(last);
    const next = node === undefined ? undefined : affineOf(build, node, last, layout);
    if (node === undefined || next === undefined) return { affine, last };
    build.merge(node);
    affine = compose(affine, next);
    last = node.outputs[0]!;
  }
}

function activationBehind(build: Build, value: Value): { readonly activation: Activation; readonly last: Value } {
  const node = build.soleConsumer(value);
  const isRelu6 = node?.op === 'Clip' && numbersOf(build, node.inputs[1])?.[0] === 0 && numbersOf(build, node.inputs[2])?.[0] === 6;
  if (node === undefined || (node.op !== 'Relu' && !isRelu6)) return { activation: 'linear', last: value };
  build.merge(node);
  return { activation: isRelu6 ? 'relu6' : 'relu', last: node.outputs[0]! };
}

const padsOf = (low: readonly number[], high: readonly number[]): Pads => [[0, 0], ...low.map((l, i): [number, number] => [l, high[i]!]), [0, 0]];

interface Filters {
  readonly tensor: TfTensor;
  readonly bias: TfTensor;
}

function writeConv(build: Build, node: NodeOf<'Conv'>): void {
  const { tf } = build;
  const x = build.inOrder(build.live(node.inputs[0]!), IMAGE);
  const weight = build.constant(node.inputs[1]!);
  if (weight === undefined || weight.shape.length !== 4) throw new Error('the tfjs peer has convolutions of images with constant weights only');
  const [filters, perGroup, ...kernel] = [weight.shape[0]!, weight.shape[1]!, ...weight.shape.slice(2)];
  const g = resolveWindows(x.layout.shape.slice(2), node.attrs, kernel);
  const layout: Layout = { shape: [x.layout.shape[0]!, filters, ...g.out], order: IMAGE };
  const start: Affine = { scale: Array.from({ length: filters }, () => 1), shift: numbersOf(build, node.inputs[2]) ?? Array.from({ length: filters }, () => 0) };
  const { affine, last: sum } = affineChain(build, node.outputs[0]!, layout, start);
  const { activation, last } = activationBehind(build, sum);
  const taps = toNumbers(weight).map((w, i) => w * affine.scale[Math.floor((i * filters) / (filters * perGroup * kernel[0]! * kernel[1]!))]!);
  const { group } = node.attrs;
  const options = { strides: g.strides, pad: padsOf(g.low, g.high), dilations: g.dilations, dataFormat: 'NHWC', activation } as const;
  const isDepthwise = perGroup === 1 && group > 1;
  const size = taps.length / group;
  const order = isDepthwise ? [2, 3, 0, 1] : [2, 3, 1, 0];
  const parts = Array.from({ length: isDepthwise ? 1 : group }, (_, i, of = isDepthwise ? 1 : group): Filters => ({
    tensor: build.upload(taps.slice(i * size, of === 1 ? undefined : (i + 1) * size), { shape: [filters / of, perGroup, ...kernel], order }),
    bias: build.upload(affine.shift.slice((i * filters) / of, ((i + 1) * filters) / of), { shape: [filters / of], order: [0] }),
  }));
  const conv = isDepthwise ? tf.fused.depthwiseConv2d : tf.fused.conv2d;
  const one = (input: TfTensor, { tensor, bias }: Filters): TfTensor => conv({ x: input, filter: tensor, bias, ...options });
  build.define(
    last,
    build.step([x], layout, ([t]) => (parts.length === 1 ? one(t!, parts[0]!) : inGroups(tf, t!, parts, one))),
  );
}

/** TensorFlow.js has no groups: a convolution for each. */
function inGroups(tf: Tf, x: TfTensor, parts: readonly Filters[], one: (x: TfTensor, filters: Filters) => TfTensor): TfTensor {
  const [n, h, w, channels] = [x.shape[0]!, x.shape[1]!, x.shape[2]!, x.shape[3]!];
  const width = channels / parts.length;
  const made = parts.map((filters, i) => {
    const part = tf.slice(x, [0, 0, 0, i * width], [n, h, w, width]);
    const out = one(part, filters);
    part.dispose();
    return out;
  });
  const all = tf.concat(made, 3);
  for (const part of made) part.dispose();
  return all;
}

function writeAffine(build: Build, node: NodeOf<'BatchNormalization' | 'Mul' | 'Add'>, value: Value, own: Affine): void {
  const x = build.inOrder(build.live(value), IMAGE);
  const { affine, last } = affineChain(build, node.outputs[0]!, x.layout, own);
  const vector = (data: readonly number[]): TfTensor => build.upload(data, { shape: [data.length], order: [0] });
  const [zeros, ones, offset, scale] = [vector(affine.scale.map(() => 0)), vector(affine.scale.map(() => 1)), vector(affine.shift), vector(affine.scale)];
  build.define(
    last,
    build.step([x], x.layout, ([t]) => build.tf.batchNorm(t!, zeros, ones, offset, scale, 0)),
  );
}

type Calls = { readonly [K in keyof Tf]: Tf[K] extends (a: TfTensor, b: TfTensor) => TfTensor ? K : never }[keyof Tf];

const broadcast = (a: readonly number[], b: readonly number[]): number[] => {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => Math.max(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1));
};

function writeBinary(build: Build, call: Calls, left: Value, right: Value): Live {
  const [a, b] = [left, right].map((value) => (build.constant(value) === undefined ? build.live(value) : undefined));
  const shapeOf = (value: Value, live: Live | undefined): readonly number[] => live?.layout.shape ?? build.constant(value)!.shape;
  const shape = broadcast(shapeOf(left, a), shapeOf(right, b));
  const fitting = [a, b].find((x) => x !== undefined && x.layout.shape.length === shape.length);
  const order = fitting?.layout.order ?? identity(shape.length);
  const operand = (value: Value, live: Live | undefined): Live => {
    if (live !== undefined) return ranked(build, live, shape.length, order);
    const constant = build.constant(value)!;
    return build.hold({ ...constant, shape: [...Array.from({ length: shape.length - constant.shape.length }, () => 1), ...constant.shape] }, order);
  };
  return build.step([operand(left, a), operand(right, b)], { shape, order }, ([x, y]) => build.tf[call](x!, y!));
}

function ranked(build: Build, x: Live, rank: number, order: readonly number[]): Live {
  const missing = rank - x.layout.shape.length;
  return build.inOrder(missing === 0 ? x : reshape(build, x, [...Array.from({ length: missing }, () => 1), ...x.layout.shape]), order);
}

function reshape(build: Build, x: Live, shape: readonly number[]): Live {
  const { order, layout } = reshapeLayout(x.layout, shape);
  const ordered = isSameOrder(order, x.layout.order) || sameMemory(x.layout, order) ? x : build.inOrder(x, order);
  return build.step([ordered], layout, ([t]) => build.tf.reshape(t!, extentsOf(layout)));
}

/** Whether only axes of one element change places. */
const sameMemory = ({ shape, order }: Layout, other: readonly number[]): boolean => {
  const real = (axes: readonly number[]): number[] => axes.filter((axis) => shape[axis] !== 1);
  return isSameOrder(real(order), real(other));
};

const reshaped =
  (shapeOf: (build: Build, node: NodeOf<'Reshape' | 'Flatten' | 'Unsqueeze' | 'Squeeze'>, shape: readonly number[]) => readonly number[]) =>
  (build: Build, node: NodeOf<'Reshape' | 'Flatten' | 'Unsqueeze' | 'Squeeze'>): void => {
    const x = build.live(node.inputs[0]!);
    build.define(node.outputs[0]!, reshape(build, x, shapeOf(build, node, x.layout.shape)));
  };

function writePool(build: Build, node: NodeOf<'MaxPool' | 'AveragePool'>, attrs: WindowAttrs): void {
  const x = build.inOrder(build.live(node.inputs[0]!), IMAGE);
  const spatial = x.layout.shape.slice(2);
  const g = resolveWindows(spatial, attrs);
  const pad = padsOf(g.low, fittedHigh(spatial, g));
  const isPadded = pad.some(([low, high]) => low + high > 0);
  if (node.op === 'AveragePool' && isPadded && node.attrs.count_include_pad === 1) throw new Error('the tfjs peer does not count padding');
  if (g.dilations.some((d) => d !== 1)) throw new Error('the tfjs peer has no dilated pools');
  const call = node.op === 'MaxPool' ? build.tf.maxPool : build.tf.avgPool;
  build.define(
    node.outputs[0]!,
    build.step([x], { shape: [...x.layout.shape.slice(0, 2), ...g.out], order: IMAGE }, ([t]) => call(t!, g.kernel, g.strides, pad)),
  );
}

const unary =
  (call: 'relu' | 'sigmoid' | 'exp') =>
  (build: Build, node: NodeOf<'Relu' | 'Sigmoid' | 'Exp'>): void => {
    const x = build.live(node.inputs[0]!);
    build.define(
      node.outputs[0]!,
      build.step([x], x.layout, ([t]) => build.tf[call](t!)),
    );
  };

const binary =
  (call: Calls) =>
  (build: Build, node: NodeOf<'Add' | 'Mul' | 'Sub' | 'Div'>): void => {
    const [a, b] = [node.inputs[0]!, node.inputs[1]!];
    const x = build.constant(a) === undefined ? a : b;
    const own = build.live(x).layout.shape.length === 4 ? affineOf(build, node, x, build.live(x).layout) : undefined;
    if (own !== undefined && (node.op === 'Add' || node.op === 'Mul')) writeAffine(build, node, x, own);
    else build.define(node.outputs[0]!, writeBinary(build, call, a, b));
  };

const alias = (build: Build, node: Node): void => build.define(node.outputs[0]!, build.live(node.inputs[0]!));

function writeProduct(build: Build, node: NodeOf<'MatMul' | 'Gemm'>): void {
  const [a, b] = [0, 1].map((i) => build.live(node.inputs[i]!, identity(2))).map((x) => build.inOrder(x, identity(x.layout.shape.length)));
  const gemm = node.op === 'Gemm' ? node.attrs : { transA: 0, transB: 0, alpha: 1, beta: 1 };
  if (gemm.alpha !== 1 || gemm.beta !== 1) throw new Error('the tfjs peer has no scaled Gemm');
  const bias = numbersOf(build, node.op === 'Gemm' ? node.inputs[2] : null);
  const held = bias === undefined ? {} : { bias: build.upload(bias, { shape: [bias.length], order: [0] }) };
  const [rows, columns] = [a!.layout.shape.at(gemm.transA === 1 ? -1 : -2)!, b!.layout.shape.at(gemm.transB === 1 ? -2 : -1)!];
  const shape = [...broadcast(a!.layout.shape.slice(0, -2), b!.layout.shape.slice(0, -2)), rows, columns];
  build.define(
    node.outputs[0]!,
    build.step([a!, b!], { shape, order: identity(shape.length) }, ([x, y]) =>
      build.tf.fused.matMul({ a: x!, b: y!, transposeA: gemm.transA === 1, transposeB: gemm.transB === 1, activation: 'linear', ...held }),
    ),
  );
}

const wrap = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

function writeSlice(build: Build, node: NodeOf<'Slice'>): void {
  const x = build.live(node.inputs[0]!);
  const { shape, order } = x.layout;
  const [starts, ends, axes, steps] = [1, 2, 3, 4].map((i) => numbersOf(build, node.inputs[i]));
  if (starts === undefined || ends === undefined) throw new Error('the tfjs peer has no slices that a run decides');
  const [begin, end, step] = [shape.map(() => 0), [...shape], shape.map(() => 1)];
  starts.forEach((from, i) => {
    const axis = wrap(axes?.[i] ?? i, shape.length);
    const place = (at: number): number => Math.min(Math.max(at < 0 ? at + shape[axis]! : at, 0), shape[axis]!);
    [begin[axis], end[axis], step[axis]] = [place(from), place(ends[i]!), steps?.[i] ?? 1];
  });
  if (step.some((s) => s < 1)) throw new Error('the tfjs peer has no slices that go back');
  const out = shape.map((_, axis) => Math.ceil((end[axis]! - begin[axis]!) / step[axis]!));
  const inMemory = (list: readonly number[]): number[] => order.map((axis) => list[axis]!);
  const [from, to, by, size] = [begin, end, step, out].map(inMemory);
  const isPlain = step.every((s) => s === 1);
  build.define(
    node.outputs[0]!,
    build.step([x], { shape: out, order }, ([t]) => (isPlain ? build.tf.slice(t!, from!, size!) : build.tf.stridedSlice(t!, from!, to!, by!))),
  );
}

function writeResize(build: Build, node: NodeOf<'Resize'>): void {
  const x = build.inOrder(build.live(node.inputs[0]!), IMAGE);
  const scales = numbersOf(build, node.inputs[2]);
  const { mode, coordinate_transformation_mode: coordinates, nearest_mode: nearest } = node.attrs;
  const isPlain = mode === 'nearest' && coordinates === 'asymmetric' && nearest === 'floor' && scales?.length === 4 && scales.every((s) => Number.isInteger(s));
  if (!isPlain) throw new Error('the tfjs peer resizes to the nearest at whole scales only');
  const shape = x.layout.shape.map((extent, axis) => extent * scales[axis]!);
  build.define(
    node.outputs[0]!,
    build.step([x], { shape, order: IMAGE }, ([t]) => build.tf.image.resizeNearestNeighbor(t!, [shape[2]!, shape[3]!])),
  );
}

function writeConcat(build: Build, node: NodeOf<'Concat'>): void {
  const values = node.inputs.map((value) => value!);
  const first = values.find((value) => build.constant(value) === undefined)!;
  const { shape, order } = build.live(first).layout;
  const axis = wrap(node.attrs.axis, shape.length);
  const parts = values.map((value) => build.inOrder(build.live(value, order), order));
  const total = parts.reduce((sum, part) => sum + part.layout.shape[axis]!, 0);
  build.define(
    node.outputs[0]!,
    build.step(parts, { shape: shape.with(axis, total), order }, (tensors) => build.tf.concat(tensors, order.indexOf(axis))),
  );
}

/** The shape that Reshape asks for: 0 keeps an extent, −1 takes what is left. */
function askedShape(build: Build, node: NodeOf<'Reshape'>, shape: readonly number[]): number[] {
  const asked = numbersOf(build, node.inputs[1])!.map((extent, i) => (extent === 0 && node.attrs.allowzero !== 1 ? shape[i]! : extent));
  const known = asked.reduce((product, extent) => (extent === -1 ? product : product * extent), 1);
  return asked.map((extent) => (extent === -1 ? shape.reduce((a, b) => a * b, 1) / known : extent));
}

export const rules: { readonly [O in OpName]?: Rule<O> } = {
  Conv: writeConv,
  BatchNormalization: (build, node) => writeAffine(build, node, node.inputs[0]!, affineOf(build, node, node.inputs[0]!, build.live(node.inputs[0]!).layout)!),
  MaxPool: (build, node) => writePool(build, node, node.attrs),
  AveragePool: (build, node) => writePool(build, node, node.attrs),
  GlobalAveragePool: (build, node) => {
    const x = build.inOrder(build.live(node.inputs[0]!), IMAGE);
    const [n, c, h, w] = x.layout.shape;
    build.define(
      node.outputs[0]!,
      build.step([x], { shape: [n!, c!, 1, 1], order: IMAGE }, ([t]) => build.tf.avgPool(t!, [h!, w!], [1, 1], padsOf([0, 0], [0, 0]))),
    );
  },
  Relu: unary('relu'),
  Sigmoid: unary('sigmoid'),
  Exp: unary('exp'),
  Add: binary('add'),
  Mul: binary('mul'),
  Sub: binary('sub'),
  Div: binary('div'),
  Sum: (build, node) => {
    const [first, ...rest] = node.inputs.map((value) => value!);
    let sum = first!;
    for (const value of rest) {
      const next = value === rest.at(-1) ? node.outputs[0]! : { name: '', type: undefined };
      build.define(next, writeBinary(build, 'add', sum, value));
      sum = next;
    }
  },
  Identity: alias,
  Dropout: alias,
  MatMul: writeProduct,
  Gemm: writeProduct,
  Softmax: (build, node) => {
    const x = build.live(node.inputs[0]!);
    const rank = x.layout.shape.length;
    const axis = wrap(node.attrs.axis, rank);
    const order = [...x.layout.order.filter((a) => a !== axis), axis];
    build.define(
      node.outputs[0]!,
      build.step([build.inOrder(x, order)], { shape: x.layout.shape, order }, ([t]) => build.tf.softmax(t!)),
    );
  },
  Transpose: (build, node) => {
    const x = build.live(node.inputs[0]!);
    const { shape, order } = x.layout;
    const perm = node.attrs.perm ?? shape.map((_, i) => shape.length - 1 - i);
    // The memory stays; its axes have other names.
    build.define(node.outputs[0]!, { slot: x.slot, layout: { shape: perm.map((axis) => shape[axis]!), order: order.map((axis) => perm.indexOf(axis)) } });
  },
  Reshape: (build, node) => {
    const x = build.live(node.inputs[0]!);
    build.define(node.outputs[0]!, reshape(build, x, askedShape(build, node, x.layout.shape)));
  },
  Flatten: reshaped((_, node, shape) => {
    const axis = node.op === 'Flatten' ? wrap(node.attrs.axis, shape.length) : 0;
    const product = (list: readonly number[]): number => list.reduce((a, b) => a * b, 1);
    return [product(shape.slice(0, axis)), product(shape.slice(axis))];
  }),
  Concat: writeConcat,
  Slice: writeSlice,
  Resize: writeResize,
};
