// Buffers and programs of a device of CUDA's shape: what the device makes and its queues use.
import type { Driver } from '../../ffi/driver/driver.ts';
import { HostMemory } from '../../ffi/hostMemory.ts';
import type { KernelCall } from '../../kernel/ir.ts';
import type { Buffer, Program } from '../../runtime/device.ts';
import type { LaunchPlan, LaunchedKernel } from '../../runtime/launchPlan.ts';
import type { CudaMachine } from './machine.ts';

export class CudaBuffer implements Buffer {
  readonly address: bigint;
  readonly bytes: number;
  readonly #machine: CudaMachine;
  #alive = true;

  constructor(machine: CudaMachine, address: bigint, bytes: number) {
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
    const { driver, context } = this.#machine;
    driver.call('useContext', context);
    driver.call('free', this.address);
  }
}

/** One call of the plan, with memory of its own for its arguments: a cell with an address each, and the list of the cells. */
export class CudaCall {
  readonly #driver: Driver;
  readonly #kernel: bigint;
  readonly #launch: LaunchedKernel;
  readonly #args: KernelCall['args'];
  readonly #cells: HostMemory;
  readonly #list: HostMemory;

  constructor(driver: Driver, module: bigint, launch: LaunchedKernel, args: KernelCall['args']) {
    const { native } = driver;
    this.#driver = driver;
    this.#launch = launch;
    this.#args = args;
    this.#kernel = driver.create('findKernel', module, HostMemory.string(native, launch.symbol));
    const cells = new HostMemory(native, 8 * args.length);
    this.#cells = cells;
    this.#list = HostMemory.words(
      native,
      args.map((_, i) => cells.address + BigInt(8 * i)),
    );
  }

  launch(stream: bigint, bases: readonly CudaBuffer[]): void {
    const { blocks, threads } = this.#launch;
    if (blocks === 0) return;
    const cells = this.#cells.u64;
    this.#args.forEach(({ base, offsetBytes }, i) => (cells[i] = bases[base]!.address + BigInt(offsetBytes)));
    this.#driver.call('launch', this.#kernel, blocks, 1, 1, threads, 1, 1, 0, stream, this.#list, 0n);
  }
}

/** The `run` calls with one set of bases, as the driver keeps them to run again. */
interface Captured {
  readonly bases: readonly bigint[];
  readonly graph: bigint;
}

export class CudaProgram implements Program {
  readonly init: readonly CudaCall[];
  readonly run: readonly CudaCall[];
  readonly #machine: CudaMachine;
  #module: bigint | undefined;
  /** The bases of the last run: what is run twice with the same ones is kept. */
  #last: readonly bigint[] = [];
  #captured: Captured | undefined;

  constructor(machine: CudaMachine, module: bigint, plan: LaunchPlan) {
    this.#machine = machine;
    this.#module = module;
    const callsOf = (calls: readonly KernelCall[]): CudaCall[] => calls.map((call) => new CudaCall(machine.driver, module, plan.kernels[call.kernel]!, call.args));
    this.init = callsOf(plan.init);
    this.run = callsOf(plan.run);
  }

  /** Hands in all `run` calls: one by one through `launch`, or at once where they were captured with the same bases. */
  runAll(stream: bigint, buffers: readonly CudaBuffer[], launch: (call: CudaCall, i: number) => void): void {
    const { driver } = this.#machine;
    const bases = buffers.map(({ address }) => address);
    const isSame = (others: readonly bigint[]): boolean => others.length === bases.length && others.every((base, i) => base === bases[i]);
    if (this.#captured !== undefined && isSame(this.#captured.bases)) return driver.call('launchGraph', this.#captured.graph, stream);
    if (this.run.length < 2 || !isSame(this.#last)) {
      this.#last = bases;
      return this.run.forEach(launch);
    }
    this.#forget();
    const graph = this.#capture(stream, launch);
    this.#captured = { bases, graph };
    driver.call('launchGraph', graph, stream);
  }

  #capture(stream: bigint, launch: (call: CudaCall, i: number) => void): bigint {
    const { driver } = this.#machine;
    driver.call('beginCapture', stream, driver.table.captureMode);
    const cell = new HostMemory(driver.native, 8);
    try {
      this.run.forEach(launch);
    } catch (error) {
      // The stream must leave the capture, with a graph or without; the launch's error is the one to tell.
      driver.attempt('endCapture', stream, cell);
      if (cell.u64[0] !== 0n) driver.attempt('destroyGraph', cell.u64[0]!);
      throw error;
    }
    driver.call('endCapture', stream, cell);
    const graph = cell.u64[0]!;
    try {
      return driver.create('instantiate', graph, 0);
    } finally {
      driver.call('destroyGraph', graph);
    }
  }

  #forget(): void {
    if (this.#captured !== undefined) this.#machine.driver.call('destroyGraphExec', this.#captured.graph);
    this.#captured = undefined;
  }

  dispose(): void {
    if (this.#module === undefined) return;
    const { driver, context } = this.#machine;
    driver.call('useContext', context);
    this.#forget();
    driver.call('unloadModule', this.#module);
    this.#module = undefined;
  }
}
