// The process that runs cases for `runSuite`, one at a time: a case that crashes takes only this process with it.
import { runCase } from './runCase.ts';
import type { CaseOptions } from './runCase.ts';
import type { Case } from './suite.ts';

export interface Job {
  readonly test: Case;
  readonly options: CaseOptions;
}

process.on('message', (job: Job) => {
  void runCase(job.test, job.options).then((outcome) => process.send?.(outcome));
});
process.on('disconnect', () => process.exit());
