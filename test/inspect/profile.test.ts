// The profile of a session is what the trace says of its kernels, and timing them costs nothing while nobody asks.
import { describe, expect, it } from 'vitest';
import { isTraced, onTrace, trace } from '../../src/core/trace.ts';
import { profile } from '../../src/inspect/profile.ts';

/** A session whose runs take these times: for each run, for each call. */
function sessionOf(runs: readonly (readonly (readonly [kernel: string, micros: number])[])[]) {
  let run = 0;
  return {
    runValues: () => {
      for (const [kernel, micros] of runs[run++]!) {
        trace(4, () => ({ kind: 'kernel', message: kernel, facts: { kernel, nodes: [`node of ${kernel}`], flops: 10, bytes: 4, micros } }));
      }
      return Promise.resolve(new Map());
    },
  };
}

describe('a profile', () => {
  it('takes the median over runs and adds up the calls of a run', async () => {
    const session = sessionOf([
      [
        ['a', 5],
        ['b', 1],
        ['b', 2],
      ],
      [
        ['a', 7],
        ['b', 3],
        ['b', 4],
      ],
      [
        ['a', 90],
        ['b', 1],
        ['b', 1],
      ],
    ]);
    const kernels = await profile(session, new Map(), 3);
    expect(kernels.map(({ kernel, calls, micros, flops }) => ({ kernel, calls, micros, flops }))).toEqual([
      { kernel: 'a', calls: 1, micros: 7, flops: 10 },
      { kernel: 'b', calls: 2, micros: 3, flops: 20 },
    ]);
  });

  it('asks for events of kernels only while it runs', async () => {
    expect(isTraced(4)).toBe(false);
    const session = { runValues: () => Promise.resolve(new Map([['traced', isTraced(4) ? null : []]])) };
    await profile(session, new Map(), 1);
    expect(isTraced(4)).toBe(false);
  });

  it('leaves out what a listener did not ask for', () => {
    const seen: string[] = [];
    const stop = onTrace((event) => void seen.push(event.message), 2);
    trace(2, () => ({ kind: 'plan', message: 'a step' }));
    trace(3, () => ({ kind: 'pass', message: 'a pass' }));
    stop();
    trace(1, () => ({ kind: 'plan', message: 'later' }));
    expect(seen).toEqual(['a step']);
  });
});
