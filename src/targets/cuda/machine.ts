// Which device of a driver is used, and what it can do.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AnychipError } from '../../core/error.ts';
import { Driver } from '../../ffi/driver/driver.ts';
import { HostMemory } from '../../ffi/hostMemory.ts';
import type { DriverTable } from '../../ffi/driver/table.ts';
import type { SimtFacts } from '../../runtime/device.ts';

export interface CudaFound {
  readonly driver: Driver;
  /** The driver's number of the device. */
  readonly device: number;
  readonly facts: SimtFacts;
  readonly memoryBytes: number;
  /** What its machine code is made for: sm_80. */
  readonly architecture: string;
  /** For people. */
  readonly title: string;
  readonly driverVersion: string;
}

/** A device in use: in a context, which takes time and device memory to make. */
export interface CudaMachine extends CudaFound {
  readonly context: bigint;
}

/** The device of this number. Rejects with a 'device' error. */
export async function findMachine(table: DriverTable, ordinal: number): Promise<CudaFound> {
  const driver = await Driver.open(table);
  const count = driver.number('countDevices');
  if (ordinal >= count) {
    throw new AnychipError('device', `there is no device ${ordinal}: the driver finds ${count}`, { hint: 'Choose a smaller number.', facts: { ordinal, devices: count } });
  }
  const device = driver.number('device', ordinal);
  const ask = (name: keyof DriverTable['attributes']): number => driver.number('deviceAttribute', table.attributes[name], device);
  const memoryBytes = Number(driver.create('deviceBytes', device));
  const version = driver.number('version');
  const [major, minor, units] = [ask('major'), ask('minor'), ask('units')];
  return {
    driver,
    device,
    facts: { maxThreads: ask('maxThreads'), subgroupThreads: ask('subgroupThreads'), sharedBytes: ask('sharedBytes'), vectorLanes: 1, units, matrixUnits: [] },
    memoryBytes,
    architecture: `sm_${major}${minor}`,
    title: `${driver.deviceName(device)} (sm_${major}${minor}, ${units} multiprocessors)`,
    driverVersion: `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`,
  };
}

export const useMachine = (found: CudaFound): CudaMachine => ({ ...found, context: found.driver.create('retainContext', found.device) });

/** Bytes that are free and that there are. */
export function memoryInfo({ driver, context }: CudaMachine): { readonly free: number; readonly total: number } {
  const [free, total] = [new HostMemory(driver.native, 8), new HostMemory(driver.native, 8)];
  driver.call('useContext', context);
  driver.call('memoryInfo', free, total);
  return { free: Number(free.u64[0]!), total: Number(total.u64[0]!) };
}

const PCI_DEVICES = '/sys/bus/pci/devices';

/** Whether a chip of the vendor is on the PCI bus; undefined where the system does not show its bus. */
export function hasChip(vendor: number): boolean | undefined {
  try {
    return readdirSync(PCI_DEVICES).some((name) => Number(readFileSync(join(PCI_DEVICES, name, 'vendor'), 'utf8')) === vendor);
  } catch {
    return undefined;
  }
}
