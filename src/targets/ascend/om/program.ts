// A model that the device has loaded: the one call of a program. Its inputs are found by their names, its outputs stand in order.
import { AnychipError, invariant } from '../../../core/error.ts';
import type { Driver } from '../../../driver/driver.ts';
import { requireFormat } from '../../../driver/device.ts';
import type { LoadProgram } from '../../../driver/device.ts';
import { enter } from '../../../driver/machine.ts';
import type { DriverMachine } from '../../../driver/machine.ts';
import { StreamProgram } from '../../../driver/memory.ts';
import type { DriverBuffer, StreamCall } from '../../../driver/memory.ts';
import { HostMemory } from '../../../ffi/hostMemory.ts';
import { ModelLibrary } from './calls.ts';

/** Bases of a program begin with those of intermediates and weights, which a model has of its own. */
const FIRST_PORT = 2;

/** How the model calls its inputs: the compiler was given them so. */
const inputName = (i: number): string => `input${i}`;

export const omFormat = (soc: string): string => `om-${soc}`;

export const createOmLoader =
  (soc: string): LoadProgram =>
  async (machine, binary) => {
    requireFormat(binary, omFormat(soc));
    return new OmProgram(machine, binary.bytes);
  };

class OmProgram extends StreamProgram implements StreamCall {
  readonly init = [];
  readonly run: readonly StreamCall[] = [this];
  readonly #machine: DriverMachine;
  readonly #library: ModelLibrary;
  readonly #inputs: readonly number[];
  readonly #outputs: number;
  #model: number | undefined;
  /** What the last run was given: kept until the next, because the device may still read it. */
  #lists: readonly bigint[] = [];
  #buffers: readonly bigint[] = [];

  constructor(machine: DriverMachine, bytes: Uint8Array) {
    super();
    const { driver } = machine;
    this.#machine = machine;
    this.#library = new ModelLibrary(driver);
    const image = new HostMemory(driver.native, bytes.byteLength);
    image.bytes.set(bytes);
    const out = new HostMemory(driver.native, 8);
    this.#library.call('load', { image, bytes: bytes.byteLength, out });
    this.#model = out.i32[0]!;
    try {
      [this.#inputs, this.#outputs] = this.#describe(driver, this.#model);
    } catch (error) {
      this.#library.call('unload', { model: this.#model });
      throw error;
    }
  }

  /** For each input of the model the number of the program's, and how many outputs there are. */
  #describe(driver: Driver, model: number): [readonly number[], number] {
    const library = this.#library;
    const description = library.create('createDescription', {});
    try {
      library.call('describe', { description, model });
      const count = library.number('countInputs', { description });
      const order: number[] = [];
      for (let i = 0; i < count; i++) {
        const out = new HostMemory(driver.native, 8);
        library.call('inputIndex', { description, name: HostMemory.string(driver.native, inputName(i)), out });
        order[out.i32[0]!] = i;
      }
      return [order, library.number('countOutputs', { description })];
    } finally {
      library.call('destroyDescription', { description });
    }
  }

  launch(stream: bigint, bases: readonly DriverBuffer[]): void {
    const model = this.#model;
    invariant(model !== undefined, 'a program that was disposed');
    const ports = bases.slice(FIRST_PORT);
    const count = this.#inputs.length + this.#outputs;
    if (ports.length !== count) throw new AnychipError('device', `the model has ${count} inputs and outputs, the program ${ports.length}`, { hint: 'Compile the model again.' });
    this.#letGo();
    const inputs = this.#list(this.#inputs.map((i) => ports[i]!));
    const outputs = this.#list(ports.slice(this.#inputs.length));
    this.#library.call('execute', { model, inputs, outputs, stream });
  }

  #list(buffers: readonly DriverBuffer[]): bigint {
    const library = this.#library;
    const dataset = library.create('createDataset', {});
    this.#lists = [...this.#lists, dataset];
    for (const { address, bytes } of buffers) {
      const buffer = library.create('createBuffer', { address, bytes });
      this.#buffers = [...this.#buffers, buffer];
      library.call('addBuffer', { dataset, buffer });
    }
    return dataset;
  }

  #letGo(): void {
    const [lists, buffers] = [this.#lists, this.#buffers];
    [this.#lists, this.#buffers] = [[], []];
    for (const dataset of lists) this.#library.call('destroyDataset', { dataset });
    for (const buffer of buffers) this.#library.call('destroyBuffer', { buffer });
  }

  dispose(): void {
    if (this.#model === undefined) return;
    enter(this.#machine);
    this.#letGo();
    this.#library.call('unload', { model: this.#model });
    this.#model = undefined;
  }
}
