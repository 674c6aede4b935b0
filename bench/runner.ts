// Something that can be timed, behind the same few functions whatever it is. It must not know how times are taken.
import type * as Common from 'onnxruntime-common';

export interface Runner {
  readonly name: string;
  /** One inference with the same inputs each time; resolves when the outputs are there. */
  run(): Promise<unknown>;
  /** What an inference gives: the numbers of each output, in the model's own order. */
  outputs(): Promise<ReadonlyMap<string, ArrayLike<number>>>;
  close(): Promise<void>;
}

/** The numbers of what a session gave. */
const numbersOf = (results: Common.InferenceSession.OnnxValueMapType): Map<string, ArrayLike<number>> =>
  new Map(Object.entries(results).map(([name, { data }]) => [name, Array.from(data as ArrayLike<number | bigint>, Number)]));

/** A session with onnxruntime-common's interface as a runner. */
export const sessionRunner = (name: string, session: Pick<Common.InferenceSession, 'run' | 'release'>, feeds: Common.InferenceSession.FeedsType): Runner => ({
  name,
  run: () => session.run(feeds),
  outputs: async () => numbersOf(await session.run(feeds)),
  close: () => session.release(),
});
