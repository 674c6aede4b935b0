// The package: what onnxruntime's users know, and beside it the compiler's own parts.
import { env, Tensor } from 'onnxruntime-common';
import type { InferenceSession as Ort } from 'onnxruntime-common';
import { createSession } from './session/create.ts';
import type { InferenceSession as Session } from './session/inferenceSession.ts';
import type { SessionOptions as Options } from './session/options.ts';

/** A model ready to run on a device, in the shape of onnxruntime-common. */
export type InferenceSession = Session;
/**
 * `InferenceSession.create(pathOrBytes, { executionProviders: ['cpu'] })`. Without providers the fastest device that works is taken;
 * `session.device` says which and why.
 */
export const InferenceSession = { create: createSession };
/** The types that onnxruntime-common keeps under this name. */
export declare namespace InferenceSession {
  export type SessionOptions = Options;
  export type RunOptions = Ort.RunOptions;
  export type FeedsType = Ort.FeedsType;
  export type FetchesType = Ort.FetchesType;
  export type ReturnType = Ort.ReturnType;
  export type OnnxValueMapType = Ort.OnnxValueMapType;
  export type NullableOnnxValueMapType = Ort.NullableOnnxValueMapType;
  export type ValueMetadata = Ort.ValueMetadata;
  export type TensorValueMetadata = Ort.TensorValueMetadata;
  export type NonTensorValueMetadata = Ort.NonTensorValueMetadata;
  export type ExecutionProviderConfig = Ort.ExecutionProviderConfig;
}

/** `env` is there for code that sets it; nothing in anychip reads it. */
export { env, Tensor };
export type { OnnxValue, TypedTensor } from 'onnxruntime-common';
/** For `import ort from`, as onnxruntime-node allows it. */
export default { InferenceSession, Tensor, env };
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

export { loadModel } from './session/create.ts';
export type { ModelSource } from './session/create.ts';
export { compile } from './compile.ts';
export type { CompileOptions } from './compile.ts';
export type { ExecutionPlan } from './plan.ts';
export { loadPlan, savePlan } from './planFile.ts';
export { PlanSession } from './session/planSession.ts';
export type { PlanOptions } from './session/planSession.ts';
export { bindingsFor } from './session/bindings.ts';
export { exportModel } from './formats/onnx/export.ts';
export type { ExportOptions } from './formats/onnx/export.ts';
export { imageFeed } from './session/imageFeed.ts';
export type { ImageOptions } from './session/imageFeed.ts';
export { listDevices, resolveTarget } from './session/devices.ts';
export type { DeviceStatus } from './session/choose.ts';
export type { Target } from './runtime/device.ts';
export { interpretGraph } from './reference/interpret.ts';
