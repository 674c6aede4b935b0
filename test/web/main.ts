// ONNX's suite in Chromium, the whole of it: `npx tsx test/web/main.ts [--device wasm] [--every 1] [--filter GLOB]`. The exit code is 1 when a case fails.
import { parseArgs } from 'node:util';
import { reportOf } from '../../src/conformance/report.ts';
import type { CaseResult } from '../../src/conformance/report.ts';
import { listCases } from '../../src/conformance/suite.ts';
import { executable, openChromium, openHarness, serveSite } from './chromium.ts';
import { SUITE_PATH, runCaseIn, suite } from './suite.ts';

const { values } = parseArgs({ options: { device: { type: 'string', default: 'wasm' }, every: { type: 'string', default: '1' }, filter: { type: 'string', default: '*' } } });
if (suite === undefined || executable === undefined) throw new Error('this needs the Debian packages chromium and libonnx-testdata');
const cases = listCases(suite, values.filter).filter((_, i) => i % Number(values.every) === 0);
const [browser, site] = await Promise.all([openChromium(), serveSite({ [SUITE_PATH]: suite })]);
const page = await openHarness(site, browser);
const results: CaseResult[] = [];
for (const test of cases) {
  const result = await runCaseIn(page, test, values.device);
  results.push(result);
  if (result.outcome.kind === 'failed') process.stdout.write(`FAILED ${test.name} [${result.outcome.code}] ${result.outcome.message}\n`);
}
await browser.close();
site.close();
const { total, passed, failed, skipped, onDevice } = reportOf(values.device, results);
const seconds = results.reduce((sum, { millis }) => sum + millis, 0) / 1000;
process.stdout.write(`${values.device}: ${passed} of ${total} passed, ${failed} failed, ${skipped} skipped; ${onDevice} wholly on the device; ${seconds.toFixed(0)} s\n`);
process.exitCode = failed > 0 ? 1 : 0;
