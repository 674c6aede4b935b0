// The operators of ai.onnx.ml: results that other runtimes are known to give, values by hand, and decompositions against the reference.
import { describe, expect, it } from 'vitest';
import { AnychipError } from '../../src/core/error.ts';
import { intTensor, stringTensor, tensorFrom, toNumbers, toStrings } from '../../src/core/tensor.ts';
import type { HostValue } from '../../src/graph/graph.ts';
import { isTensor } from '../../src/graph/graph.ts';
import { mlUpgrades } from '../../src/formats/onnx/upgrade/ml.ts';
import { createSource, decomposed, expectAgreement, numbers, reference } from './rules.ts';

const random = createSource(17);
const f32 = (shape: readonly number[], values: readonly number[]) => tensorFrom('f32', shape, values);
const strings = (value: HostValue | undefined) => toStrings(value !== undefined && isTensor(value) ? value : f32([0], []));
const transforms = ['NONE', 'LOGISTIC', 'SOFTMAX', 'SOFTMAX_ZERO'];

function expectClose(actual: readonly number[], wanted: readonly number[], digits = 5): void {
  expect(actual).toHaveLength(wanted.length);
  wanted.forEach((v, i) => expect(actual[i], `element ${i}`).toBeCloseTo(v, digits));
}

const samples = f32([8, 3], [1, 0, 0.4, 3, 44, -3, 12, 12.9, -312, 23, 11.3, -222, 23, 11.3, -222, 23, 3311.3, -222, 23, 11.3, -222, 43, 413.3, -114]);

describe('trees', () => {
  const [B, L] = ['BRANCH_LEQ', 'LEAF'];
  const nodes = {
    nodes_treeids: [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2],
    nodes_nodeids: [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5, 6],
    nodes_truenodeids: [1, -1, 3, -1, -1, 1, -1, 3, 4, -1, -1, -1, 1, 2, -1, 4, -1, -1, -1],
    nodes_falsenodeids: [2, -1, 4, -1, -1, 2, -1, 6, 5, -1, -1, -1, 6, 3, -1, 5, -1, -1, -1],
    nodes_featureids: [2, -2, 0, -2, -2, 0, -2, 2, 1, -2, -2, -2, 0, 2, -2, 1, -2, -2, -2],
    nodes_values: [-172, -2, 2.5, -2, -2, 1.5, -2, -62.5, 213.09999084, -2, -2, -2, 27.5, -172, -2, 8.10000038, -2, -2, -2],
    nodes_modes: [B, L, B, L, L, B, L, B, B, L, L, L, B, B, L, B, L, L, L],
  };
  const leaves = { class_treeids: [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], class_nodeids: [1, 3, 4, 1, 4, 5, 6, 2, 4, 5, 6] };
  const four = { ...nodes, ...leaves, class_ids: [2, 0, 1, 0, 2, 3, 1, 2, 0, 1, 3], class_weights: [1, 4, 1, 2, 1, 1, 2, 1, 1, 1, 3], classlabels_int64s: [0, 1, 2, 3] };
  const mixed = [-1, 4, -1, 2, -1, 1, -2, 1, -1, 2, -3];
  const two = { ...nodes, ...leaves, class_ids: mixed.map(() => 0), class_weights: mixed };

  it('vote for classes', () => {
    const call = { op: 'TreeEnsembleClassifier', attrs: four, inputs: [samples], outputs: 2 } as const;
    expect(numbers(call).values).toEqual([0, 1, 2, 2, 2, 2, 2, 3]);
    expect(numbers(call, 1)).toEqual({ shape: [8, 4], values: [7, 0, 0, 0, 0, 4, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 2, 1, 0, 0, 3, 0, 0, 1, 0, 4] });
  });
  it('tell two classes by one score', () => {
    const call = { op: 'TreeEnsembleClassifier', attrs: { ...two, classlabels_strings: ['no', 'yes'] }, inputs: [samples], outputs: 2 } as const;
    expect(strings(reference(call)[0])).toEqual(['yes', 'no', 'no', 'no', 'no', 'yes', 'no', 'no']);
    expect(numbers(call, 1).values).toEqual([-5, 5, 1, -1, 1, -1, 1, -1, 1, -1, -1, 1, 1, -1, 3, -3]);
    expect(decomposed(call)).toMatch(/strings/);
    const single = { ...call, attrs: { ...two, classlabels_int64s: [1] } };
    expect(numbers(single).values).toEqual([1, 0, 0, 0, 0, 1, 0, 0]);
    expect(numbers(single, 1)).toEqual({ shape: [8, 1], values: [5, -1, -1, -1, -1, 1, -1, -3] });
  });
  const members = {
    n_targets: 4,
    membership_values: f32([8], [1.2, 3.7, 8, 9, NaN, 12, 7, NaN]),
    tree_roots: [0],
    nodes_modes: tensorFrom('u8', [3], [0, 6, 6]),
    nodes_featureids: [0, 0, 0],
    nodes_splits: f32([3], [11, 232344, NaN]),
    nodes_trueleafs: [0, 1, 1],
    nodes_truenodeids: [1, 0, 1],
    nodes_falseleafs: [1, 0, 1],
    nodes_falsenodeids: [2, 2, 3],
    leaf_targetids: [0, 1, 2, 3],
    leaf_weights: f32([4], [1, 10, 1000, 100]),
  };
  const column = f32([6, 1], [1.2, 3.4, -0.12, NaN, 12, 7]);
  it('test membership in sets', () => {
    expect(numbers({ op: 'TreeEnsemble', attrs: members, inputs: [column] })).toEqual({
      shape: [6, 4],
      values: [1, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 1000, 0, 0, 0, 1000, 0, 0, 10, 0, 0],
    });
  });
  it('agree with every mode and aggregate', () => {
    for (const post_transform of transforms) {
      for (const attrs of [
        four,
        { ...two, classlabels_int64s: [1] },
        { ...two, classlabels_int64s: [5, 9] },
        { ...two, class_weights: mixed.map(Math.abs), classlabels_int64s: [5, 9] },
      ]) {
        expectAgreement({ op: 'TreeEnsembleClassifier', attrs: { ...attrs, post_transform }, inputs: [samples], outputs: 2 });
      }
    }
    const modes = ['BRANCH_LEQ', 'BRANCH_LT', 'BRANCH_GT', 'BRANCH_GTE', 'BRANCH_NEQ', 'BRANCH_EQ'];
    const x = tensorFrom('f64', [3, 3], [1, NaN, 3, NaN, 4, NaN, 27.5, 1.5, -172]);
    for (const [i, aggregate_function] of ['SUM', 'AVERAGE', 'MIN', 'MAX'].entries()) {
      const attrs = {
        ...nodes,
        nodes_modes: nodes.nodes_modes.map((mode, n) => (mode === L ? L : modes[n % modes.length]!)),
        nodes_missing_value_tracks_true: nodes.nodes_modes.map((_, n) => n % 2),
        target_treeids: leaves.class_treeids,
        target_nodeids: leaves.class_nodeids,
        target_ids: [0, 1, 1, 0, 1, 1, 0, 1, 0, 0, 1],
        target_weights: mixed,
        n_targets: 3,
        base_values: [1, 2, 3],
        aggregate_function,
      };
      expectAgreement({ op: 'TreeEnsembleRegressor', attrs, inputs: [x] });
      expectAgreement({ op: 'TreeEnsemble', attrs: { ...members, aggregate_function: i, post_transform: i }, inputs: [column] });
    }
  });
  it('refuse circles, holes and missing features', () => {
    const circle = { ...nodes, nodes_truenodeids: nodes.nodes_truenodeids.with(2, 2) };
    const run = (attrs: object) => () => reference({ op: 'TreeEnsembleClassifier', attrs: { ...four, ...attrs }, inputs: [samples], outputs: 2 });
    expect(run(circle)).toThrow(/circle/);
    expect(run({ nodes_truenodeids: nodes.nodes_truenodeids.with(0, 77) })).toThrow(AnychipError);
    expect(run({ nodes_values: [1] })).toThrow(AnychipError);
    expect(() => reference({ op: 'TreeEnsembleClassifier', attrs: four, inputs: [f32([1, 2], [1, 0])], outputs: 2 })).toThrow(/features/);
  });
});

describe('support vectors', () => {
  const machine = {
    kernel_type: 'RBF',
    kernel_params: [0.001, 0, 3],
    coefficients: [
      1.14360327, 1.95968249, -1.175683, -1.92760275, -1.32575698, -1.32575698, 0.66332785, 0.66242913, 0.53120854, 0.53510444, -1.06631298, -1.06631298, 0.66332785, 0.66242913,
      0.53120854, 0.53510444, 1, -1,
    ],
    support_vectors: [0, 0.5, 32, 2, 2.9, -32, 1, 1.5, 1, 3, 13.3, -11, 12, 12.9, -312, 43, 413.3, -114],
    vectors_per_class: [2, 2, 1, 1],
    rho: [0.5279583, 0.32605162, 0.32605162, 0.06663721, 0.06663721, 0],
    classlabels_ints: [0, 1, 2, 3],
  };
  const pair = { ...machine, vectors_per_class: [3, 3], rho: [0.5279583], classlabels_ints: [0, 1] };
  it('decide between pairs of classes', () => {
    const call = { op: 'SVMClassifier', attrs: machine, inputs: [samples], outputs: 2 } as const;
    expect(numbers(call).values).toEqual([1, 1, 2, 0, 0, 0, 0, 3]);
    expectClose(numbers(call, 1).values.slice(0, 6), [-0.956958294, 0.799815655, 0.799815655, 0.988598406, 0.988598406, 0]);
    expectClose(numbers({ ...call, attrs: pair }, 1).values.slice(0, 4), [0.956958294, -0.956958294, 0.159782529, -0.159782529]);
  });
  it('estimate probabilities', () => {
    const prob_a = [-3.8214362, 1.82177748, 1.82177748, 7.17655643, 7.17655643, Math.LN2];
    const prob_b = [-1.72839673, -1.1286303, -1.1286303, -6.48340925, -6.48340925, 2.39189538e-16];
    const call = { op: 'SVMClassifier', attrs: { ...machine, prob_a, prob_b }, inputs: [samples], outputs: 2 } as const;
    expectClose(numbers(call, 1).values.slice(0, 8), [0.13766955, 0.21030431, 0.32596754, 0.3260586, 0.45939931, 0.26975416, 0.13539588, 0.13545066]);
    expect(decomposed(call)).toMatch(/iteration/);
  });
  it('agree with every kernel', () => {
    for (const kernel_type of ['RBF', 'LINEAR', 'POLY', 'SIGMOID']) {
      for (const post_transform of transforms) {
        expectAgreement({ op: 'SVMClassifier', attrs: { ...machine, kernel_type, post_transform }, inputs: [random('f32', [5, 3])], outputs: 2 });
        expectAgreement({ op: 'SVMClassifier', attrs: { ...pair, kernel_type, post_transform }, inputs: [random('f64', [5, 3])], outputs: 2 });
      }
      for (const one_class of [0, 1]) {
        const attrs = {
          coefficients: machine.coefficients.slice(0, 6),
          support_vectors: machine.support_vectors,
          n_supports: 6,
          rho: [0.1],
          kernel_params: [0.01, 0.3, 3],
          kernel_type,
          one_class,
        };
        expectAgreement({ op: 'SVMRegressor', attrs, inputs: [random('f32', [4, 3])] });
      }
    }
    expectAgreement({ op: 'SVMRegressor', attrs: { coefficients: [1, 2, 3], rho: [0.5] }, inputs: [samples] });
    expectAgreement({ op: 'SVMClassifier', attrs: { coefficients: [1, 2, 3, -1, 0, 1], rho: [0.5], classlabels_ints: [7, 8] }, inputs: [samples], outputs: 2 });
  });
  it('refuse lists that are too short', () => {
    expect(() => reference({ op: 'SVMClassifier', attrs: { ...machine, rho: [0.1] }, inputs: [samples], outputs: 2 })).toThrow(AnychipError);
    expect(() => reference({ op: 'SVMClassifier', attrs: { ...machine, kernel_type: 'COSINE' }, inputs: [samples], outputs: 2 })).toThrow(/COSINE/);
  });
});

describe('linear models', () => {
  const x = f32([3, 2], [1, 0, 3, 44, 23, 11.3]);
  it('classify', () => {
    const one = { coefficients: [0.00085401, -0.00314063], intercepts: [0.03930598] };
    const named = { op: 'LinearClassifier', attrs: { ...one, classlabels_strings: ['poor', 'good'] }, inputs: [x], outputs: 2 } as const;
    expect(strings(reference(named)[0])).toEqual(['good', 'poor', 'good']);
    expectClose(numbers(named, 1).values, [0.95984, 0.04016, 1.09631968, -0.09631971, 0.97654092, 0.02345909]);
    const bare = { ...named, attrs: one };
    expect(numbers(bare).values).toEqual([1, 0, 1]);
    expect(numbers(bare, 1).shape).toEqual([3, 1]);
    const several = {
      coefficients: [-0.22562418, 0.34188559, 0.68346153, -0.68051993, -0.1975279, 0.03748541],
      intercepts: [-3.91601811, 0.42575697, 0.13731251],
      classlabels_ints: [1, 2, 3],
      post_transform: 'LOGISTIC',
    };
    expect(numbers({ ...named, attrs: several }).values).toEqual([2, 1, 2]);
    expectClose(numbers({ ...named, attrs: several }, 1).values.slice(0, 3), [0.015647972, 0.751983387, 0.484950699]);
  });
  it('agree', () => {
    for (const post_transform of transforms) {
      const weights = [1, 2, 3, -1, 0, 0.5];
      expectAgreement({ op: 'LinearRegressor', attrs: { coefficients: weights, intercepts: [0.5, 1], targets: 2, post_transform }, inputs: [random('f32', [4, 3])] });
      expectAgreement({
        op: 'LinearClassifier',
        attrs: { coefficients: weights, intercepts: [0.5, 1], classlabels_ints: [4, 5], post_transform },
        inputs: [random('f64', [4, 3])],
        outputs: 2,
      });
      expectAgreement({
        op: 'LinearClassifier',
        attrs: { coefficients: [1, 2, 3], intercepts: [0.1], classlabels_ints: [4, 5], post_transform },
        inputs: [random('f32', [4, 3])],
        outputs: 2,
      });
      expectAgreement({ op: 'LinearClassifier', attrs: { coefficients: [1, 2, 3], post_transform }, inputs: [tensorFrom('i64', [3], [1, 2, 3])], outputs: 2 });
    }
    expectAgreement(
      { op: 'LinearRegressor', attrs: { coefficients: [0.2, 0.1, 0.3], intercepts: [0.3], post_transform: 'PROBIT' }, inputs: [random('f32', [4, 3], 0, 0.5)] },
      1e-3,
    );
  });
});

describe('features', () => {
  it('are scaled, normalised, imputed, split and joined', () => {
    const x = f32([2, 2], [1, 2, 3, -4]);
    expect(numbers({ op: 'Scaler', attrs: { offset: [1, 2], scale: [2, 0.5] }, inputs: [x] }).values).toEqual([0, 0, 4, -3]);
    expectClose(numbers({ op: 'Normalizer', attrs: { norm: 'L1' }, inputs: [x] }).values, [1 / 3, 2 / 3, 3 / 7, -4 / 7]);
    expectClose(numbers({ op: 'Normalizer', attrs: { norm: 'L2' }, inputs: [f32([2], [3, -4])] }).values, [0.6, -0.8]);
    expect(numbers({ op: 'Binarizer', attrs: { threshold: 1 }, inputs: [x] }).values).toEqual([0, 1, 1, 0]);
    expect(numbers({ op: 'Imputer', attrs: { imputed_value_floats: [7, 8], replaced_value_float: NaN }, inputs: [f32([2, 2], [NaN, 2, 3, NaN])] }).values).toEqual([7, 2, 3, 8]);
    expect(numbers({ op: 'ArrayFeatureExtractor', inputs: [f32([4], [1, 2, 3, 4]), intTensor([3, 0])] })).toEqual({ shape: [1, 2], values: [4, 1] });
    expect(numbers({ op: 'FeatureVectorizer', attrs: { inputdimensions: [1, 3] }, inputs: [x, x] })).toEqual({ shape: [2, 4], values: [1, 1, 2, 0, 3, 3, -4, 0] });
    expect(numbers({ op: 'OneHotEncoder', attrs: { cats_strings: ['a', 'b'] }, inputs: [stringTensor([2], ['b', 'z'])] })).toEqual({ shape: [2, 2], values: [0, 1, 0, 0] });
    expect(() => reference({ op: 'OneHotEncoder', attrs: { cats_int64s: [1], zeros: 0 }, inputs: [intTensor([2])] })).toThrow(AnychipError);
  });
  it('are encoded', () => {
    const encode = (attrs: object) => numbers({ op: 'LabelEncoder', attrs, inputs: [stringTensor([5], ['a', 'b', 'd', 'c', 'g'])] }).values;
    expect(encode({ keys_strings: ['a', 'b', 'c'], values_int64s: [0, 1, 2], default_int64: 42 })).toEqual([0, 1, 42, 2, 42]);
    expect(encode({ keys_tensor: stringTensor([3], ['a', 'b', 'c']), values_tensor: tensorFrom('i16', [3], [0, 1, 2]) })).toEqual([0, 1, -1, 2, -1]);
    expect(numbers({ op: 'LabelEncoder', attrs: { keys_floats: [1, NaN, 1], values_int64s: [5, 6, 7] }, inputs: [f32([3], [1, NaN, 2])] }).values).toEqual([7, 6, -1]);
    const map = { cats_int64s: [1, 2], cats_strings: ['x', 'y'] };
    expect(strings(reference({ op: 'CategoryMapper', attrs: map, inputs: [intTensor([2, 3])] })[0])).toEqual(['y', '_Unused']);
    expect(numbers({ op: 'CategoryMapper', attrs: map, inputs: [stringTensor([2], ['y', 'z'])] }).values).toEqual([2, -1]);
  });
  it.each(['f32', 'f64', 'i64', 'i32'] as const)('agree in %s', (dtype) => {
    const x = random(dtype, [4, 3], -9, 9);
    for (const attrs of [{ offset: [1, 2, 3], scale: [0.5, 2, 3] }, { offset: [1], scale: [0.5] }, {}]) expectAgreement({ op: 'Scaler', attrs, inputs: [x] });
    for (const norm of ['MAX', 'L1', 'L2']) expectAgreement({ op: 'Normalizer', attrs: { norm }, inputs: [x] });
    expectAgreement({ op: 'Normalizer', attrs: { norm: 'L2' }, inputs: [tensorFrom(dtype, [3], [0, 0, 0])] });
    expectAgreement({ op: 'Binarizer', attrs: { threshold: 0.5 }, inputs: [x] });
    expectAgreement({
      op: 'Imputer',
      attrs: { imputed_value_floats: [1, 2, 3], imputed_value_int64s: [5], replaced_value_float: 2, replaced_value_int64: 2 },
      inputs: [tensorFrom(dtype, [2, 3], [1, 2, 2, 3, 2, 5])],
    });
    expectAgreement({ op: 'ArrayFeatureExtractor', inputs: [x, intTensor([2, 0], [1, 2])] });
    expectAgreement({ op: 'FeatureVectorizer', attrs: { inputdimensions: [2, 5] }, inputs: [x, x] });
    expectAgreement({ op: 'OneHotEncoder', attrs: { cats_int64s: [1, 3, -2] }, inputs: [tensorFrom(dtype, [2, 2], [1, 3.7, -2, 9])] });
    const table = { keys_tensor: tensorFrom(dtype, [3], [1, 2, 1]), values_tensor: tensorFrom('i16', [3], [7, 8, 9]) };
    expectAgreement({ op: 'LabelEncoder', attrs: table, inputs: [tensorFrom(dtype, [2, 2], [1, 2, 3, 1])] });
  });
  it('agree on labels that are no number', () => {
    expectAgreement({ op: 'LabelEncoder', attrs: { keys_floats: [1, NaN, 1.5], values_floats: [5, 1, Infinity], default_float: 42 }, inputs: [f32([2, 2], [1, NaN, 3, 1.5])] });
  });
});

describe('maps', () => {
  const map = [stringTensor([2], ['a', 'c']), f32([2], [4, 8])];
  it('are zipped', () => {
    const [rows] = reference({ op: 'ZipMap', attrs: { classlabels_strings: ['x', 'y'] }, inputs: [f32([2, 2], [1, 2, 3, 4])] });
    expect(rows).toMatchObject([
      [{ data: ['x', 'y'] }, { dtype: 'f32', shape: [2] }],
      [{ data: ['x', 'y'] }, {}],
    ]);
    expect(() => reference({ op: 'ZipMap', attrs: { classlabels_int64s: [1] }, inputs: [f32([2, 2], [1, 2, 3, 4])] })).toThrow(AnychipError);
  });
  it('become vectors', () => {
    const attrs = { string_vocabulary: ['a', 'c', 'b', 'z'] };
    expect(numbers({ op: 'DictVectorizer', attrs, inputs: [map] })).toEqual({ shape: [1, 4], values: [4, 8, 0, 0] });
    expect(numbers({ op: 'DictVectorizer', attrs, inputs: [[map, map]] }).shape).toEqual([2, 4]);
    expect(() => reference({ op: 'DictVectorizer', attrs: { string_vocabulary: ['a'] }, inputs: [map] })).toThrow(AnychipError);
  });
  it('are cast', () => {
    const numbered = [intTensor([2, 0]), f32([2], [4.5, 8])];
    expect(numbers({ op: 'CastMap', inputs: [numbered] })).toEqual({ shape: [1, 2], values: [8, 4.5] });
    expect(numbers({ op: 'CastMap', attrs: { map_form: 'SPARSE', max_map: 4, cast_to: 'TO_INT64' }, inputs: [numbered] }).values).toEqual([8, 0, 4, 0]);
    expect(strings(reference({ op: 'CastMap', attrs: { cast_to: 'TO_STRING' }, inputs: [numbered] })[0])).toEqual(['8.000000', '4.500000']);
    expect(() => reference({ op: 'CastMap', attrs: { map_form: 'SPARSE', max_map: 2 }, inputs: [numbered] })).toThrow(AnychipError);
  });
});

it('upgrades the first LabelEncoder', () => {
  const node = {
    domain: 'ai.onnx.ml',
    op: 'LabelEncoder',
    name: '',
    inputs: ['x'],
    outputs: ['y'],
    attrs: new Map([['classes_strings', { kind: 'strings', value: ['p', 'q'] } as const]]),
  };
  const [upgraded] = mlUpgrades['LabelEncoder']!(node, { opset: 1, fresh: (hint) => hint, constant: (tensor) => String(toNumbers(tensor)) });
  expect(upgraded).toMatchObject({ op: 'CategoryMapper' });
  expect(upgraded!.attrs.get('cats_int64s')).toEqual({ kind: 'ints', value: [0, 1] });
});
