// Models made to harm or to confuse: each gets one AnychipError with the right code and a hint, soon, and without the memory it asks for.
import { describe, expect, test } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import type { HostValue } from '../../src/graph/graph.ts';
import { seededFeeds } from '../../src/session/feeds.ts';
import { openModel } from '../../src/session/create.ts';
import { flag, float, floats, graphAttr, info, int, integers, ints, longs, model, node, rawFloats, seedModels, truth } from './models.ts';
import type { AttrInit, NodeInit, TensorInit } from './models.ts';

const MAX_MEMORY_BYTES = 64 * 2 ** 20;

async function run(bytes: Uint8Array, device = 'reference'): Promise<Map<string, HostValue>> {
  const imported = importModel(bytes);
  const { values } = seededFeeds(imported.graph, new Map(), {}, 0, MAX_MEMORY_BYTES);
  const session = await openModel(imported, { executionProviders: [device], maxMemoryBytes: MAX_MEMORY_BYTES });
  try {
    return await session.runValues(values);
  } finally {
    await session.release();
  }
}

async function errorOf(bytes: Uint8Array, device?: string): Promise<AnychipError> {
  const error = await run(bytes, device).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof AnychipError)) throw error instanceof Error ? error : new AnychipError('mismatch', `it ran, or threw ${String(error)}`);
  return error;
}

/** x: f32 [2, 3] through `nodes` to y. */
const around = (nodes: readonly NodeInit[], initializer: readonly TensorInit[] = []): Uint8Array =>
  model({ name: 'g', input: [info('x', [2, 3])], output: [info('y', undefined)], node: [...nodes], initializer: [...initializer] });
const one = (op: string, inputs: readonly string[], attributes: readonly AttrInit[], initializer: readonly TensorInit[]): Uint8Array =>
  around([node(op, inputs, ['y'], attributes)], initializer);
const added = (initializer: TensorInit): Uint8Array => one('Add', ['x', 'c'], [], [{ ...initializer, name: 'c' }]);

const HUGE = 2n ** 62n;
const nested = (depth: number): NodeInit => {
  const inner = depth === 0 ? node('Identity', ['x'], ['o0']) : nested(depth - 1);
  const branch = (name: string): AttrInit =>
    graphAttr(name, { name, node: name === 'then_branch' ? [inner] : [node('Identity', ['x'], [`o${depth}`])], output: [info(`o${depth === 0 ? 0 : depth - 1}`, undefined)] });
  return node('If', ['t'], [`o${depth}`], [branch('then_branch'), graphAttr('else_branch', { name: 'e', node: [node('Identity', ['x'], ['z'])], output: [info('z', undefined)] })]);
};
const loop = (trips: readonly TensorInit[], inputs: readonly string[], output = 'w'): Uint8Array =>
  around(
    [
      node(
        'Loop',
        inputs,
        ['y'],
        [
          graphAttr('body', {
            name: 'b',
            input: [integers('i', []), flag('on'), info('v', undefined)],
            node: [node('Identity', ['on'], ['off']), node('Concat', ['v', 'v'], ['twice'], [int('axis', 0)]), node('Identity', ['v'], ['w'])],
            output: [flag('off'), info(output, undefined)],
          }),
        ],
      ),
    ],
    trips,
  );

const doubling = (levels: number): Uint8Array =>
  model(
    { name: 'g', input: [info('x', [1])], output: [info('y', [1])], node: [{ ...node(`f${levels}`, ['x'], ['y']), domain: 'local' }] },
    {
      functions: Array.from({ length: levels + 1 }, (_, i) => ({
        name: `f${i}`,
        domain: 'local',
        input: ['a'],
        output: ['c'],
        opsetImport: [{ domain: '', version: 21n }],
        node:
          i === 0
            ? [node('Neg', ['a'], ['c'])]
            : [
                { ...node(`f${i - 1}`, ['a'], ['b']), domain: 'local' },
                { ...node(`f${i - 1}`, ['b'], ['c']), domain: 'local' },
              ],
      })),
    },
  );
const recursive = model(
  { name: 'g', input: [info('x', [1])], output: [info('y', [1])], node: [{ ...node('f', ['x'], ['y']), domain: 'local' }] },
  { functions: [{ name: 'f', domain: 'local', input: ['a'], output: ['b'], node: [{ ...node('f', ['a'], ['b']), domain: 'local' }] }] },
);

const cases: Readonly<Record<string, readonly [code: string, message: RegExp, bytes: Uint8Array]>> = {
  'nothing at all': ['bad-file', /graph/, new Uint8Array()],
  text: ['bad-file', /not an ONNX model|no graph/, new TextEncoder().encode('hello, world')],
  'a model without a version': ['bad-file', /IR version/, model({ name: 'g' }, { irVersion: 0 })],
  'a length that leaves the file': ['bad-file', /not an ONNX model/, Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f)],
  'a negative dimension of a constant': ['bad-model', /dimension of -1/, added({ dims: [-1n], dataType: 1 })],
  'dimensions whose product overflows': ['limit', /shape/, added({ dims: [HUGE, HUGE], dataType: 1 })],
  'a dimension beyond all memory beside a zero': ['limit', /shape/, added({ dims: [0n, HUGE], dataType: 1 })],
  'raw data that is too short': ['bad-model', /raw_data of 8 bytes where 12/, added({ ...rawFloats('c', [3], [1, 2]), dims: [3n] })],
  'raw data that is too long': ['bad-model', /raw_data of 16 bytes where 12/, added({ ...rawFloats('c', [3], [1, 2, 3, 4]), dims: [3n] })],
  'typed data that is too short': ['bad-model', /2 values/, added({ ...floats('c', [3], [1, 2]) })],
  'raw and typed data at once': ['bad-model', /twice|both/, added({ ...rawFloats('c', [3], [1, 2, 3]), floatData: [4, 5, 6] })],
  'complex numbers': ['unsupported', /element type 14/, added({ dims: [1n], dataType: 14, floatData: [1, 2] })],
  'an element type that is none': ['unsupported', /element type 77/, added({ dims: [1n], dataType: 77 })],
  'external data in a model without a folder': ['bad-file', /another file/, added({ dims: [3n], dataType: 1, dataLocation: 1, externalData: [{ key: 'location', value: 'w' }] })],
  'two values of one name': ['bad-model', /'y'/, around([node('Neg', ['x'], ['y']), node('Abs', ['x'], ['y'])])],
  'a cycle': ['bad-model', /cycle/, around([node('Add', ['x', 'b'], ['a']), node('Neg', ['a'], ['b']), node('Neg', ['b'], ['y'])])],
  'a node that reads itself': ['bad-model', /cycle/, around([node('Add', ['x', 'y'], ['y'])])],
  'an input that nobody makes': ['bad-model', /'nowhere'/, around([node('Add', ['x', 'nowhere'], ['y'])])],
  'an output that nobody makes': ['bad-model', /'y' is never computed/, around([node('Neg', ['x'], ['z'])])],
  'unknown operators': [
    'unsupported',
    /2 operator\(s\)[^]*Frobnicate × 2[^]*Twiddle × 1/,
    around([node('Frobnicate', ['x'], ['a']), node('Frobnicate', ['a'], ['b']), node('Twiddle', ['b'], ['y'])]),
  ],
  'an attribute that is missing': ['bad-model', /'axis' is missing/, one('Concat', ['x', 'x'], [], [])],
  'an attribute of another kind': ['bad-model', /'axis' is a float/, one('Concat', ['x', 'x'], [float('axis', 1)], [])],
  'an attribute that is given twice': ['bad-model', /twice/, one('Concat', ['x', 'x'], [int('axis', 0), int('axis', 1)], [])],
  'an attribute that does not exist': ['bad-model', /no attribute 'bogus'/, one('Neg', ['x'], [int('bogus', 1)], [])],
  'too few inputs': ['bad-model', /input 1 \('B'\) is missing/, one('Add', ['x'], [], [])],
  'too many inputs': ['bad-model', /3 inputs/, one('Add', ['x', 'x', 'x'], [], [])],
  'no inputs at all': ['bad-model', /input 0/, one('Max', [], [], [])],
  'an opset below the first': ['bad-model', /version 0/, model({ name: 'g', input: [info('x', [1])], output: [info('y', [1])], node: [node('Neg', ['x'], ['y'])] }, { opset: 0 })],
  'a function that calls itself': ['bad-model', /calls itself/, recursive],
  'functions that multiply': ['limit', /nodes/, doubling(40)],
  'functions nested deep': ['limit', /nested/, doubling(100)],
  'subgraphs nested deep': ['limit', /nested/, around([nested(80), node('Identity', ['o80'], ['y'])], [truth('t', true)])],
  'subgraphs nested deeper than a parser goes': ['limit', /nested/, around([nested(300), node('Identity', ['o300'], ['y'])], [truth('t', true)])],
  'a loop without an end': ['limit', /loops ran/, loop([], ['', '', 'x'])],
  'a loop of 2^62 steps': ['limit', /loops ran/, loop([longs('n', [], [HUGE])], ['n', '', 'x'])],
  'a loop that doubles its state': ['limit', /memory limit|bytes/, loop([], ['', '', 'x'], 'twice')],
  'a loop whose body takes something else': ['bad-model', /body takes 3 inputs where 2/, loop([], ['', ''])],
  'ConstantOfShape of 2^40 elements': ['limit', /./, one('ConstantOfShape', ['s'], [], [longs('s', [2], [2 ** 20, 2 ** 20])])],
  'ConstantOfShape of 2^62 elements': ['limit', /./, one('ConstantOfShape', ['s'], [], [longs('s', [1], [HUGE])])],
  'ConstantOfShape of a negative size': ['shape', /./, one('ConstantOfShape', ['s'], [], [longs('s', [1], [-5])])],
  'Expand to 2^40 elements': ['limit', /./, one('Expand', ['x', 's'], [], [longs('s', [4], [2 ** 20, 2 ** 20, 2, 3])])],
  'Tile 2^40 times': ['limit', /./, one('Tile', ['x', 's'], [], [longs('s', [2], [2 ** 20, 2 ** 20])])],
  'Pad by 2^40': ['limit', /./, one('Pad', ['x', 's'], [], [longs('s', [4], [0, 0, 0, 2 ** 40])])],
  'Range of 2^40': ['limit', /./, one('Range', ['a', 'b', 'c'], [], [longs('a', [], [0]), longs('b', [], [2 ** 40]), longs('c', [], [1])])],
  'Range that never arrives': ['shape', /./, one('Range', ['a', 'b', 'c'], [], [longs('a', [], [0]), longs('b', [], [5]), longs('c', [], [0])])],
  'Resize to 2^40': ['limit', /./, one('Resize', ['x', '', '', 's'], [], [longs('s', [2], [2 ** 20, 2 ** 20])])],
  'OneHot of 2^40': ['limit', /./, one('OneHot', ['i', 'd', 'v'], [], [longs('i', [2], [0, 1]), longs('d', [], [2 ** 40]), floats('v', [2], [0, 1])])],
  'EyeLike and a broadcast that explode': [
    'limit',
    /./,
    one(
      'Add',
      ['a', 'b'],
      [],
      [
        rawFloats(
          'a',
          [8192, 1],
          Array.from({ length: 8192 }, () => 1),
        ),
        rawFloats(
          'b',
          [1, 8192],
          Array.from({ length: 8192 }, () => 1),
        ),
      ],
    ),
  ],
  'a product that explodes': [
    'limit',
    /./,
    one(
      'MatMul',
      ['a', 'b'],
      [],
      [
        rawFloats(
          'a',
          [8192, 1],
          Array.from({ length: 8192 }, () => 1),
        ),
        rawFloats(
          'b',
          [1, 8192],
          Array.from({ length: 8192 }, () => 1),
        ),
      ],
    ),
  ],
  'a comparison that explodes': [
    'limit',
    /./,
    one(
      'Less',
      ['a', 'b'],
      [],
      [
        rawFloats(
          'a',
          [16384, 1],
          Array.from({ length: 16384 }, () => 1),
        ),
        rawFloats(
          'b',
          [1, 16384],
          Array.from({ length: 16384 }, () => 1),
        ),
      ],
    ),
  ],
  'a convolution with a stride of zero': ['shape', /./, one('Conv', ['c', 'w'], [ints('strides', [0])], [floats('c', [1, 1, 4], [1, 2, 3, 4]), floats('w', [1, 1, 1], [1])])],
  'a permutation that is none': ['shape', /./, one('Transpose', ['x'], [ints('perm', [0, 0])], [])],
  'an axis outside the tensor': ['shape', /axis 7/, one('Concat', ['x', 'x'], [int('axis', 7)], [])],
  'an index outside the tensor': ['run', /index/, one('Gather', ['x', 'i'], [int('axis', 0)], [longs('i', [1], [99])])],
  'an input of 2^40 elements': ['limit', /./, model({ name: 'g', input: [info('x', [2 ** 20, 2 ** 20])], output: [info('y', undefined)], node: [node('Neg', ['x'], ['y'])] })],
};

describe('hostile models', () => {
  for (const [name, [code, message, bytes]] of Object.entries(cases)) {
    test(name, { timeout: 20_000 }, async () => {
      const error = await errorOf(bytes);
      expect({ code: error.code, message: error.message }).toEqual({ code, message: expect.stringMatching(message) });
      expect(error.hint ?? '').not.toBe('');
    });
  }
});

describe('truncated models', () => {
  for (const [name, bytes] of seedModels()) {
    test(`${name}, cut off anywhere`, async () => {
      for (let length = 0; length < bytes.length; length += Math.max(1, Math.floor(bytes.length / 40))) {
        const cut = bytes.slice(0, length);
        let thrown: unknown;
        try {
          importModel(cut);
        } catch (error) {
          thrown = error;
        }
        expect(thrown).toBeInstanceOf(AnychipError);
        expect(thrown instanceof AnychipError && thrown.code !== 'internal').toBe(true);
      }
    });
  }

  test('whole, they run', async () => {
    for (const bytes of seedModels().values()) await run(bytes);
  });
});
