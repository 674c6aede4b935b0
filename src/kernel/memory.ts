// Memory as an interpreter of kernels sees it: blocks of bytes, and beside each, if asked for, who last wrote and read every byte.
// So it finds reads of what was never written, and grid steps or threads whose result depends on the order they run in.
import { byteWidth, dtypes } from '../core/dtype.ts';
import type { NumericDType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { bigintReader, elementWriter, numberReader } from '../core/tensor.ts';
import type { Pipe } from './ir.ts';
import type { PipeWatch } from './pipes.ts';
import type { Scalar } from './scalar.ts';

export interface Block {
  readonly bytes: Uint8Array;
  /** Left out: nothing is watched. */
  readonly watch?: Watch;
}

/** For each byte the stamp of who wrote or read it last; 0 for never. Stamps only grow. */
export interface Watch {
  readonly written: Int32Array;
  readonly read: Int32Array;
  /** By line of memory: who stored there through a cache of its own. */
  readonly lines: Map<number, number>;
  /** Bytes that a fetch which was not awaited yet will write. */
  readonly awaited: Set<number>;
  /** How many products under way read a byte. */
  readonly held: Map<number, number>;
}

/** Fresh memory whose contents are undefined: watched, and filled with what is no sensible number. */
export function watchedBlock(bytes: number): Block {
  return { bytes: new Uint8Array(bytes).fill(0xe7), watch: { written: new Int32Array(bytes), read: new Int32Array(bytes), lines: new Map(), awaited: new Set(), held: new Map() } };
}

/** Where a thread is: every access until its next barrier bears its stamp. */
export interface Moment {
  readonly stamp: number;
  /** The first stamps of the call, of the grid step, and of what its threads do between the same two barriers. */
  readonly call: number;
  readonly step: number;
  readonly phase: number;
  /** Of a core whose pipes work side by side. */
  readonly pipes?: PipeWatch;
  readonly pipe?: Pipe;
  /** Bytes of the lines of global memory that scalar stores of different grid steps must not share. */
  readonly lineBytes?: number;
}

/** Whether an access with this stamp comes neither before nor after what happens now: another grid step, or another thread of it. */
const meets = (stamp: number, now: Moment): boolean => stamp >= now.call && stamp !== now.stamp && (stamp < now.step || stamp >= now.phase);

/** A typed window on a block. */
export class View {
  readonly name: string;
  readonly dtype: NumericDType;
  readonly elements: number;
  readonly #width: number;
  readonly #block: Block;
  readonly #offset: number;
  readonly #read: (i: number) => Scalar;
  readonly #write: (i: number, value: Scalar) => void;

  constructor(name: string, dtype: NumericDType, elements: number, block: Block, offset: number) {
    this.name = name;
    this.dtype = dtype;
    this.elements = elements;
    this.#width = byteWidth(dtype);
    this.#block = block;
    this.#offset = offset;
    const end = offset + elements * this.#width;
    if (offset < 0 || end > block.bytes.byteLength) fail(`${name} is bytes ${offset} to ${end} of a block of ${block.bytes.byteLength}`);
    const data = dtypes[dtype].viewArray(block.bytes.buffer, block.bytes.byteOffset + offset, elements);
    const tensor = { dtype, shape: [elements], data };
    this.#read = dtypes[dtype].held === 'bigint' ? bigintReader(tensor) : numberReader(tensor);
    this.#write = elementWriter(tensor);
  }

  load(i: number, now: Moment): Scalar {
    this.#check(i);
    if (now.pipe !== undefined) now.pipes?.use(this, this.elements, i, now.pipe, 'read', this.name);
    const watch = this.#block.watch;
    if (watch !== undefined) {
      this.#eachByte(i, (b) => {
        const stamp = watch.written[b]!;
        if (watch.awaited.has(b)) fail(`element ${i} of ${this.name} is read before it was awaited`);
        if (stamp === 0) fail(`element ${i} of ${this.name} is read and was never written`);
        if (meets(stamp, now)) fail(`element ${i} of ${this.name} is read while another grid step or thread writes it`);
        watch.read[b] = now.stamp;
      });
    }
    return this.#read(i);
  }

  /** A load by a matrix unit, which knows what was stored before the stamp `published`. */
  loadByUnit(i: number, now: Moment, published: number): Scalar {
    this.#check(i);
    const watch = this.#block.watch;
    if (watch !== undefined) {
      this.#eachByte(i, (b) => {
        if (watch.written[b]! >= published) fail(`element ${i} of ${this.name} is read by a matrix unit that was not told of it`);
      });
    }
    return this.load(i, now);
  }

  /** Keeps the element as it is until the function that it gives is called. */
  hold(i: number): () => void {
    const held = this.#block.watch?.held;
    this.#eachByte(i, (b) => void held?.set(b, (held.get(b) ?? 0) + 1));
    return () =>
      this.#eachByte(i, (b) => {
        const count = (held?.get(b) ?? 1) - 1;
        if (count === 0) held?.delete(b);
        else held?.set(b, count);
      });
  }

  store(i: number, value: Scalar, now: Moment): void {
    this.#check(i);
    if (now.pipe !== undefined) now.pipes?.use(this, this.elements, i, now.pipe, 'written', this.name);
    const watch = this.#block.watch;
    if (watch !== undefined) {
      if (now.lineBytes !== undefined && now.pipe === 'scalar') this.#ownLine(i, now, watch.lines, now.lineBytes);
      this.#eachByte(i, (b) => {
        if (watch.awaited.has(b)) fail(`element ${i} of ${this.name} is written while it is being fetched`);
        if (watch.held.has(b)) fail(`element ${i} of ${this.name} is written while a product that is not settled reads it`);
        if (meets(watch.written[b]!, now) || meets(watch.read[b]!, now)) fail(`element ${i} of ${this.name} is written while another grid step or thread uses it`);
        watch.written[b] = now.stamp;
      });
    }
    this.#write(i, value);
  }

  /** A fetch of element `i` is under way: it may be written at any time from now on. */
  begin(i: number, now: Moment): void {
    this.store(i, dtypes[this.dtype].held === 'bigint' ? 0n : 0, now);
    this.#eachByte(i, (b) => void this.#block.watch?.awaited.add(b));
  }

  /** It has arrived, at the latest now. */
  land(i: number, value: Scalar, now: Moment): void {
    this.#eachByte(i, (b) => void this.#block.watch?.awaited.delete(b));
    this.store(i, value, now);
  }

  /** A store through a core's cache takes the whole line along: nobody else may write into it during this call. */
  #ownLine(i: number, now: Moment, lines: Map<number, number>, lineBytes: number): void {
    const line = Math.floor((this.#offset + i * this.#width) / lineBytes);
    const owner = lines.get(line) ?? 0;
    if (owner >= now.call && owner < now.step) fail(`element ${i} of ${this.name} lies in a line of memory that another core stores into`);
    lines.set(line, now.stamp);
  }

  #eachByte(i: number, visit: (byte: number) => void): void {
    const start = this.#offset + i * this.#width;
    for (let b = start; b < start + this.#width; b++) visit(b);
  }

  #check(i: number): void {
    if (i < 0 || i >= this.elements) fail(`element ${i} of ${this.name}, which has ${this.elements}`);
  }
}

function fail(reason: string): never {
  throw new AnychipError('internal', reason, { hint: 'This is a bug in anychip; please report it with the model.' });
}
