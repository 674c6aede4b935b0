// Models of one operator each, in the shapes in which real networks use it. It must not know who runs them.
import { dtypes } from '../../src/core/dtype.ts';
import type { NumericDType } from '../../src/core/dtype.ts';
import { elementCount } from '../../src/core/shape.ts';
import type { Shape } from '../../src/core/shape.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import type { NumericTensor } from '../../src/core/tensor.ts';
import { codeOfDType } from '../../src/graph/onnxTypes.ts';
import type { OnnxAttrs, OnnxOpName } from '../../src/graph/ops.ts';
import { Net } from './net.ts';
import type { Built } from './net.ts';

/** A tensor that a run brings, or one that the model holds. */
type Input = { readonly dtype: NumericDType; readonly shape: Shape } | NumericTensor;

export interface OpModel {
  readonly name: string;
  readonly group: string;
  readonly build: () => Built;
}

const f32 = (...shape: number[]): Input => ({ dtype: 'f32', shape });
const of = (dtype: NumericDType, ...shape: number[]): Input => ({ dtype, shape });
const i64 = (...values: number[]): Input => tensorFrom('i64', [values.length], values.map(BigInt));
const weights = (...shape: number[]): Input =>
  tensorFrom(
    'f32',
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => ((i * 37) % 100) / 100 + 0.1),
  );

type Unnamed = Omit<OpModel, 'group'>;

/** `title` says what the shapes do not. An empty input is an optional one that is left out. */
function model<O extends OnnxOpName>(op: O, title: string, inputs: readonly (Input | '')[], attrs: Partial<OnnxAttrs[O]> = {}, outputs = 1): Unnamed {
  const shapes = inputs.flatMap((input) => (input === '' || 'data' in input ? [] : [`${input.dtype === 'f32' ? '' : input.dtype}${input.shape.join('×')}`]));
  const name = [op, title, ...shapes].filter((part) => part !== '').join(' ');
  const build = (): Built => {
    const net = new Net(op);
    const values = inputs.map((input, i) => (input === '' ? null : 'data' in input ? net.constant(input) : net.input(`x${i}`, input.dtype, input.shape)));
    net.results(net.ops(outputs, op, values, attrs));
    return net.build();
  };
  return { name, build };
}

const products = (): Unnamed[] => [256, 512, 1024, 2048].map((n) => model('MatMul', '', [f32(n, n), f32(n, n)]));

const conv = (title: string, channels: number, size: number, filters: number, kernel: number, stride = 1, group = 1): Unnamed =>
  model('Conv', title, [f32(1, channels, size, size), weights(filters, channels / group, kernel, kernel), weights(filters)], {
    kernel_shape: [kernel, kernel],
    pads: Array.from({ length: 4 }, () => (kernel - 1) >> 1),
    strides: [stride, stride],
    group,
  });

/** Layers of image nets, from the first, which is wide and shallow, to the last, which is narrow and deep. */
const convs = (): Unnamed[] => [
  conv('first', 3, 224, 64, 7, 2),
  conv('3×3', 64, 224, 64, 3),
  conv('3×3', 256, 56, 256, 3),
  conv('3×3', 512, 28, 512, 3),
  conv('3×3', 64, 56, 64, 3),
  conv('3×3', 128, 28, 128, 3),
  conv('3×3', 256, 14, 256, 3),
  conv('3×3', 512, 7, 512, 3),
  conv('3×3/2', 128, 56, 128, 3, 2),
  conv('1×1', 64, 56, 256, 1),
  conv('1×1', 512, 28, 128, 1),
  conv('1×1', 1024, 14, 256, 1),
  conv('1×1', 2048, 7, 512, 1),
  conv('1×1/2', 256, 56, 512, 1, 2),
  conv('depthwise', 144, 56, 144, 3, 1, 144),
  conv('depthwise/2', 144, 56, 144, 3, 2, 144),
  conv('depthwise', 576, 14, 576, 3, 1, 576),
  conv('groups', 240, 28, 240, 1, 1, 3),
];

const pool = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] };

const pools = (): Unnamed[] => [
  model('MaxPool', '3×3/2', [f32(1, 64, 112, 112)], pool),
  model('MaxPool', '2×2/2', [f32(1, 32, 160, 160)], { kernel_shape: [2, 2], strides: [2, 2] }),
  model('MaxPool', '5×5/1', [f32(1, 128, 26, 26)], { kernel_shape: [5, 5], pads: [2, 2, 2, 2] }),
  model('MaxPool', '13×13/1', [f32(1, 128, 13, 13)], { kernel_shape: [13, 13], pads: [6, 6, 6, 6] }),
  model('AveragePool', '3×3/2', [f32(1, 64, 112, 112)], pool),
  model('AveragePool', '2×2/2', [f32(1, 128, 56, 56)], { kernel_shape: [2, 2], strides: [2, 2] }),
  model('GlobalAveragePool', '', [f32(1, 1024, 7, 7)]),
  model('GlobalMaxPool', '', [f32(1, 512, 14, 14)]),
];

const rows = (): Unnamed[] => [
  model('Softmax', 'last', [f32(512, 512)], { axis: -1 }),
  model('Softmax', 'last', [f32(1, 1000)], { axis: -1 }),
  model('Softmax', 'last', [f32(4096, 21)], { axis: -1 }),
  model('Softmax', 'middle', [f32(1, 21, 96, 96)], { axis: 1 }),
  model('LogSoftmax', 'last', [f32(256, 1000)], { axis: -1 }),
  model('LayerNormalization', '', [f32(1, 256, 768), weights(768), weights(768)], { axis: -1 }),
  model('LayerNormalization', '', [f32(64, 65), weights(65), weights(65)], { axis: -1 }),
  model('InstanceNormalization', '', [f32(1, 64, 64, 64), weights(64), weights(64)]),
  model('BatchNormalization', '', [f32(1, 64, 56, 56), weights(64), weights(64), weights(64), weights(64)]),
  model('GroupNormalization', '', [f32(1, 64, 32, 32), weights(64), weights(64)], { num_groups: 8 }),
  model('LpNormalization', 'last', [f32(256, 512)], { axis: -1 }),
];

const reductions = (): Unnamed[] => [
  model('ReduceSum', 'last', [f32(1024, 1024), i64(1)]),
  model('ReduceSum', 'first', [f32(1024, 1024), i64(0)]),
  model('ReduceSum', 'middle', [f32(16, 256, 256), i64(1)]),
  model('ReduceSum', 'all', [f32(1024, 1024)]),
  model('ReduceMean', 'space', [f32(1, 256, 28, 28), i64(2, 3)]),
  model('ReduceMax', 'last', [f32(1024, 1024), i64(1)]),
  model('ReduceMax', 'last', [f32(8400, 80), i64(1)]),
  model('ReduceL2', 'last', [f32(1024, 512), i64(1)]),
  model('ReduceSum', 'last', [of('i32', 512, 512), i64(1)]),
  model('ArgMax', 'last', [f32(1024, 1000)], { axis: -1 }),
  model('ArgMax', 'channels', [f32(1, 21, 128, 128)], { axis: 1 }),
  model('TopK', '', [f32(16, 1000), i64(5)], { axis: -1 }, 2),
  model('CumSum', 'last', [f32(512, 512), tensorFrom('i64', [], [1n])]),
  model('CumSum', 'first', [f32(512, 512), tensorFrom('i64', [], [0n])]),
];

const moves = (): Unnamed[] => [
  model('Transpose', '', [f32(1024, 1024)], { perm: [1, 0] }),
  model('Transpose', 'NCHW→NHWC', [f32(1, 64, 112, 112)], { perm: [0, 2, 3, 1] }),
  model('Transpose', 'NHWC→NCHW', [f32(1, 112, 112, 64)], { perm: [0, 3, 1, 2] }),
  model('Transpose', 'NHWC→NCHW', [f32(1, 416, 416, 3)], { perm: [0, 3, 1, 2] }),
  model('Transpose', 'heads', [f32(1, 256, 12, 64)], { perm: [0, 2, 1, 3] }),
  model('Transpose', '', [of('u8', 1024, 1024)], { perm: [1, 0] }),
  model('Concat', 'channels', [f32(1, 128, 28, 28), f32(1, 128, 28, 28)], { axis: 1 }),
  model('Concat', 'last', [f32(512, 64), f32(512, 128)], { axis: 1 }),
  model('Split', 'channels', [f32(1, 256, 28, 28), i64(128, 128)], { axis: 1 }, 2),
  model('Split', 'last', [f32(512, 768), i64(256, 256, 256)], { axis: 1 }, 3),
  model('Slice', 'step 2', [f32(1, 3, 640, 640), i64(0), i64(640), i64(3), i64(2)]),
  model('Slice', 'rows', [f32(512, 512), i64(128), i64(384), i64(1)]),
  model('Pad', '1', [f32(1, 64, 56, 56), i64(0, 0, 1, 1, 0, 0, 1, 1)]),
  model('Expand', '', [f32(256, 1), i64(256, 256)]),
  model('Tile', '', [f32(64, 256), i64(4, 2)]),
  model('DepthToSpace', '2', [f32(1, 64, 64, 64)], { blocksize: 2 }),
  model('Gather', 'rows', [f32(1000, 256), i64(...Array.from({ length: 256 }, (_, i) => (i * 37) % 1000))]),
  model('Gather', 'last', [f32(256, 1000), i64(...Array.from({ length: 256 }, (_, i) => (i * 37) % 1000))], { axis: 1 }),
  model('ScatterND', 'rows', [
    f32(1000, 128),
    tensorFrom(
      'i64',
      [64, 1],
      Array.from({ length: 64 }, (_, i) => BigInt((i * 37) % 1000)),
    ),
    f32(64, 128),
  ]),
  model('Resize', 'nearest ×2', [f32(1, 128, 26, 26), '', tensorFrom('f32', [4], [1, 1, 2, 2])], {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  }),
  model('Resize', 'linear ×2', [f32(1, 64, 40, 40), '', tensorFrom('f32', [4], [1, 1, 2, 2])], { mode: 'linear' }),
  model('Resize', 'linear 1.5', [f32(1, 3, 240, 320), '', '', i64(1, 3, 360, 480)], { mode: 'linear' }),
];

const pointwise = (): Unnamed[] => [
  model('Add', '', [f32(1 << 18), f32(1 << 18)]),
  model('Add', '', [f32(1 << 12), f32(1 << 12)]),
  model('Add', 'channels', [f32(1, 64, 112, 112), weights(1, 64, 1, 1)]),
  model('Mul', 'last', [f32(1024, 768), f32(768)]),
  model('Mul', 'outer', [f32(1024, 1), f32(1, 1024)]),
  model('PRelu', 'channels', [f32(1, 64, 56, 56), weights(64, 1, 1)]),
  ...(['Relu', 'Sigmoid', 'Tanh', 'Exp', 'Erf', 'Gelu', 'HardSwish', 'Mish', 'Softplus', 'Sqrt', 'Log', 'Sin', 'Reciprocal'] as const).map((op) => model(op, '', [f32(1 << 16)])),
  model('LeakyRelu', '', [f32(1 << 16)], { alpha: 0.1 }),
  model('Clip', '', [f32(1 << 16), tensorFrom('f32', [], [0.1]), tensorFrom('f32', [], [0.6])]),
  model('Pow', '2', [f32(1 << 16), tensorFrom('f32', [], [2])]),
  model('Pow', '0.5', [f32(1 << 16), tensorFrom('f32', [], [0.5])]),
  model('Where', '', [of('bool', 1 << 16), f32(1 << 16), f32(1 << 16)]),
  model('Less', '', [f32(1 << 16), f32(1 << 16)]),
  model('And', '', [of('bool', 1 << 16), of('bool', 1 << 16)]),
  model('Add', '', [of('i64', 1 << 16), of('i64', 1 << 16)]),
  model('Div', '', [of('i32', 1 << 16), tensorFrom('i32', [], [7])]),
  model('Relu', '', [of('f64', 1 << 16)]),
];

const cast = (from: NumericDType, to: NumericDType): Unnamed => model('Cast', `to ${to}`, [of(from, 1 << 16)], { to: codeOfDType(to) });
const conversions = (): Unnamed[] => [
  cast('f32', 'f16'),
  cast('f16', 'f32'),
  cast('u8', 'f32'),
  cast('f32', 'u8'),
  cast('f32', 'i32'),
  cast('i64', 'f32'),
  cast('f32', 'i64'),
  cast('bool', 'f32'),
  cast('f32', 'bool'),
  model('QuantizeLinear', 'u8', [f32(1 << 16), tensorFrom('f32', [], [0.01]), tensorFrom('u8', [], [3])]),
  model('DequantizeLinear', 'u8', [of('u8', 1 << 16), tensorFrom('f32', [], [0.01]), tensorFrom('u8', [], [3])]),
];

const one = (dtype: NumericDType, value: number): Input => tensorFrom(dtype, [], [value]);
const bytes = (dtype: 'u8' | 'i8', ...shape: number[]): Input =>
  tensorFrom(
    dtype,
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => ((i * 37) % 251) - (dtype === 'i8' ? 125 : 0)),
  );
const quantisedConv = (title: string, channels: number, size: number, filters: number, kernel: number, group = 1): Unnamed =>
  model(
    'QLinearConv',
    title,
    [
      of('u8', 1, channels, size, size),
      one('f32', 0.02),
      one('u8', 7),
      bytes('i8', filters, channels / group, kernel, kernel),
      one('f32', 0.01),
      one('i8', 0),
      one('f32', 0.5),
      one('u8', 128),
    ],
    { kernel_shape: [kernel, kernel], pads: Array.from({ length: 4 }, () => (kernel - 1) >> 1), group },
  );
const quantised = (): Unnamed[] => [
  model('MatMulInteger', '', [of('u8', 512, 512), bytes('i8', 512, 512), one('u8', 7)]),
  model('MatMulInteger', '', [of('u8', 128, 768), bytes('i8', 768, 3072), one('u8', 7)]),
  model('MatMulInteger', 'both given', [of('u8', 256, 256), of('u8', 256, 256), one('u8', 7), one('u8', 9)]),
  model('QLinearMatMul', '', [of('u8', 512, 512), one('f32', 0.02), one('u8', 7), bytes('i8', 512, 512), one('f32', 0.01), one('i8', 0), one('f32', 2), one('u8', 128)]),
  quantisedConv('first', 3, 224, 64, 7),
  quantisedConv('3×3', 64, 56, 64, 3),
  quantisedConv('3×3', 256, 14, 256, 3),
  quantisedConv('1×1', 512, 28, 128, 1),
  quantisedConv('depthwise', 144, 56, 144, 3, 144),
];

/** A product with weights that are kept in fewer bits, with a scale and a zero point for each block of rows of a column. */
function weightOnly(dtype: 'u4' | 'i4' | 'u8' | 'i8' | 'f16', rows: number, depth: number, columns: number): Unnamed {
  const block = 32;
  const build = (): Built => {
    const net = new Net('MatMul');
    const x = net.input('x', 'f32', [rows, depth]);
    const scales = [depth / block, columns];
    const spread = 2 ** (dtypes[dtype].bits - 1);
    const halves = (): NumericTensor =>
      tensorFrom(
        'f16',
        [depth, columns],
        Array.from({ length: depth * columns }, (_, i) => ((i * 37) % 101) / 101 - 0.5),
      );
    const w =
      dtype === 'f16'
        ? net.op('Cast', [net.constant(halves())], { to: codeOfDType('f32') })
        : net.op('DequantizeLinear', [net.weight([depth, columns], spread, dtype), net.weight(scales, 0.1), net.weight(scales, 2, dtype)], { axis: 0, block_size: block });
    net.results([net.op('MatMul', [x, w])]);
    return net.build();
  };
  return { name: `MatMul ${dtype} weights ${depth}×${columns} ${rows}×${depth}`, build };
}
const weightOnlyProducts = (): Unnamed[] => [
  weightOnly('u4', 1, 2048, 8192),
  weightOnly('i4', 1, 2048, 8192),
  weightOnly('u4', 4, 2048, 8192),
  weightOnly('u4', 128, 768, 3072),
  weightOnly('i8', 1, 2048, 8192),
  weightOnly('u8', 128, 768, 3072),
  weightOnly('f16', 1, 2048, 2048),
  weightOnly('f16', 128, 768, 3072),
];

const recurrent = (): Unnamed[] => [
  model('LSTM', '1 step', [f32(1, 1, 128), weights(1, 512, 128), weights(1, 512, 128)], { hidden_size: 128 }, 3),
  model('GRU', '8 steps', [f32(8, 1, 128), weights(1, 384, 128), weights(1, 384, 128)], { hidden_size: 128 }, 2),
];

const groups: Readonly<Record<string, readonly (() => Unnamed[])[]>> = {
  products: [products],
  convolutions: [convs],
  operators: [pools, rows, reductions, moves, pointwise, conversions, quantised, weightOnlyProducts, recurrent],
};

export const opModels = (): OpModel[] => Object.entries(groups).flatMap(([group, lists]) => lists.flatMap((list) => list().map((one) => ({ ...one, group }))));
