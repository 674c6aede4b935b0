// Runs one case on one device, in this process: files from disk, one session over all of its data sets.
import { readFileSync } from 'node:fs';
import { readModelFile } from '../formats/onnx/file.ts';
import { openModel } from '../session/create.ts';
import type { Precision } from '../session/options.ts';
import type { Outcome } from './report.ts';
import { runData } from './runData.ts';
import type { Case } from './suite.ts';

export interface CaseOptions {
  readonly device: string;
  readonly threads?: number | undefined;
  readonly maxMemoryBytes?: number | undefined;
  /** What the floats of models are narrowed to. */
  readonly precision?: Precision | undefined;
}

export function runCase({ model, dataSets }: Case, { device, threads, maxMemoryBytes, precision }: CaseOptions): Promise<Outcome> {
  const options = {
    executionProviders: [device],
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(maxMemoryBytes === undefined ? {} : { maxMemoryBytes }),
    ...(precision === undefined ? {} : { precision }),
  };
  const read = (files: readonly string[]): Uint8Array[] => files.map((file) => readFileSync(file));
  return runData(
    async () => openModel(readModelFile(model), options),
    dataSets.map(({ inputs, outputs }) => ({ inputs: read(inputs), outputs: read(outputs) })),
    precision,
  );
}
