// A driver of CUDA's shape, through the row that names its functions: calls, what they give, and errors with a remedy.
import { AnychipError } from '../../core/error.ts';
import { HostMemory } from '../hostMemory.ts';
import { openNative } from '../native.ts';
import type { Native } from '../native.ts';
import { BoundLibrary, openFirst } from './bind.ts';
import type { NativeArg } from './bind.ts';
import { driverCalls } from './table.ts';
import type { DriverCall, DriverFault, DriverTable } from './table.ts';

const NAME_BYTES = 256;

const remedies: Readonly<Record<DriverFault, { readonly code: 'limit' | 'device'; readonly reason: string; readonly hint: string }>> = {
  memory: { code: 'limit', reason: 'the device is out of memory', hint: 'Bind smaller dimensions, close other sessions, or use a device with more memory.' },
  launch: { code: 'device', reason: 'the kernel needs more than the device has', hint: 'Compile the model again on this machine, or use another device.' },
  lost: { code: 'device', reason: 'the device is lost to this process', hint: 'Start the process again; use another device, such as cpu, if it persists.' },
};

export class Driver {
  readonly table: DriverTable;
  readonly native: Native;
  readonly #library: BoundLibrary<DriverCall>;

  private constructor(table: DriverTable, native: Native) {
    this.table = table;
    this.native = native;
    this.#library = new BoundLibrary(native, openFirst(native, `the driver of ${table.title}`, table.libraries, table.install), driverCalls, table.symbols);
  }

  /** Loads the library and starts the driver. Rejects with a 'device' error. */
  static async open(table: DriverTable): Promise<Driver> {
    const driver = new Driver(table, await openNative());
    const status = driver.#library.call('init', [0]);
    if (status === table.noDevice) throw driver.#without();
    if (status !== 0) throw driver.#failure('init', status);
    if (driver.number('countDevices') === 0) throw driver.#without();
    return driver;
  }

  #without(): AnychipError {
    return new AnychipError('device', `the driver of ${this.table.title} is installed, but finds no device`, { hint: this.table.install, facts: { devices: 0 } });
  }

  /** Throws an error that names what went wrong and what to do. */
  call(call: DriverCall, ...args: readonly NativeArg[]): void {
    const status = this.#library.call(call, args);
    if (status !== 0) throw this.#failure(call, status);
  }

  /** A call whose failure tells nothing new. */
  attempt(call: DriverCall, ...args: readonly NativeArg[]): void {
    this.#library.call(call, args);
  }

  /** The handle or address that a call makes. */
  create(call: DriverCall, ...args: readonly NativeArg[]): bigint {
    const cell = new HostMemory(this.native, 8);
    this.call(call, cell, ...args);
    return cell.u64[0]!;
  }

  /** The 32-bit number that a call answers. */
  number(call: DriverCall, ...args: readonly NativeArg[]): number {
    const cell = new HostMemory(this.native, 8);
    this.call(call, cell, ...args);
    return cell.i32[0]!;
  }

  deviceName(device: number): string {
    const name = new HostMemory(this.native, NAME_BYTES);
    this.call('deviceName', name, NAME_BYTES, device);
    return name.text;
  }

  /** Whether the stream's work is done. */
  isDone(stream: bigint): boolean {
    const status = this.#library.call('pollStream', [stream]);
    if (status !== 0 && status !== this.table.notReady) throw this.#failure('pollStream', status);
    return status === 0;
  }

  #failure(call: DriverCall, status: number): AnychipError {
    const name = this.#say('errorName', status) ?? `error ${status}`;
    const text = this.#say('errorText', status);
    const said = `${this.table.symbols[call]} gave ${name}${text === undefined ? '' : ` (${text})`}`;
    const fault = this.table.faults[status];
    if (fault === undefined) return new AnychipError('device', said, { hint: 'Update the driver; use another device, such as cpu, if it persists.', facts: { status } });
    const { code, reason, hint } = remedies[fault];
    return new AnychipError(code, `${reason}: ${said}`, { hint, facts: { status } });
  }

  /** What the driver says of a status: it gives the address of a text of its own. */
  #say(call: 'errorName' | 'errorText', status: number): string | undefined {
    const cell = new HostMemory(this.native, 8);
    if (this.#library.call(call, [status, cell]) !== 0 || cell.u64[0] === 0n) return undefined;
    return this.native.textAt(cell.u64[0]!);
  }
}
