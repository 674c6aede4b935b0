// Measures ways of computing on the machine at hand: the model is compiled once for each, so that every kernel is timed where it stands,
// with the memory around it as it is in a run. The fastest are remembered.
import { onTrace } from '../core/trace.ts';
import type { HostValue } from '../graph/graph.ts';
import type { Model } from '../formats/onnx/import.ts';
import type { Question } from '../schedule/decide.ts';
import type { ChooseDevice } from './choose.ts';
import { chooseDevice, machineOf } from './devices.ts';
import { InferenceSession } from './inferenceSession.ts';
import { MeasuredWays } from './measuredWays.ts';
import type { SessionOptions } from './options.ts';
import { median } from '../core/median.ts';

export interface TuneReport {
  readonly device: string;
  /** Choices that the model's kernels leave open. */
  readonly questions: number;
  /** Those for which another way than the first was fastest. */
  readonly changed: number;
  /** Microseconds of all these kernels in a run: with the first ways, and with the fastest. */
  readonly microsBefore: number;
  readonly microsAfter: number;
}

const RUNS = 5;

/** Median microseconds of a run in the kernels of each question. */
async function timeKernels(session: InferenceSession, feeds: ReadonlyMap<string, HostValue>): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number[]>();
  await session.runValues(feeds);
  for (let run = 0; run < RUNS; run++) {
    const stop = onTrace((event) => {
      if (event.kind !== 'kernel' || event.facts.question === undefined) return;
      const list = times.get(event.facts.question) ?? [];
      list[run] = (list[run] ?? 0) + event.facts.micros;
      times.set(event.facts.question, list);
    }, 4);
    try {
      await session.runValues(feeds);
    } finally {
      stop();
    }
  }
  return new Map([...times].map(([key, list]) => [key, median(list)]));
}

/** Finds and remembers the fastest way for each choice that the kernels of `model` leave open on the device asked for. */
export async function tune(model: Model, feeds: ReadonlyMap<string, HostValue>, options: SessionOptions = {}): Promise<TuneReport> {
  const questions = new Map<string, Question>();
  const measured: ReadonlyMap<string, number>[] = [];
  let machine: Awaited<ReturnType<ChooseDevice>> | undefined;
  const most = (): number => Math.max(1, ...[...questions.values()].map((q) => q.ways.length));
  for (let round = 0; round < most(); round++) {
    const choose: ChooseDevice = async (names) => {
      machine = await chooseDevice(names);
      const decide = (question: Question): number => {
        questions.set(question.key, question);
        return Math.min(round, question.ways.length - 1);
      };
      return { ...machine, decide };
    };
    const session = await InferenceSession.open(model, options, choose);
    try {
      measured.push(await timeKernels(session, feeds));
    } finally {
      await session.release();
    }
  }
  const known = new MeasuredWays(machineOf(machine!));
  let [changed, microsBefore, microsAfter] = [0, 0, 0];
  for (const question of questions.values()) {
    const times = question.ways.map((_, i) => measured[i]?.get(question.key) ?? Infinity);
    const best = times.indexOf(Math.min(...times));
    if (!Number.isFinite(times[best]!)) continue;
    known.remember(question, question.ways[best]!);
    changed += best === 0 ? 0 : 1;
    microsBefore += times[0]!;
    microsAfter += times[best]!;
  }
  return { device: machine!.name, questions: questions.size, changed, microsBefore, microsAfter };
}
