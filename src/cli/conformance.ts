// `anychip conformance`: a suite of cases on one device.
import { Command } from 'commander';
import { reportOf } from '../conformance/report.ts';
import { runSuite } from '../conformance/runSuite.ts';
import { listCases } from '../conformance/suite.ts';
import { chooseDevice } from '../session/devices.ts';
import type { Precision } from '../session/options.ts';
import { options } from './options.ts';
import { endProgress, exitCodes, percent, print, printJson, progress } from './print.ts';

interface Given {
  readonly device: string;
  readonly filter: string;
  readonly every: number;
  readonly json?: boolean;
  readonly jobs?: number;
  readonly threads?: number;
  readonly maxMemory?: number;
  readonly precision?: Precision;
}

export const conformance = new Command('conformance')
  .description('run a suite of cases (model.onnx, test_data_set_*/…) and compare every output')
  .argument('<suite>', 'folder with one folder a case')
  .addOption(options.device)
  .addOption(options.filter)
  .addOption(options.every)
  .addOption(options.jobs)
  .addOption(options.threads)
  .addOption(options.maxMemory)
  .addOption(options.precision)
  .addOption(options.json)
  .action(async (suite: string, given: Given) => {
    const cases = listCases(suite, given.filter).filter((_, i) => i % given.every === 0);
    const { name: device } = await chooseDevice([given.device]);
    const results = await runSuite(cases, {
      device,
      threads: given.threads,
      maxMemoryBytes: given.maxMemory,
      precision: given.precision,
      ...(given.jobs === undefined ? {} : { jobs: given.jobs }),
      onResult: (result, done, total) => progress(`${done}/${total} ${result.outcome.kind} ${result.name}`),
    });
    endProgress();
    const report = reportOf(device, results);
    if (report.failed > 0) process.exitCode = exitCodes.mismatch;
    if (given.json === true) return printJson(report);
    for (const { name, code, message } of report.failures) print(`FAILED ${name} [${code}]\n  ${message}`);
    for (const { name, outcome } of results) if (outcome.kind === 'skipped') print(`SKIPPED ${name}: ${outcome.reason}`);
    print(
      `${device}: ${report.passed} of ${report.total} passed, ${report.failed} failed, ${report.skipped} skipped; ${report.onDevice} (${percent(report.onDevice, report.passed)} of the passed) wholly on the device`,
    );
  });
