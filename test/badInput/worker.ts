// The process in which the fuzzer runs damaged models: import, seeded inputs, compile and run under a memory limit, as the command line does.
import { AnychipError } from '../../src/core/error.ts';
import { importModel } from '../../src/formats/onnx/import.ts';
import { seededFeeds } from '../../src/session/feeds.ts';
import { openModel } from '../../src/session/create.ts';

export interface FuzzJob {
  readonly model: string;
  readonly device: string;
  readonly maxMemoryBytes: number;
}

export type FuzzOutcome =
  | { readonly kind: 'ran' }
  /** An AnychipError that tells the user what is wrong. */
  | { readonly kind: 'refused'; readonly code: string; readonly message: string }
  | { readonly kind: 'failed'; readonly what: string; readonly detail: string };

export interface FuzzAnswer {
  readonly outcome: FuzzOutcome;
  /** Peak of this process so far. */
  readonly peakBytes: number;
}

async function attempt({ model, device, maxMemoryBytes }: FuzzJob): Promise<FuzzOutcome> {
  try {
    const imported = importModel(Buffer.from(model, 'base64'));
    const { values } = seededFeeds(imported.graph, new Map(), {}, 0, maxMemoryBytes);
    const session = await openModel(imported, { executionProviders: [device], maxMemoryBytes, intraOpNumThreads: 1 });
    try {
      await session.runValues(values);
    } finally {
      await session.release();
    }
    return { kind: 'ran' };
  } catch (error) {
    // A broken invariant is a bug here, whatever the model: bad input deserves a message of its own.
    if (error instanceof AnychipError && error.code !== 'internal') return { kind: 'refused', code: error.code, message: error.message };
    return { kind: 'failed', what: error instanceof Error ? `${error.name}: ${error.message}` : String(error), detail: error instanceof Error ? (error.stack ?? '') : '' };
  }
}

process.on('message', (job: FuzzJob) => {
  void attempt(job).then((outcome) => process.send?.({ outcome, peakBytes: process.resourceUsage().maxRSS * 1024 } satisfies FuzzAnswer));
});
process.on('disconnect', () => process.exit());
