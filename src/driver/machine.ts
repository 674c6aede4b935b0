// Which device of a driver is used, and what it can do.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { Driver } from './driver.ts';
import { HostMemory } from '../ffi/hostMemory.ts';
import type { DeviceAttribute, DriverTable, Model } from './table.ts';
import type { MatrixUnit } from '../kernel/ir.ts';
import type { SimtFacts } from '../runtime/device.ts';

/** What every device of a kind has, for what its driver is not asked. */
export interface LeastMachine {
  /** dtypes that buffers of its kernels may have; all that can be stored where absent. */
  readonly storage?: readonly DType[];
  /** Whether the threads of a subgroup take each other's values, in the words of the target's language. */
  readonly shuffles?: boolean;
  /** `givenSharedBytes`: as `sharedBytes` where absent. */
  readonly attributes: Readonly<Record<Exclude<DeviceAttribute, 'givenSharedBytes'>, number> & { readonly givenSharedBytes?: number }>;
  readonly memoryBytes: number;
  /** SimtFacts.fetchBytes; none where absent. */
  fetchBytesOf?(architecture: string): readonly number[];
  matrixUnitsOf(architecture: string): readonly MatrixUnit[];
}

export interface FoundMachine {
  readonly driver: Driver;
  /** The driver's number of the device. */
  readonly device: number;
  readonly facts: SimtFacts;
  readonly memoryBytes: number;
  /** What its machine code is made for. */
  readonly architecture: string;
  /** What the driver calls it, or its model, where it has names: chips of one architecture differ in numbers that kernels are planned with. */
  readonly chip?: string;
  /** For people. */
  readonly title: string;
  readonly driverVersion: string;
}

/** A device in use: in a context, which takes time and device memory to make. */
export interface DriverMachine extends FoundMachine {
  readonly context: bigint;
}

/** Where a row knows its devices by models. */
function modelOf(driver: Driver, device: number): Model | undefined {
  const { architecture, title } = driver.table;
  if (!('attribute' in architecture)) return undefined;
  const number = driver.number('deviceAttribute', { attribute: architecture.attribute, device });
  const model = Object.entries(architecture.models).findLast(([least]) => Number(least) <= number)?.[1];
  if (model === undefined)
    throw new AnychipError('device', `a device of ${title} of a model that is not known (${number})`, { hint: 'Use another device, such as cpu.', facts: { device } });
  return model;
}

function architectureOf(driver: Driver, device: number, model: Model | undefined, ask: (name: DeviceAttribute) => number): string {
  const { architecture } = driver.table;
  if ('always' in architecture) return architecture.always;
  if ('attribute' in architecture) return model!.architecture;
  return 'textAt' in architecture ? driver.propertyText(device, architecture.textAt) : `${architecture.prefix}${ask('major')}${ask('minor')}`;
}

/** Versions are counted in thousands and tens: 12040 is 12.4. */
function versionOf(driver: Driver): string {
  if (!driver.has('version')) return '';
  const version = driver.number('version', {});
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

/** SimtFacts.shuffleThreads of subgroups of so many. */
export const shuffleThreads = ({ shuffles = false }: LeastMachine, subgroupThreads: number): number => (shuffles ? subgroupThreads : 1);

/** The device of this number; `least`: what every device of the kind has. Rejects with a 'device' error. */
export async function findMachine(table: DriverTable, ordinal: number, least: LeastMachine): Promise<FoundMachine> {
  const driver = await Driver.open(table);
  const count = driver.number('countDevices', {});
  if (ordinal >= count) {
    throw new AnychipError('device', `there is no device ${ordinal}: the driver finds ${count}`, { hint: 'Choose a smaller number.', facts: { ordinal, devices: count } });
  }
  const device = driver.has('device') ? driver.number('device', { ordinal }) : ordinal;
  const ask = (name: DeviceAttribute): number => {
    const attribute = table.attributes[name];
    return attribute === undefined ? (least.attributes[name] ?? least.attributes.sharedBytes) : driver.number('deviceAttribute', { attribute, device });
  };
  const model = modelOf(driver, device);
  const architecture = architectureOf(driver, device, model, ask);
  const [units, subgroupThreads] = [ask('units'), ask('subgroupThreads')];
  const chip = driver.deviceName(device) ?? model?.name;
  return {
    driver,
    device,
    facts: {
      maxThreads: ask('maxThreads'),
      subgroupThreads,
      shuffleThreads: shuffleThreads(least, subgroupThreads),
      sharedBytes: ask('sharedBytes'),
      givenSharedBytes: table.attributes.givenSharedBytes === undefined ? ask('sharedBytes') : ask('givenSharedBytes'),
      fetchBytes: least.fetchBytesOf?.(architecture) ?? [],
      vectorLanes: 1,
      units,
      matrixUnits: least.matrixUnitsOf(architecture),
    },
    memoryBytes: driver.has('deviceBytes') ? Number(driver.create('deviceBytes', { device })) : least.memoryBytes,
    architecture,
    ...(chip === undefined ? {} : { chip }),
    title: `${chip ?? table.title} (${architecture}, ${units} multiprocessors)`,
    driverVersion: versionOf(driver),
  };
}

export function useMachine(found: FoundMachine): DriverMachine {
  const { driver, device } = found;
  return { ...found, context: driver.has('retainContext') ? driver.create('retainContext', { device }) : 0n };
}

/** Makes the device the one that calls from here on are for: other devices of this process have their own. */
export const enter = ({ driver, device, context }: DriverMachine): void => driver.call('useDevice', { device, context });

/** Bytes that are free and that there are; undefined where the driver does not tell. */
export function memoryInfo(machine: DriverMachine): { readonly free: number; readonly total: number } | undefined {
  const { driver } = machine;
  if (!driver.has('memoryInfo')) return undefined;
  const [free, total] = [new HostMemory(driver.native, 8), new HostMemory(driver.native, 8)];
  enter(machine);
  driver.call('memoryInfo', { free, total });
  return { free: Number(free.u64[0]!), total: Number(total.u64[0]!) };
}

const PCI_DEVICES = '/sys/bus/pci/devices';

/** Whether a chip of the vendor shows itself: on the PCI bus, or by the files of its driver; undefined where the system does not show its bus. */
export function hasChip({ pciVendors, deviceFiles = [] }: Pick<DriverTable, 'pciVendors' | 'deviceFiles'>): boolean | undefined {
  if (deviceFiles.some((file) => existsSync(file))) return true;
  try {
    return readdirSync(PCI_DEVICES).some((name) => pciVendors.includes(Number(readFileSync(join(PCI_DEVICES, name, 'vendor'), 'utf8'))));
  } catch {
    return undefined;
  }
}
