// Opens a model from a path or from bytes: the Node face of a session.
import { readFileSync } from 'node:fs';
import { AnychipError, within } from '../core/error.ts';
import { externalMemory } from '../formats/onnx/externalMemory.ts';
import { readModelFile } from '../formats/onnx/file.ts';
import { importModel } from '../formats/onnx/import.ts';
import type { Model } from '../formats/onnx/import.ts';
import type { ExecutionPlan } from '../plan.ts';
import { bytesOf, sessionFactory } from './createSession.ts';
import type { ExternalFiles, ModelBytes } from './createSession.ts';
import { chooseDevice } from './devices.ts';
import { InferenceSession } from './inferenceSession.ts';
import type { SessionOptions } from './options.ts';
import { PlanSession } from './planSession.ts';
import type { PlanOptions } from './planSession.ts';

/** A path to an ONNX file, or its bytes. */
export type ModelSource = string | ModelBytes;

/** Reads a model. Weights in external files are found beside a path and stay there until they are needed; bytes may bring theirs along, by location. */
export function loadModel(source: ModelSource, external?: ExternalFiles): Model {
  if (typeof source === 'string') return readModelFile(source);
  return importModel(bytesOf(source), external === undefined ? {} : { external: externalMemory(external) });
}

const readFile = (path: string): Uint8Array =>
  within('externalData', () => {
    try {
      return readFileSync(path);
    } catch (cause) {
      throw new AnychipError('bad-file', `cannot read ${path}`, { hint: 'Is the path right, and may it be read?', cause });
    }
  });

/** A session over a model already in memory. */
export const openModel = (model: Model, options: SessionOptions = {}): Promise<InferenceSession> => InferenceSession.open(model, options, chooseDevice);

/** A session over a path, bytes, or part of a buffer. */
export const createSession = sessionFactory<string>({ loadModel, readFile, chooseDevice });

/** Opens the plan's target and loads the plan's programs. Throws `device` when the target does not work here. */
export const openPlan = (plan: ExecutionPlan, options: PlanOptions = {}): Promise<PlanSession> => PlanSession.open(plan, options, chooseDevice);
