// Where the time of a run goes: runs a session while its kernels are timed one by one, and adds up what the trace says of each.
import { onTrace } from '../core/trace.ts';
import type { KernelTime } from '../core/trace.ts';
import type { HostValue } from '../graph/graph.ts';
import type { InferenceSession } from '../session/inferenceSession.ts';
import { median } from '../core/median.ts';

/** One kernel for the same nodes; a loop on the host may call it several times in a run. */
export interface KernelProfile extends KernelTime {
  /** Calls in one run. `micros`, `flops` and `bytes` are of all of them, `micros` the median over runs. */
  readonly calls: number;
}

/** Kernels in the order in which they first ran; empty where the device cannot time them. */
export async function profile(session: Pick<InferenceSession, 'runValues'>, feeds: ReadonlyMap<string, HostValue>, runs: number): Promise<readonly KernelProfile[]> {
  const found = new Map<string, { readonly first: KernelTime; calls: number; readonly micros: number[] }>();
  for (let run = 0; run < runs; run++) {
    const stop = onTrace((event) => {
      if (event.kind !== 'kernel') return;
      const key = [event.facts.kernel, ...event.facts.nodes].join();
      let entry = found.get(key);
      if (entry === undefined) found.set(key, (entry = { first: event.facts, calls: 0, micros: [] }));
      entry.calls++;
      entry.micros[run] = (entry.micros[run] ?? 0) + event.facts.micros;
    }, 4);
    try {
      await session.runValues(feeds);
    } finally {
      stop();
    }
  }
  return [...found.values()].map(({ first, calls, micros }) => {
    const perRun = calls / runs;
    return { ...first, flops: first.flops * perRun, bytes: first.bytes * perRun, calls: perRun, micros: median(Array.from(micros, (m) => m ?? 0)) };
  });
}
