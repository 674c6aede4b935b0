// A queue that can tell how long each call took, on devices with timestamps.
import { invariant } from '../../core/error.ts';
import type { Buffer, Program } from '../../runtime/device.ts';
import { usage } from './api.ts';
import { GpuProgram, wordsOf } from './memory.ts';
import { GpuQueue } from './queue.ts';

/** Calls that are timed in one go: each takes two timestamps, and a set of them has at most 4096. */
const TIMED_AT_ONCE = 1024;

export class TimedGpuQueue extends GpuQueue {
  async profile(program: Program, bases: readonly Buffer[], calls: number): Promise<readonly number[]> {
    invariant(program instanceof GpuProgram && program.run.length === calls, 'a program of another device');
    const { gpu } = this.owner;
    const buffers = bases.map((buffer) => wordsOf(buffer, 0, 0));
    const nanos: number[] = [];
    for (let first = 0; first < calls; first += TIMED_AT_ONCE) {
      const part = program.run.slice(first, first + TIMED_AT_ONCE);
      const times = new BigUint64Array(2 * part.length);
      const querySet = gpu.createQuerySet({ type: 'timestamp', count: times.length });
      const resolved = gpu.createBuffer({ size: times.byteLength, usage: usage.queryResolve | usage.copySource });
      const encoder = this.commands();
      part.forEach((call, i) => {
        const pass = encoder.beginComputePass({ timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 } });
        call.encode(pass, buffers);
        pass.end();
      });
      encoder.resolveQuerySet(querySet, 0, times.length, resolved, 0);
      this.readBack(resolved, 0, new Uint8Array(times.buffer));
      await this.finish();
      querySet.destroy();
      resolved.destroy();
      nanos.push(...part.map((_, i) => Number(times[2 * i + 1]! - times[2 * i]!)));
    }
    return nanos;
  }
}
