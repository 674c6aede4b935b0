// Counts the bytes of host values that are alive. Data that several values share, such as a tensor and its reshaped view, counts once.
import { isTensor } from '../graph/graph.ts';
import type { HostValue } from '../graph/graph.ts';

/** What a string takes beside its characters. */
const STRING_BYTES = 16;

export class LiveData {
  readonly #holders = new Map<object, number>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  hold(value: HostValue): void {
    visitData(value, (data, bytes) => {
      const holders = this.#holders.get(data) ?? 0;
      if (holders === 0) this.#bytes += bytes;
      this.#holders.set(data, holders + 1);
    });
  }

  release(value: HostValue): void {
    visitData(value, (data, bytes) => {
      const holders = this.#holders.get(data) ?? 0;
      if (holders > 1) this.#holders.set(data, holders - 1);
      else if (this.#holders.delete(data)) this.#bytes -= bytes;
    });
  }
}

/** Bytes of all data of a value. */
export function hostBytes(value: HostValue): number {
  let sum = 0;
  visitData(value, (_, bytes) => (sum += bytes));
  return sum;
}

/** Every piece of data of a value, with its bytes. */
export function visitData(value: HostValue, visit: (data: object, bytes: number) => void): void {
  if (value === null) return;
  if (!isTensor(value)) for (const item of value) visitData(item, visit);
  else if (value.dtype === 'string') visit(value.data, value.data.length * STRING_BYTES);
  else visit(value.data, value.data.byteLength);
}
