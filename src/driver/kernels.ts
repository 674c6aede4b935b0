// Kernels of a program as what a driver's `launch` takes: found in a module that the driver loaded, or records in host memory that tell it
// where their code lies.
import { createHash } from 'node:crypto';
import { AnychipError } from '../core/error.ts';
import { HostMemory } from '../ffi/hostMemory.ts';
import type { LaunchedKernel } from '../runtime/launchPlan.ts';
import type { Driver } from './driver.ts';
import type { DriverTable, KernelRecord } from './table.ts';

export interface LoadedKernels {
  /** The handle of a kernel of the plan. */
  find(kernel: number): bigint;
  dispose(): void;
}

/** Makes kernels of the plan's code, which may come in pieces. Throws a 'device' error. */
type Loader = (driver: Driver, kernels: readonly LaunchedKernel[], pieces: readonly Uint8Array[]) => LoadedKernels;

function hostCopy(driver: Driver, bytes: Uint8Array): HostMemory {
  const copy = new HostMemory(driver.native, bytes.byteLength);
  copy.bytes.set(bytes);
  return copy;
}

/** One module holds all. */
const loadModule: Loader = (driver, kernels, [code = new Uint8Array()]) => {
  const module = driver.create('loadModule', { image: hostCopy(driver, code), bytes: code.byteLength });
  return {
    find: (kernel) => driver.create('findKernel', { module, name: HostMemory.string(driver.native, kernels[kernel]!.symbol) }),
    dispose: () => driver.call('unloadModule', { module }),
  };
};

const HASH_BYTES = 8;

/** Each kernel has a piece of its own, and a record that lives as long as the program. */
const makeRecords =
  ({ bytes, codeAt, codeBytesAt, hashAt, nameAt }: KernelRecord): Loader =>
  (driver, kernels, pieces) => {
    if (pieces.length !== kernels.length) throw new AnychipError('bad-file', 'the program has not as many pieces of code as kernels', { hint: 'Compile the model again.' });
    let made: { readonly record: HostMemory; readonly holds: readonly HostMemory[] }[] = kernels.map(({ symbol }, i) => {
      const [code, name] = [hostCopy(driver, pieces[i]!), HostMemory.string(driver.native, symbol)];
      const record = new HostMemory(driver.native, bytes);
      const view = new DataView(record.bytes.buffer);
      view.setBigUint64(codeAt, code.address, true);
      view.setUint32(codeBytesAt, code.bytes.byteLength, true);
      record.bytes.set(createHash('sha256').update(code.bytes).digest().subarray(0, HASH_BYTES), hashAt);
      view.setBigUint64(nameAt, name.address, true);
      return { record, holds: [code, name] };
    });
    return {
      find: (kernel) => made[kernel]!.record.address,
      dispose: () => void (made = []),
    };
  };

export const loaderOf = ({ record }: DriverTable): Loader => (record === undefined ? loadModule : makeRecords(record));
