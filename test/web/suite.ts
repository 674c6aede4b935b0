// Cases of ONNX's suite in a page, each held to its expected outputs there.
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import type { Page } from 'playwright-core';
import type { CaseResult } from '../../src/conformance/report.ts';
import type { Case } from '../../src/conformance/suite.ts';
import { call } from './chromium.ts';

/** Where Debian's libonnx-testdata lies; undefined where it is not installed. */
export const suite: string | undefined = ['/usr/share/libonnx-testdata/data', '/usr/local/share/libonnx-testdata/data'].find((folder) => existsSync(folder));
/** Under this a site has the suite. */
export const SUITE_PATH = '/suite/';

const urlOf = (path: string): string => `${SUITE_PATH}${relative(suite!, path)}`;

export async function runCaseIn(page: Page, { name, model, dataSets }: Case, device: string): Promise<CaseResult> {
  const start = performance.now();
  const sets = dataSets.map(({ inputs, outputs }) => ({ inputs: inputs.map(urlOf), outputs: outputs.map(urlOf) }));
  const outcome = await call(page, 'runCase', { model: urlOf(model), sets }, device);
  return { name, outcome, millis: performance.now() - start };
}
