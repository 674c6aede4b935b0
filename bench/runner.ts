// Something that can be timed, behind the same few functions whatever it is. It must not know how times are taken.
import type * as Common from 'onnxruntime-common';
import { sampleOf } from './agreement.ts';
import type { Samples } from './agreement.ts';

export interface Runner {
  /** One inference with the same inputs each time; resolves when the outputs are there. */
  run(): Promise<unknown>;
  /** What an inference gives, by the names of outputs. */
  outputs(): Promise<Samples>;
  close(): Promise<void>;
}

export const samplesOf = (outputs: Iterable<readonly [string, ArrayLike<number | bigint>]>): Samples => new Map(Array.from(outputs, ([name, data]) => [name, sampleOf(data)]));

/** A session with onnxruntime-common's interface as a runner. `reuses`: runs are given the outputs of the first to write into. */
export function sessionRunner(session: Pick<Common.InferenceSession, 'run' | 'release'>, feeds: Common.InferenceSession.FeedsType, reuses = false): Runner {
  let given: Common.InferenceSession.ReturnType | undefined;
  return {
    run: async () => {
      if (given !== undefined) return session.run(feeds, given);
      const outputs = await session.run(feeds);
      if (reuses) given = outputs;
      return outputs;
    },
    outputs: async () => samplesOf(Object.entries(await session.run(feeds)).map(([name, { data }]) => [name, data as ArrayLike<number | bigint>])),
    close: () => session.release(),
  };
}
