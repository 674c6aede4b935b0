// The part of the package that is the same in Node (index.ts) and in a browser (web.ts).

export { env, Tensor } from 'onnxruntime-common';
export type { OnnxValue, TypedTensor } from 'onnxruntime-common';
export { AnychipError } from './core/error.ts';
export type { ErrorCode } from './core/error.ts';
export { onTrace } from './core/trace.ts';
export type { TraceEvent } from './core/trace.ts';
export type { DType } from './core/dtype.ts';
export type { NumericTensor, StringTensor, Tensor as HostTensor } from './core/tensor.ts';
export type { Graph, HostValue, Node, Value } from './graph/graph.ts';
export type { Model } from './formats/onnx/import.ts';
export type { SessionOptions } from './session/options.ts';
export type { HostNode, Placement } from './session/placement.ts';

export type { CompileOptions } from './compile.ts';
export { compile } from './session/compiler.ts';
export type { ExecutionPlan } from './plan.ts';
export { loadPlan, savePlan } from './planFile.ts';
export type { PlanOptions } from './session/planSession.ts';
export { bindingsFor } from './session/bindings.ts';
export { exportModel } from './formats/onnx/export.ts';
export type { ExportOptions } from './formats/onnx/export.ts';
export { imageFeed } from './session/imageFeed.ts';
export type { ImageOptions, ImageSource, RgbaImage } from './session/imageFeed.ts';
export type { DeviceStatus } from './session/choose.ts';
export type { Engine, Target } from './runtime/device.ts';
export { interpretGraph } from './session/reference.ts';
