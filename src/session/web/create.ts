// Opens a model from a URL, a Blob or bytes: the browser's face of a session.
import { AnychipError, within } from '../../core/error.ts';
import { externalMemory } from '../../formats/onnx/externalMemory.ts';
import { importModel } from '../../formats/onnx/import.ts';
import type { Model } from '../../formats/onnx/import.ts';
import type { ExecutionPlan } from '../../plan.ts';
import { bytesOf, sessionFactory } from '../createSession.ts';
import type { ExternalFiles, ModelBytes } from '../createSession.ts';
import { InferenceSession } from '../inferenceSession.ts';
import type { SessionOptions } from '../options.ts';
import { PlanSession } from '../planSession.ts';
import type { PlanOptions } from '../planSession.ts';
import { chooseDevice } from './devices.ts';

/** A URL, absolute or from the page on; a Blob, as a file that a user picked is one. */
type Fetched = string | URL | Blob;
/** Where an ONNX file is, or its bytes. */
export type ModelSource = Fetched | ModelBytes;

async function fetchBytes(url: string | URL): Promise<Uint8Array> {
  const fail = (reason: string, cause?: unknown): never => {
    throw new AnychipError('bad-file', `cannot fetch ${String(url)}: ${reason}`, { hint: "Is the address right, and does its server allow this page's origin?", cause });
  };
  const response = await fetch(url).catch((cause: unknown) => fail(cause instanceof Error ? cause.message : String(cause), cause));
  if (!response.ok) fail(`${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** The address of a file that a model names: below the model's own folder, and nowhere else. */
function besideModel(model: URL, location: string): URL {
  const folder = new URL('.', model);
  const url = new URL(location.split('/').map(encodeURIComponent).join('/'), folder);
  if (url.href.startsWith(folder.href) && !location.includes('\\')) return url;
  throw new AnychipError('bad-file', `external data '${location}' leaves the folder of the model`, { hint: 'External data must lie below the folder of the model.' });
}

/** Files of weights are found out one by one: each that the model asks for is fetched from beside it. */
async function loadFrom(model: URL, given: ExternalFiles): Promise<Model> {
  const bytes = await fetchBytes(model);
  const name = decodeURIComponent(/[^/]*$/.exec(model.pathname)![0]);
  const files = new Map(given);
  for (;;) {
    try {
      return importModel(bytes, { name, external: externalMemory(files) });
    } catch (error) {
      const location = error instanceof AnychipError ? error.facts['missingFile'] : undefined;
      if (typeof location !== 'string') throw error;
      files.set(location, await fetchBytes(besideModel(model, location)));
    }
  }
}

/** Reads a model. Weights in external files are fetched from beside a URL; with a Blob or bytes they are given, by location. */
export async function loadModel(source: ModelSource, external: ExternalFiles = new Map()): Promise<Model> {
  if (typeof source === 'string' || source instanceof URL) return loadFrom(absolute(source), external);
  const bytes = source instanceof Blob ? new Uint8Array(await source.arrayBuffer()) : bytesOf(source, 'a model is given by its URL, as a Blob or as bytes');
  return importModel(bytes, { external: externalMemory(external) });
}

/** The address as seen from the page, or from the worker. */
function absolute(url: string | URL): URL {
  try {
    return new URL(new Request(url).url);
  } catch (cause) {
    throw new AnychipError('bad-argument', `'${String(url)}' is no address of a model`, { hint: 'Give a URL, a Blob or bytes.', cause });
  }
}

async function readFile(url: string): Promise<Uint8Array> {
  return fetchBytes(within('externalData', () => absolute(url)));
}

/** A session over a model already in memory. */
export const openModel = (model: Model, options: SessionOptions = {}): Promise<InferenceSession> => InferenceSession.open(model, options, chooseDevice);

/** A session over a URL, a Blob, bytes, or part of a buffer. */
export const createSession = sessionFactory<Fetched>({ loadModel, readFile, chooseDevice });

/** Opens the plan's target and loads the plan's programs. Throws `device` when the target does not work here. */
export const openPlan = (plan: ExecutionPlan, options: PlanOptions = {}): Promise<PlanSession> => PlanSession.open(plan, options, chooseDevice);
