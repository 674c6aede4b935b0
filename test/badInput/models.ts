// Small ONNX files made by hand: seeds of the fuzzer, and the ground on which tests of hostile models build.
import { create, toBinary } from '@bufbuild/protobuf';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { ModelProtoSchema } from '../formats/generated/onnx_pb.ts';
import type { AttributeProtoSchema, FunctionProtoSchema, GraphProtoSchema, NodeProtoSchema, TensorProtoSchema, ValueInfoProtoSchema } from '../formats/generated/onnx_pb.ts';

export type NodeInit = MessageInitShape<typeof NodeProtoSchema>;
export type GraphInit = MessageInitShape<typeof GraphProtoSchema>;
export type TensorInit = MessageInitShape<typeof TensorProtoSchema>;
export type AttrInit = MessageInitShape<typeof AttributeProtoSchema>;
type ValueInfo = MessageInitShape<typeof ValueInfoProtoSchema>;

const FLOAT = 1;
const INT64 = 7;
const BOOL = 9;

export const info = (name: string, dims: readonly (number | string)[] | undefined, elemType = FLOAT): ValueInfo => ({
  name,
  type: {
    tensorType: {
      elemType,
      ...(dims === undefined ? {} : { shape: { dim: dims.map((d) => (typeof d === 'number' ? { dimValue: BigInt(d) } : { dimParam: d })) } }),
    },
  },
});
export const flag = (name: string): ValueInfo => info(name, [], BOOL);
export const integers = (name: string, dims: readonly number[] | undefined): ValueInfo => info(name, dims, INT64);

export const node = (opType: string, input: readonly string[], output: readonly string[], attribute: readonly AttrInit[] = []): NodeInit => ({
  opType,
  name: `${opType} ${output[0] ?? ''}`,
  input: [...input],
  output: [...output],
  attribute: [...attribute],
});

export const int = (name: string, i: number | bigint): AttrInit => ({ name, type: 2, i: BigInt(i) });
export const ints = (name: string, values: readonly number[]): AttrInit => ({ name, type: 7, ints: values.map(BigInt) });
export const float = (name: string, f: number): AttrInit => ({ name, type: 1, f });
export const graphAttr = (name: string, g: GraphInit): AttrInit => ({ name, type: 5, g });

export const floats = (name: string, dims: readonly number[], values: readonly number[]): TensorInit => ({ name, dims: dims.map(BigInt), dataType: FLOAT, floatData: [...values] });
export const longs = (name: string, dims: readonly number[], values: readonly (number | bigint)[]): TensorInit => ({
  name,
  dims: dims.map(BigInt),
  dataType: INT64,
  int64Data: values.map(BigInt),
});
export const truth = (name: string, value: boolean): TensorInit => ({ name, dims: [], dataType: BOOL, int32Data: [value ? 1 : 0] });
export const rawFloats = (name: string, dims: readonly number[], values: readonly number[]): TensorInit => ({
  name,
  dims: dims.map(BigInt),
  dataType: FLOAT,
  rawData: new Uint8Array(Float32Array.from(values).buffer),
});

export interface ModelInit {
  readonly functions?: readonly MessageInitShape<typeof FunctionProtoSchema>[];
  readonly irVersion?: number;
  readonly opset?: number;
}

export function model(graph: GraphInit, { functions = [], irVersion = 10, opset = 21 }: ModelInit = {}): Uint8Array {
  const opsetImport = [{ domain: '', version: BigInt(opset) }, ...(functions.length > 0 ? [{ domain: 'local', version: 1n }] : [])];
  return toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: BigInt(irVersion), opsetImport, graph, functions: [...functions] }));
}

const ramp = (count: number): number[] => Array.from({ length: count }, (_, i) => ((i * 37) % 19) / 19 - 0.5);

/** A convolution network, shape arithmetic, an If, a Loop, a Scan, an LSTM, a function and constants in every encoding. */
export function seedModels(): Map<string, Uint8Array> {
  const convNet = model({
    name: 'conv',
    input: [info('x', ['batch', 2, 8, 8])],
    output: [info('y', ['batch', 3])],
    initializer: [rawFloats('w', [4, 2, 3, 3], ramp(72)), floats('b', [4], ramp(4)), floats('k', [4, 3], ramp(12)), longs('flat', [2], [0, -1])],
    node: [
      node('Conv', ['x', 'w', 'b'], ['c'], [ints('pads', [1, 1, 1, 1]), ints('strides', [2, 2])]),
      node('Relu', ['c'], ['r']),
      node('GlobalAveragePool', ['r'], ['g']),
      node('Reshape', ['g', 'flat'], ['f']),
      node('MatMul', ['f', 'k'], ['m']),
      node('Softmax', ['m'], ['y'], [int('axis', -1)]),
    ],
  });
  const shapes = model({
    name: 'shapes',
    input: [info('x', [2, 'n', 4])],
    output: [info('y', undefined)],
    initializer: [
      longs('one', [1], [1]),
      longs('two', [], [2]),
      longs('ax', [1], [2]),
      longs('zero', [], [0]),
      longs('pads', [6], [0, 0, 1, 0, 0, 1]),
      longs('reps', [3], [1, 2, 1]),
    ],
    node: [
      node('Shape', ['x'], ['s']),
      node('Gather', ['s', 'two'], ['d'], [int('axis', 0)]),
      node('Range', ['zero', 'd', 'two'], ['i']),
      node('Gather', ['x', 'i'], ['g'], [int('axis', 2)]),
      node('Pad', ['g', 'pads'], ['p']),
      node('Tile', ['p', 'reps'], ['t']),
      node('Slice', ['t', 'one', 'two_v', 'ax'], ['sl']),
      node('Unsqueeze', ['sl', 'one'], ['u']),
      node('Concat', ['u', 'u'], ['cc'], [int('axis', 1)]),
      node('Constant', [], ['two_v'], [ints('value_ints', [3])]),
      node('ReduceSum', ['cc', 'ax'], ['y'], [int('keepdims', 0)]),
    ],
  });
  const control = model({
    name: 'control',
    input: [info('x', [3]), flag('c')],
    output: [info('y', [3]), info('z', undefined)],
    initializer: [longs('n', [], [4]), truth('go', true), floats('half', [], [0.5])],
    node: [
      node(
        'If',
        ['c'],
        ['i'],
        [
          graphAttr('then_branch', { name: 't', node: [node('Add', ['x', 'half'], ['a'])], output: [info('a', [3])] }),
          graphAttr('else_branch', { name: 'e', node: [node('Mul', ['x', 'half'], ['b'])], output: [info('b', [3])] }),
        ],
      ),
      node(
        'Loop',
        ['n', 'go', 'i'],
        ['y', 'z'],
        [
          graphAttr('body', {
            name: 'l',
            input: [integers('step', []), flag('on'), info('v', [3])],
            node: [node('Add', ['v', 'x'], ['w']), node('Identity', ['on'], ['off']), node('ReduceMax', ['w'], ['m'], [int('keepdims', 0)])],
            output: [flag('off'), info('w', [3]), info('m', [])],
          }),
        ],
      ),
    ],
  });
  const recurrent = model({
    name: 'recurrent',
    input: [info('x', [4, 1, 2])],
    output: [info('y', undefined), info('s', undefined)],
    initializer: [floats('w', [1, 12, 2], ramp(24)), floats('r', [1, 12, 3], ramp(36)), floats('h', [2], [0, 0])],
    node: [
      node('LSTM', ['x', 'w', 'r'], ['y', '', ''], [int('hidden_size', 3)]),
      node('Squeeze', ['x', 'one'], ['q']),
      node('Constant', [], ['one'], [{ name: 'value', type: 4, t: longs('', [1], [1]) }]),
      node(
        'Scan',
        ['h', 'q'],
        ['e', 's'],
        [
          graphAttr('body', {
            name: 'b',
            input: [info('h_in', [2]), info('e_in', [2])],
            node: [node('Add', ['h_in', 'e_in'], ['h_out']), node('Tanh', ['h_out'], ['o'])],
            output: [info('h_out', [2]), info('o', [2])],
          }),
          int('num_scan_inputs', 1),
        ],
      ),
    ],
  });
  const functions = model(
    {
      name: 'calls',
      input: [info('x', [2, 3])],
      output: [info('y', [2, 3])],
      node: [
        { ...node('Twice', ['x'], ['t'], [float('by', 2)]), domain: 'local' },
        { ...node('Twice', ['t'], ['y']), domain: 'local' },
      ],
    },
    {
      functions: [
        {
          name: 'Twice',
          domain: 'local',
          input: ['a'],
          output: ['b'],
          attributeProto: [float('by', 3)],
          opsetImport: [{ domain: '', version: 21n }],
          node: [
            { opType: 'Constant', name: 'k', output: ['k'], attribute: [{ name: 'value_float', refAttrName: 'by', type: 1 }] },
            node('Mul', ['a', 'k'], ['m']),
            node('Add', ['m', 'a'], ['b']),
          ],
        },
      ],
    },
  );
  return new Map(Object.entries({ convNet, shapes, control, recurrent, functions }));
}
