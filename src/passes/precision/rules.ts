// In which precision each operator computes where a model is lowered to a narrow float: one total table. The choices are those of mixed
// precision elsewhere (PyTorch's autocast lists, onnxconverter-common's float16 converter): what multiplies takes narrow operands, what
// outgrows a narrow float or magnifies its rounding keeps f32, all else goes with what it is given.
// It knows operators, never values.
import type { DType } from '../../core/dtype.ts';
import type { Graph, NodeOf } from '../../graph/graph.ts';
import { dtypeOfCode } from '../../graph/onnxTypes.ts';
import type { OnnxOpName } from '../../graph/ops.ts';

export type Precise =
  /** Takes and gives the narrow dtype; its sums are f32 all the same. */
  | 'narrow'
  /** Takes and gives f32. */
  | 'wide'
  /** As wide as the widest of its operands; constants go with the others. */
  | 'follow'
  /** Its bodies are graphs of their own, whose inputs and outputs stay as they are. */
  | 'control';

/** The dtype of an output: that of the operands, f32, none of concern here (another dtype, a sequence), or what no rule can tell. */
export type Given = 'operands' | 'f32' | 'other' | 'unknown';

export interface PrecisionRule<O extends OnnxOpName> {
  readonly precise: Precise;
  /** The input whose dtype is that of the operands; the first where nothing is said. */
  readonly of: number;
  /** Inputs, by name, that stay f32 beside narrow operands: the operator has a type of their own for them. So do all `hostInputs`. */
  readonly keeps: readonly string[];
  /** Of each output in order; the last stands for all that follow. */
  readonly gives: readonly (Given | ((node: NodeOf<O>, output: number) => Given))[];
}
type Rules = { readonly [O in OnnxOpName]: PrecisionRule<O> };

const rule = (precise: Precise) => ({ precise, of: 0, keeps: [], gives: ['operands'] }) as const;
const [narrow, wide, follow] = [rule('narrow'), rule('wide'), rule('follow')];
const gives = <R extends object, const G extends readonly Given[]>(base: R, ...given: G): R & { readonly gives: G } => ({ ...base, gives: given });

const f32Or = (dtype: DType): Given => (dtype === 'f32' ? 'f32' : 'other');
/** What an attribute that names a dtype says; `fallback` where it is left out. */
const named = (code: number | undefined, fallback: Given): Given => (code === undefined || code === 0 ? fallback : f32Or(dtypeOfCode(code)));

const compared = gives(follow, 'other');
const counted = gives(follow, 'operands', 'other');
const drawn = { ...wide, gives: [({ attrs }: { readonly attrs: { readonly dtype: number | undefined } }) => named(attrs.dtype, 'f32')] } as const;
const drawnLike = { ...drawn, gives: [({ attrs }: { readonly attrs: { readonly dtype: number | undefined } }) => named(attrs.dtype, 'operands')] } as const;
const windowed = { ...wide, gives: [({ attrs }: { readonly attrs: { readonly output_datatype: number } }) => named(attrs.output_datatype, 'f32')] } as const;
const integers = gives(wide, 'other');
const classified = gives(wide, 'other', 'f32');
const scored = gives(wide, 'f32');
const taken = gives(wide, 'unknown');
/** An output of control flow is what its body gives. */
const bodied = rule('control');
const givenBy = (body: Graph, output: number): Given => {
  const type = body.outputs[output]?.type;
  return type === undefined ? 'unknown' : type.kind === 'tensor' ? f32Or(type.dtype) : 'other';
};

/** Elementwise functions that grow fast, or magnify what rounding did to their operand. */
const steep = wide;
/** Means and variances are small differences of large sums. */
const normalised = wide;

export const precisionRules: Rules = {
  // Products.
  Conv: narrow,
  ConvTranspose: narrow,
  CausalConvWithState: narrow,
  MatMul: narrow,
  Gemm: narrow,
  Einsum: narrow,
  Attention: narrow,
  RNN: narrow,
  GRU: narrow,
  LSTM: narrow,
  // Offsets and grids are positions: a narrow float cannot tell neighbouring pixels apart.
  DeformConv: wide,
  GridSample: wide,
  AffineGrid: wide,
  RoiAlign: wide,
  MaxRoiPool: wide,
  LinearAttention: wide,
  Det: wide,

  // The parameters are few, and variances are squares.
  BatchNormalization: { ...narrow, keeps: ['scale', 'B', 'input_mean', 'input_var'], gives: ['operands', 'f32'] },
  InstanceNormalization: normalised,
  LayerNormalization: gives(normalised, 'operands', 'f32'),
  GroupNormalization: normalised,
  RMSNormalization: normalised,
  MeanVarianceNormalization: normalised,
  LpNormalization: normalised,
  LRN: normalised,
  Softmax: wide,
  LogSoftmax: wide,
  Hardmax: follow,
  SoftmaxCrossEntropyLoss: wide,
  NegativeLogLikelihoodLoss: wide,
  Dropout: { ...follow, keeps: ['ratio'], gives: ['operands', 'other'] },

  // Activations whose results lie near their operands, or between fixed bounds; formulas of several steps are computed in f32.
  Relu: follow,
  LeakyRelu: follow,
  PRelu: follow,
  Elu: follow,
  Selu: follow,
  Celu: follow,
  ThresholdedRelu: follow,
  Sigmoid: follow,
  HardSigmoid: follow,
  HardSwish: follow,
  Swish: follow,
  SwiGLU: follow,
  Mish: follow,
  Gelu: follow,
  Softplus: follow,
  Softsign: follow,
  Shrink: follow,
  Tanh: follow,
  Erf: follow,
  Atan: follow,
  Asinh: follow,

  Exp: steep,
  Log: steep,
  Pow: steep,
  Reciprocal: steep,
  Sqrt: steep,
  Sin: steep,
  Cos: steep,
  Tan: steep,
  Asin: steep,
  Acos: steep,
  Sinh: steep,
  Cosh: steep,
  Acosh: steep,
  Atanh: steep,
  Mod: steep,

  Abs: follow,
  Neg: follow,
  Sign: follow,
  Floor: follow,
  Ceil: follow,
  Round: follow,
  Add: follow,
  Sub: follow,
  Mul: follow,
  Div: follow,
  Min: follow,
  Max: follow,
  Sum: follow,
  Mean: follow,
  Clip: follow,
  Where: { ...follow, of: 1 },
  Not: compared,
  And: compared,
  Or: compared,
  Xor: compared,
  BitwiseNot: compared,
  BitwiseAnd: compared,
  BitwiseOr: compared,
  BitwiseXor: compared,
  BitShift: compared,
  IsNaN: compared,
  IsInf: compared,
  Equal: compared,
  Less: compared,
  LessOrEqual: compared,
  Greater: compared,
  GreaterOrEqual: compared,
  Cast: { ...follow, gives: [({ attrs }) => f32Or(dtypeOfCode(attrs.to))] },
  // The bits of an f32 are what is asked for.
  BitCast: { ...wide, gives: [({ attrs }) => f32Or(dtypeOfCode(attrs.to))] },
  CastLike: { ...wide, of: 1 },

  // Sums over many elements outgrow f16, and running sums carry every rounding along.
  ReduceSum: wide,
  ReduceMean: wide,
  ReduceProd: wide,
  ReduceL1: wide,
  ReduceL2: wide,
  ReduceLogSum: wide,
  ReduceLogSumExp: wide,
  ReduceSumSquare: wide,
  CumSum: wide,
  CumProd: wide,
  ReduceMax: follow,
  ReduceMin: follow,
  ArgMax: compared,
  ArgMin: compared,

  MaxPool: counted,
  AveragePool: follow,
  GlobalAveragePool: follow,
  GlobalMaxPool: follow,
  LpPool: wide,
  GlobalLpPool: wide,
  MaxUnpool: follow,
  Col2Im: wide,
  Resize: follow,
  RotaryEmbedding: follow,

  // What moves or chooses.
  Identity: follow,
  Reshape: follow,
  Flatten: follow,
  Squeeze: follow,
  Unsqueeze: follow,
  Transpose: follow,
  Expand: follow,
  Concat: follow,
  Split: follow,
  Slice: follow,
  Pad: follow,
  Tile: follow,
  SpaceToDepth: follow,
  DepthToSpace: follow,
  Trilu: follow,
  ReverseSequence: follow,
  CenterCropPad: follow,
  Gather: follow,
  GatherElements: follow,
  GatherND: follow,
  ScatterElements: follow,
  ScatterND: follow,
  TensorScatter: follow,
  Compress: follow,
  TopK: counted,
  OneHot: { ...follow, of: 2, keeps: ['indices'] },
  Unique: counted,
  NonZero: compared,
  NonMaxSuppression: integers,
  Shape: compared,
  Size: compared,
  EyeLike: drawnLike,
  ConstantOfShape: { ...wide, gives: [({ attrs }) => (attrs.value === undefined ? 'f32' : f32Or(attrs.value.dtype))] },
  Range: wide,

  QuantizeLinear: integers,
  DequantizeLinear: { ...wide, of: 1, gives: [({ attrs }) => named(attrs.output_dtype, 'operands')] },
  DynamicQuantizeLinear: gives(wide, 'other', 'f32', 'other'),
  QLinearConv: integers,
  QLinearMatMul: integers,
  ConvInteger: integers,
  MatMulInteger: integers,

  RandomNormal: drawn,
  RandomUniform: drawn,
  RandomNormalLike: drawnLike,
  RandomUniformLike: drawnLike,
  Bernoulli: drawnLike,
  Multinomial: integers,

  DFT: wide,
  STFT: wide,
  HannWindow: windowed,
  HammingWindow: windowed,
  BlackmanWindow: windowed,
  MelWeightMatrix: windowed,

  If: { ...bodied, gives: [({ attrs }, output) => givenBy(attrs.then_branch, output)] },
  Loop: { ...bodied, gives: [({ attrs }, output) => givenBy(attrs.body, output + 1)] },
  Scan: { ...bodied, gives: [({ attrs }, output) => givenBy(attrs.body, output)] },
  SequenceMap: gives(bodied, 'other'),
  SequenceConstruct: integers,
  SequenceEmpty: integers,
  SequenceInsert: integers,
  SequenceErase: integers,
  SequenceAt: taken,
  SequenceLength: integers,
  SplitToSequence: integers,
  ConcatFromSequence: taken,
  Optional: integers,
  OptionalHasElement: integers,
  OptionalGetElement: taken,

  ImageDecoder: integers,
  StringNormalizer: integers,
  StringConcat: integers,
  StringSplit: integers,
  RegexFullMatch: integers,
  TfIdfVectorizer: scored,

  Adagrad: wide,
  Adam: wide,
  Momentum: wide,

  TreeEnsemble: wide,
  TreeEnsembleClassifier: classified,
  TreeEnsembleRegressor: scored,
  LinearClassifier: classified,
  LinearRegressor: scored,
  SVMClassifier: classified,
  SVMRegressor: scored,
  Scaler: scored,
  Normalizer: scored,
  Binarizer: wide,
  Imputer: wide,
  ArrayFeatureExtractor: wide,
  FeatureVectorizer: scored,
  OneHotEncoder: scored,
  LabelEncoder: taken,
  CategoryMapper: integers,
  ZipMap: taken,
  DictVectorizer: taken,
  CastMap: taken,
};
