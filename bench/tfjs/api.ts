// The part of TensorFlow.js that the peer calls, as its documentation has it: its packages are installed for the bench alone.

export interface TfTensor {
  readonly shape: readonly number[];
  data(): Promise<Float32Array | Int32Array | Uint8Array>;
  dispose(): void;
}

type Pads = readonly (readonly [number, number])[];
type Activation = 'linear' | 'relu' | 'relu6';

export interface FusedConv {
  readonly x: TfTensor;
  readonly filter: TfTensor;
  readonly strides: readonly number[];
  readonly pad: Pads;
  readonly dilations: readonly number[];
  readonly dataFormat: 'NHWC';
  readonly bias?: TfTensor;
  readonly activation: Activation;
}

type Unary = (x: TfTensor) => TfTensor;
type Binary = (a: TfTensor, b: TfTensor) => TfTensor;
type Pool = (x: TfTensor, size: readonly number[], strides: readonly number[], pad: Pads) => TfTensor;

export interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy(run: () => TfTensor[]): TfTensor[];
  tensor(data: Float32Array | Int32Array, shape: readonly number[], dtype: 'float32' | 'int32'): TfTensor;
  readonly fused: {
    conv2d(options: FusedConv): TfTensor;
    depthwiseConv2d(options: FusedConv): TfTensor;
    matMul(options: {
      readonly a: TfTensor;
      readonly b: TfTensor;
      readonly transposeA: boolean;
      readonly transposeB: boolean;
      readonly bias?: TfTensor;
      readonly activation: Activation;
    }): TfTensor;
  };
  batchNorm(x: TfTensor, mean: TfTensor, variance: TfTensor, offset: TfTensor, scale: TfTensor, epsilon: number): TfTensor;
  readonly maxPool: Pool;
  readonly avgPool: Pool;
  readonly relu: Unary;
  readonly relu6: Unary;
  readonly sigmoid: Unary;
  readonly exp: Unary;
  readonly softmax: Unary;
  readonly add: Binary;
  readonly sub: Binary;
  readonly mul: Binary;
  readonly div: Binary;
  concat(inputs: readonly TfTensor[], axis: number): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  transpose(x: TfTensor, perm: readonly number[]): TfTensor;
  slice(x: TfTensor, begin: readonly number[], size: readonly number[]): TfTensor;
  stridedSlice(x: TfTensor, begin: readonly number[], end: readonly number[], strides: readonly number[]): TfTensor;
  readonly image: { resizeNearestNeighbor(x: TfTensor, size: readonly [number, number]): TfTensor };
}

export interface TfWasm {
  setThreadsCount(count: number): void;
}
