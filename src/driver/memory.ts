// Buffers and programs of a device that a driver launches kernels on: what the device makes and its queues use.
import type { Driver } from './driver.ts';
import { HostMemory } from '../ffi/hostMemory.ts';
import type { KernelCall } from '../kernel/ir.ts';
import type { Buffer, Program } from '../runtime/device.ts';
import type { LaunchPlan, LaunchedKernel } from '../runtime/launchPlan.ts';
import type { LoadedKernels } from './kernels.ts';
import { enter } from './machine.ts';
import type { DriverMachine } from './machine.ts';

export class DriverBuffer implements Buffer {
  readonly address: bigint;
  readonly bytes: number;
  readonly #machine: DriverMachine;
  #alive = true;

  constructor(machine: DriverMachine, address: bigint, bytes: number) {
    this.#machine = machine;
    this.address = address;
    this.bytes = bytes;
  }

  get alive(): boolean {
    return this.#alive;
  }

  dispose(): void {
    if (!this.#alive) return;
    this.#alive = false;
    enter(this.#machine);
    this.#machine.driver.call('free', { address: this.address });
  }
}

const CELL_BYTES = 8;

/** One call of the plan, with memory of its own for its arguments: a cell with an address each, and the list of the cells. */
export class DriverCallable implements StreamCall {
  readonly #driver: Driver;
  readonly #kernel: bigint;
  readonly #launch: LaunchedKernel;
  readonly #args: KernelCall['args'];
  readonly #cells: HostMemory;
  readonly #list: HostMemory;

  constructor(driver: Driver, kernel: bigint, launch: LaunchedKernel, args: KernelCall['args']) {
    const { native } = driver;
    this.#driver = driver;
    this.#launch = launch;
    this.#args = args;
    this.#kernel = kernel;
    const { sharedBytes } = launch;
    if (sharedBytes !== undefined) driver.call('allowShared', { kernel, sharedBytes });
    const cells = new HostMemory(native, CELL_BYTES * args.length);
    this.#cells = cells;
    this.#list = HostMemory.words(
      native,
      args.map((_, i) => cells.address + BigInt(CELL_BYTES * i)),
    );
  }

  launch(stream: bigint, bases: readonly DriverBuffer[]): void {
    const { blocks, threads, sharedBytes = 0 } = this.#launch;
    if (blocks === 0) return;
    const cells = this.#cells.u64;
    this.#args.forEach(({ base, offsetBytes }, i) => (cells[i] = bases[base]!.address + BigInt(offsetBytes)));
    const driver = this.#driver;
    const { launchArguments } = driver.table;
    if (launchArguments === 'separate') {
      this.#args.forEach((_, i) => driver.call('setArgument', { value: this.#cells.address + BigInt(CELL_BYTES * i), bytes: CELL_BYTES, offset: CELL_BYTES * i }));
    }
    if (driver.has('configure')) driver.call('configure', { blocks, threads, stream });
    const args = launchArguments === 'addresses' ? this.#list : this.#cells;
    driver.call('launch', { kernel: this.#kernel, blocks, threads, sharedBytes, stream, args, argBytes: CELL_BYTES * this.#args.length });
  }
}

/** The `run` calls with one set of bases, as the driver keeps them to run again. */
interface Captured {
  readonly bases: readonly bigint[];
  readonly graph: bigint;
}

/** A call of a program, handed in to a stream. */
export interface StreamCall {
  launch(stream: bigint, bases: readonly DriverBuffer[]): void;
}

/** What a queue can run: calls in order. */
export abstract class StreamProgram implements Program {
  abstract readonly init: readonly StreamCall[];
  abstract readonly run: readonly StreamCall[];

  /** Hands in all `run` calls: one by one through `launch`, or in a way of the program's own. */
  runAll(_stream: bigint, _buffers: readonly DriverBuffer[], launch: (call: StreamCall, i: number) => void): void {
    this.run.forEach(launch);
  }
  abstract dispose(): void;
}

export class DriverProgram extends StreamProgram {
  readonly init: readonly DriverCallable[];
  readonly run: readonly DriverCallable[];
  readonly #machine: DriverMachine;
  #kernels: LoadedKernels | undefined;
  /** The bases of the last run: what is run twice with the same ones is kept. */
  #last: readonly bigint[] = [];
  #captured: Captured | undefined;

  /** Takes the kernels over. */
  constructor(machine: DriverMachine, kernels: LoadedKernels, plan: LaunchPlan) {
    super();
    this.#machine = machine;
    this.#kernels = kernels;
    const callsOf = (calls: readonly KernelCall[]): DriverCallable[] =>
      calls.map(({ kernel, args }) => new DriverCallable(machine.driver, kernels.find(kernel), plan.kernels[kernel]!, args));
    this.init = callsOf(plan.init);
    this.run = callsOf(plan.run);
  }

  /** One by one, or at once where they were captured with the same bases. */
  override runAll(stream: bigint, buffers: readonly DriverBuffer[], launch: (call: StreamCall, i: number) => void): void {
    const { driver } = this.#machine;
    const bases = buffers.map(({ address }) => address);
    const isSame = (others: readonly bigint[]): boolean => others.length === bases.length && others.every((base, i) => base === bases[i]);
    if (this.#captured !== undefined && isSame(this.#captured.bases)) return driver.call('launchGraph', { graph: this.#captured.graph, stream });
    if (this.run.length < 2 || !driver.has('beginCapture') || !isSame(this.#last)) {
      this.#last = bases;
      return this.run.forEach(launch);
    }
    this.#forget();
    const graph = this.#capture(stream, launch);
    this.#captured = { bases, graph };
    driver.call('launchGraph', { graph, stream });
  }

  #capture(stream: bigint, launch: (call: StreamCall, i: number) => void): bigint {
    const { driver } = this.#machine;
    driver.call('beginCapture', { stream });
    const out = new HostMemory(driver.native, 8);
    try {
      this.run.forEach(launch);
    } catch (error) {
      // The stream must leave the capture, with a graph or without; the launch's error is the one to tell.
      driver.attempt('endCapture', { stream, out });
      if (out.u64[0] !== 0n) driver.attempt('destroyGraph', { graph: out.u64[0]! });
      throw error;
    }
    driver.call('endCapture', { stream, out });
    const graph = out.u64[0]!;
    try {
      return driver.create('instantiate', { graph });
    } finally {
      driver.call('destroyGraph', { graph });
    }
  }

  #forget(): void {
    if (this.#captured !== undefined) this.#machine.driver.call('destroyGraphExec', { graph: this.#captured.graph });
    this.#captured = undefined;
  }

  dispose(): void {
    if (this.#kernels === undefined) return;
    enter(this.#machine);
    this.#forget();
    this.#kernels.dispose();
    this.#kernels = undefined;
  }
}
