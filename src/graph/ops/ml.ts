// Declarations of the ml family: the operators of ai.onnx.ml. In its models the parameters are attributes, not inputs.
import { float, floats, int, ints, mlOp, required, string, strings, tensor } from '../schema.ts';

const scored = { post_transform: string('NONE') } as const;
const treeNodes = {
  nodes_falsenodeids: ints(),
  nodes_featureids: ints(),
  nodes_hitrates: floats(),
  nodes_hitrates_as_tensor: tensor(),
  nodes_missing_value_tracks_true: ints(),
  nodes_modes: strings(),
  nodes_nodeids: ints(),
  nodes_treeids: ints(),
  nodes_truenodeids: ints(),
  nodes_values: floats(),
  nodes_values_as_tensor: tensor(),
  base_values: floats(),
  base_values_as_tensor: tensor(),
} as const;
const kernel = { kernel_params: floats(), kernel_type: string('LINEAR'), coefficients: floats(), rho: floats(), support_vectors: floats() } as const;
const classifier = { since: 1, inputs: ['X'], outputs: ['Y', 'Z?'], hostWhen: 'the labels are strings' } as const;
const plain = { since: 1, inputs: ['X'], outputs: ['Y'] } as const;

export const mlOps = {
  TreeEnsemble: mlOp({
    ...plain,
    since: 5,
    attrs: {
      aggregate_function: int(1),
      leaf_targetids: required('ints'),
      leaf_weights: required('tensor'),
      membership_values: tensor(),
      n_targets: int(),
      nodes_falseleafs: required('ints'),
      nodes_falsenodeids: required('ints'),
      nodes_featureids: required('ints'),
      nodes_hitrates: tensor(),
      nodes_missing_value_tracks_true: ints(),
      nodes_modes: required('tensor'),
      nodes_splits: required('tensor'),
      nodes_trueleafs: required('ints'),
      nodes_truenodeids: required('ints'),
      post_transform: int(0),
      tree_roots: required('ints'),
    },
  }),
  TreeEnsembleClassifier: mlOp({
    ...classifier,
    attrs: {
      ...treeNodes,
      ...scored,
      class_ids: ints(),
      class_nodeids: ints(),
      class_treeids: ints(),
      class_weights: floats(),
      class_weights_as_tensor: tensor(),
      classlabels_int64s: ints(),
      classlabels_strings: strings(),
    },
  }),
  TreeEnsembleRegressor: mlOp({
    ...plain,
    attrs: {
      ...treeNodes,
      ...scored,
      aggregate_function: string('SUM'),
      n_targets: int(),
      target_ids: ints(),
      target_nodeids: ints(),
      target_treeids: ints(),
      target_weights: floats(),
      target_weights_as_tensor: tensor(),
    },
  }),
  LinearClassifier: mlOp({
    ...classifier,
    attrs: { ...scored, classlabels_ints: ints(), classlabels_strings: strings(), coefficients: required('floats'), intercepts: floats(), multi_class: int(0) },
  }),
  LinearRegressor: mlOp({ ...plain, attrs: { ...scored, coefficients: floats(), intercepts: floats(), targets: int(1) } }),
  SVMClassifier: mlOp({
    ...classifier,
    hostWhen: 'the labels are strings, or probabilities (prob_a) are asked for',
    attrs: { ...scored, ...kernel, classlabels_ints: ints(), classlabels_strings: strings(), prob_a: floats(), prob_b: floats(), vectors_per_class: ints() },
  }),
  SVMRegressor: mlOp({ ...plain, attrs: { ...scored, ...kernel, n_supports: int(0), one_class: int(0) } }),

  Scaler: mlOp({ ...plain, attrs: { offset: floats(), scale: floats() } }),
  Normalizer: mlOp({ ...plain, attrs: { norm: string('MAX') } }),
  Binarizer: mlOp({ ...plain, attrs: { threshold: float(0) } }),
  Imputer: mlOp({
    ...plain,
    attrs: { imputed_value_floats: floats(), imputed_value_int64s: ints(), replaced_value_float: float(0), replaced_value_int64: int(0) },
  }),
  ArrayFeatureExtractor: mlOp({ since: 1, inputs: ['X', 'Y'], outputs: ['Z'], attrs: {} }),
  FeatureVectorizer: mlOp({ since: 1, inputs: ['X*'], outputs: ['Y'], attrs: { inputdimensions: ints() } }),
  OneHotEncoder: mlOp({ ...plain, hostWhen: 'zeros is 0: an unknown category is an error then', attrs: { cats_int64s: ints(), cats_strings: strings(), zeros: int(1) } }),
  LabelEncoder: mlOp({
    ...plain,
    hostWhen: 'keys or values are strings',
    attrs: {
      default_float: float(-0),
      default_int64: int(-1),
      default_string: string('_Unused'),
      default_tensor: tensor(),
      keys_floats: floats(),
      keys_int64s: ints(),
      keys_strings: strings(),
      keys_tensor: tensor(),
      values_floats: floats(),
      values_int64s: ints(),
      values_strings: strings(),
      values_tensor: tensor(),
    },
  }),
  CategoryMapper: mlOp({
    ...plain,
    attrs: { cats_int64s: ints(), cats_strings: strings(), default_int64: int(-1), default_string: string('_Unused') },
    hostOnly: 'strings',
  }),

  ZipMap: mlOp({ since: 1, inputs: ['X'], outputs: ['Z'], attrs: { classlabels_int64s: ints(), classlabels_strings: strings() }, hostOnly: 'maps' }),
  DictVectorizer: mlOp({ ...plain, attrs: { int64_vocabulary: ints(), string_vocabulary: strings() }, hostOnly: 'maps' }),
  CastMap: mlOp({ ...plain, attrs: { cast_to: string('TO_FLOAT'), map_form: string('DENSE'), max_map: int(1) }, hostOnly: 'maps' }),
} as const;
