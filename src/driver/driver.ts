// A driver, through the row that names its functions: calls, what they give, and errors with a remedy.
import { AnychipError } from '../core/error.ts';
import { HostMemory } from '../ffi/hostMemory.ts';
import { openNative } from '../ffi/native.ts';
import type { Native } from '../ffi/native.ts';
import { BoundLibrary, openFirst } from './library.ts';
import type { NativeArg } from './library.ts';
import { driverCalls } from './table.ts';
import type { DriverCall, DriverTable } from './table.ts';

const NAME_BYTES = 256;
/** More than the properties of any driver's device take. */
const PROPERTIES_BYTES = 16 << 10;

/** What a call is given, without the place for what it makes. */
type OperandsOf<C extends DriverCall> = Readonly<Record<Exclude<keyof (typeof driverCalls)[C], 'out'>, NativeArg>>;
type AllOf<C extends DriverCall> = Readonly<Record<keyof (typeof driverCalls)[C], NativeArg>>;

export class Driver {
  readonly table: DriverTable;
  readonly native: Native;
  readonly #library: BoundLibrary<DriverCall>;

  private constructor(table: DriverTable, native: Native) {
    this.table = table;
    this.native = native;
    this.#library = new BoundLibrary(native, openFirst(native, `the driver of ${table.title}`, table.libraries, table.install), driverCalls, table.calls);
  }

  /** Loads the library and starts the driver. Rejects with a 'device' error. */
  static async open(table: DriverTable): Promise<Driver> {
    const driver = new Driver(table, await openNative());
    const out = new HostMemory(driver.native, 8);
    const begun = driver.#status('init', {});
    const status = (begun === table.started ? 0 : begun) || driver.#status('countDevices', { out });
    if (table.noDevice.includes(status) || (status === 0 && out.i32[0] === 0)) throw driver.#without();
    if (status !== 0) throw driver.#failure('init', status);
    return driver;
  }

  #without(): AnychipError {
    return new AnychipError('device', `the driver of ${this.table.title} is installed, but finds no device`, { hint: this.table.install, facts: { devices: 0 } });
  }

  /** Whether the driver has such a thing. */
  has(call: DriverCall): boolean {
    return this.#library.has(call);
  }

  #status(call: DriverCall, operands: Readonly<Record<string, NativeArg>>): number {
    const status = Number(this.#library.call(call, operands));
    return this.table.signless === true ? Math.abs(status) : status;
  }

  /** Whether a call is given the operand: a copy that is given no stream waits for none. */
  takes(call: DriverCall, operand: string): boolean {
    return this.#library.spelling(call).args.includes(operand);
  }

  /** Throws an error that names what went wrong and what to do. */
  call<C extends DriverCall>(call: C, operands: AllOf<C>): void {
    const status = this.#status(call, operands);
    if (status !== 0) throw this.#failure(call, status);
  }

  /** A call whose failure tells nothing new. */
  attempt<C extends DriverCall>(call: C, operands: AllOf<C>): void {
    this.#status(call, operands);
  }

  #make(call: DriverCall, operands: Readonly<Record<string, NativeArg>>): HostMemory {
    const out = new HostMemory(this.native, 8);
    const status = this.#status(call, { ...operands, out });
    if (status !== 0) throw this.#failure(call, status);
    return out;
  }

  /** The handle or address that a call makes. */
  create<C extends DriverCall>(call: C, operands: OperandsOf<C>): bigint {
    return this.#make(call, operands).u64[0]!;
  }

  /** The 32-bit number that a call answers. */
  number<C extends DriverCall>(call: C, operands: OperandsOf<C>): number {
    return this.#make(call, operands).i32[0]!;
  }

  /** What the driver calls the device; undefined where it has no names. */
  deviceName(device: number): string | undefined {
    if (!this.has('deviceName')) return undefined;
    const out = new HostMemory(this.native, NAME_BYTES);
    const answer = this.#library.call('deviceName', { out, bytes: NAME_BYTES, device });
    if (this.#library.spelling('deviceName').answers === 'text') return Number(answer) === 0 ? undefined : this.native.textAt(BigInt(answer));
    if (Number(answer) !== 0) throw this.#failure('deviceName', Number(answer));
    return out.text;
  }

  /** The text at an offset in what the driver tells of a device. */
  propertyText(device: number, offset: number): string {
    const out = new HostMemory(this.native, PROPERTIES_BYTES);
    this.call('deviceProperties', { out, device });
    const bytes = out.bytes.subarray(offset);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** Whether the stream's work is done. */
  isDone(stream: bigint): boolean {
    const status = this.#status('pollStream', { stream });
    if (status !== 0 && status !== this.table.notReady) throw this.#failure('pollStream', status);
    return status === 0;
  }

  #failure(call: DriverCall, status: number): AnychipError {
    return this.failureOf(this.#library.spelling(call).symbol, status);
  }

  /** The error that says what a status of this driver means, answered by the function `symbol`. */
  failureOf(symbol: string, status: number): AnychipError {
    const known = this.table.errors[status];
    const name = known?.name ?? this.#say('errorName', status) ?? `error ${status}`;
    const text = this.#say('errorText', status);
    const said = `${symbol} gave ${name}${text === undefined ? '' : ` (${text})`}`;
    if (known === undefined) return new AnychipError('device', said, { hint: 'Update the driver; use another device, such as cpu, if it persists.', facts: { status } });
    return new AnychipError(known.fault === 'memory' ? 'limit' : 'device', `${known.meaning}: ${said}`, { hint: `${known.cause} ${known.remedy}`, facts: { status } });
  }

  /** What the driver says of a status, in a text of its own. */
  #say(call: 'errorName' | 'errorText', status: number): string | undefined {
    if (!this.has(call)) return undefined;
    const out = new HostMemory(this.native, 8);
    const answer = this.#library.call(call, { status, out });
    const address = this.#library.spelling(call).answers === 'text' ? BigInt(answer) : Number(answer) === 0 ? out.u64[0]! : 0n;
    return address === 0n ? undefined : this.native.textAt(address);
  }
}
