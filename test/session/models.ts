// Small models for tests of sessions, as the bytes of ONNX files.
import type { NumericDType } from '../../src/core/dtype.ts';
import { tensorFrom } from '../../src/core/tensor.ts';
import { exportModel } from '../../src/formats/onnx/export.ts';
import { constantOf, tensorType } from '../../src/graph/graph.ts';
import type { Dim, Graph, Node, Value } from '../../src/graph/graph.ts';
import type { DType } from '../../src/core/dtype.ts';
import { listDevices } from '../../src/index.ts';

const found = (await listDevices()).flatMap(({ name, family, availability }) => (availability.ok ? [{ name, family, isVirtual: availability.isVirtual === true }] : []));

/** Devices that work here, the reference among them; of virtual chips the first of each family, because the others share all but names with it. */
export const devices: readonly string[] = found
  .filter((device) => !device.isVirtual || device === found.find((other) => other.isVirtual && other.family === device.family))
  .map(({ name }) => name);

export const valueOf = (name: string, dtype: DType, shape: readonly Dim[]): Value => ({ name, type: tensorType(dtype, shape) });

const modelOf = (graph: Omit<Graph, 'name' | 'constants'> & Partial<Graph>): Uint8Array => exportModel({ name: 'small', constants: new Map(), ...graph });

/** y = x + x, and z = -x. */
export function doubling(dtype: NumericDType = 'f32', shape: readonly Dim[] = ['n']): Uint8Array {
  const [x, y, z] = [valueOf('x', dtype, shape), valueOf('y', dtype, shape), valueOf('z', dtype, shape)];
  const nodes: Node[] = [
    { op: 'Add', name: 'add', attrs: {}, inputs: [x, x], outputs: [y] },
    { op: 'Neg', name: 'neg', attrs: {}, inputs: [x], outputs: [z] },
  ];
  return modelOf({ inputs: [x], outputs: [y, z], nodes });
}

/** y = x. */
export function passing(dtype: DType, shape: readonly Dim[] = ['n']): Uint8Array {
  const [x, y] = [valueOf('x', dtype, shape), valueOf('y', dtype, shape)];
  return modelOf({ inputs: [x], outputs: [y], nodes: [{ op: 'Identity', name: 'same', attrs: {}, inputs: [x], outputs: [y] }] });
}

/** y = x + bias, where bias may be fed and is 10 otherwise; and a constant output. */
export function withDefault(): Uint8Array {
  const [x, bias, y, fixed] = [valueOf('x', 'f32', [2]), valueOf('bias', 'f32', [1]), valueOf('y', 'f32', [2]), valueOf('fixed', 'f32', [1])];
  const seven: Value = { name: 'seven', type: undefined };
  const nodes: Node[] = [
    { op: 'Add', name: 'add', attrs: {}, inputs: [x, bias], outputs: [y] },
    { op: 'Identity', name: 'same', attrs: {}, inputs: [seven], outputs: [fixed] },
  ];
  const constants = new Map([
    [bias, constantOf(tensorFrom('f32', [1], [10]))],
    [seven, constantOf(tensorFrom('f32', [1], [7]))],
  ]);
  return modelOf({ inputs: [x, bias], outputs: [y, fixed], nodes, constants });
}

/** What strings do stays on the host: y = 2 · f(x · W) · W, where f writes numbers as text and reads them again, between two device programs. */
export function throughText(size = 4): Uint8Array {
  const shape = ['n', size] as const;
  const [x, y, a, b, c] = [valueOf('x', 'f32', shape), valueOf('y', 'f32', shape), valueOf('a', 'f32', shape), valueOf('b', 'f32', shape), valueOf('c', 'f32', shape)];
  const [w, text] = [valueOf('w', 'f32', [size, size]), valueOf('text', 'string', shape)];
  const nodes: Node[] = [
    { op: 'MatMul', name: 'before', attrs: {}, inputs: [x, w], outputs: [a] },
    { op: 'Cast', name: 'write', attrs: { to: 8, saturate: 1, round_mode: 'up' }, inputs: [a], outputs: [text] },
    { op: 'Cast', name: 'read', attrs: { to: 1, saturate: 1, round_mode: 'up' }, inputs: [text], outputs: [b] },
    { op: 'MatMul', name: 'after', attrs: {}, inputs: [b, w], outputs: [c] },
    { op: 'Add', name: 'twice', attrs: {}, inputs: [c, c], outputs: [y] },
  ];
  // A permutation, so that the answer is known: x with its columns turned round, twice, doubled.
  const turned = Array.from({ length: size * size }, (_, i) => (Math.floor(i / size) + (i % size) === size - 1 ? 1 : 0));
  return modelOf({ inputs: [x], outputs: [y], nodes, constants: new Map([[w, constantOf(tensorFrom('f32', [size, size], turned))]]) });
}

/** Shapes that depend on data, twice over: where the places of numbers that are not zero are not zero, negated. */
export function placesOfPlaces(): Uint8Array {
  const [x, places, again, y] = [valueOf('x', 'f32', ['n']), valueOf('places', 'i64', [1, 'a']), valueOf('again', 'i64', [2, 'b']), valueOf('y', 'i64', [2, 'b'])];
  const nodes: Node[] = [
    { op: 'NonZero', name: 'once', attrs: {}, inputs: [x], outputs: [places] },
    { op: 'NonZero', name: 'twice', attrs: {}, inputs: [places], outputs: [again] },
    { op: 'Neg', name: 'negate', attrs: {}, inputs: [again], outputs: [y] },
  ];
  return modelOf({ inputs: [x], outputs: [y], nodes });
}

/** Control flow whose result is what a run brings, under another name: looped = x after no step at all, chosen = x by a branch. Both are strings. */
export function passedThrough(): Uint8Array {
  const [x, looped, chosen] = [valueOf('x', 'string', ['n']), valueOf('looped', 'string', ['n']), valueOf('chosen', 'string', ['n'])];
  const [step, going, state] = [valueOf('step', 'i64', []), valueOf('going', 'bool', []), valueOf('state', 'string', ['n'])];
  const [none, always] = [valueOf('none', 'i64', []), valueOf('always', 'bool', [])];
  const body: Graph = { name: 'body', inputs: [step, going, state], outputs: [going, state], nodes: [], constants: new Map() };
  const branch: Graph = { name: 'branch', inputs: [], outputs: [x], nodes: [], constants: new Map() };
  const nodes: Node[] = [
    { op: 'Loop', name: 'loop', attrs: { body }, inputs: [none, null, x], outputs: [looped] },
    { op: 'If', name: 'if', attrs: { then_branch: branch, else_branch: branch }, inputs: [always], outputs: [chosen] },
  ];
  const constants = new Map([
    [none, constantOf(tensorFrom('i64', [], [0]))],
    [always, constantOf(tensorFrom('bool', [], [1]))],
  ]);
  return modelOf({ inputs: [x], outputs: [looped, chosen], nodes, constants });
}
