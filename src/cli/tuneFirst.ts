// `--tune` of run and bench: measures ways of computing on each device asked for before anything else.
import type { Model } from '../formats/onnx/import.ts';
import type { HostValue } from '../graph/graph.ts';
import { tune } from '../session/tune.ts';
import type { SessionOptions } from '../session/options.ts';
import { endProgress, note, progress } from './print.ts';

export async function tuneFirst(devices: readonly string[], model: Model, feeds: ReadonlyMap<string, HostValue>, options: SessionOptions): Promise<void> {
  for (const device of devices) {
    progress(`measuring on ${device}`);
    const { device: name, questions, changed, microsBefore, microsAfter } = await tune(model, feeds, { ...options, executionProviders: [device] });
    endProgress();
    const gain =
      questions === 0
        ? 'its kernels leave nothing open'
        : `${changed} of ${questions} choices changed, ${Math.round(microsBefore)} → ${Math.round(microsAfter)} µs in their kernels`;
    note(`tuned for ${name}: ${gain}`);
  }
}
