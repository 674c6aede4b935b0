// The package: what onnxruntime's users know, and beside it the compiler's own parts.
import { env, Tensor } from 'onnxruntime-common';
import type { InferenceSession as Ort } from 'onnxruntime-common';
import { createSession, openPlan } from './session/create.ts';
import type { InferenceSession as Session } from './session/inferenceSession.ts';
import type { SessionOptions as Options } from './session/options.ts';
import type { PlanSession as Plan } from './session/planSession.ts';

export * from './api.ts';

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

/** For `import ort from`, as onnxruntime-node allows it. `env` is there for code that sets it; nothing in anychip reads it. */
export default { InferenceSession, Tensor, env };

/** A compiled plan that is loaded and can be run. */
export type PlanSession = Plan;
export const PlanSession = { open: openPlan };
export { loadModel } from './session/create.ts';
export { tune } from './session/tune.ts';
export type { TuneReport } from './session/tune.ts';
export type { ModelSource } from './session/create.ts';
export { listDevices, resolveTarget } from './session/devices.ts';
