// Which device of a driver is used, and what it can do.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DType } from '../core/dtype.ts';
import { AnychipError } from '../core/error.ts';
import { Driver } from './driver.ts';
import { HostMemory } from '../ffi/hostMemory.ts';
import type { DeviceAttribute, DriverTable, Model } from './table.ts';
import type { MatrixUnit } from '../kernel/ir.ts';
import { storedDTypes } from '../kernel/storedDTypes.ts';
import type { Capabilities } from '../runtime/device.ts';

/** What every device of a kind has, for what its driver is not asked. */
export interface LeastMachine {
  /** dtypes that buffers of its kernels may have; all that can be stored where absent. */
  readonly storage?: readonly DType[];
  /** Whether the threads of a subgroup take each other's values, in the words of the target's language. */
  readonly shuffles?: boolean;
  /** What its units are called; multiprocessors where absent. */
  readonly unit?: string;
  /** `givenSharedBytes`: as `sharedBytes` where absent. */
  readonly attributes: Readonly<Record<Exclude<DeviceAttribute, 'givenSharedBytes'>, number> & { readonly givenSharedBytes?: number }>;
  readonly memoryBytes: number;
  /** SimtFacts.fetchBytes; none where absent. */
  fetchBytesOf?(architecture: string): readonly number[];
  matrixUnitsOf(architecture: string): readonly MatrixUnit[];
}

/** What decides what kernels a device is given. */
export interface MachineFacts {
  /** What its machine code is made for. */
  readonly architecture: string;
  readonly memoryBytes: number;
  /** `givenSharedBytes`: as `sharedBytes` where absent. */
  readonly attributes: Readonly<Record<'maxThreads' | 'sharedBytes' | 'subgroupThreads' | 'units', number> & { readonly givenSharedBytes?: number }>;
}

/** One chip: what differs from what every device of the kind has. */
export interface DriverChip {
  /** For people: 'NVIDIA H100'. Without its spaces, what the driver calls it begins so, where that is asked for. */
  readonly title: string;
  /** What machine code for it is made for, as the row's compiler spells it, with a number in it. */
  readonly architecture: string;
  readonly memoryBytes: number;
  readonly attributes?: Readonly<Partial<MachineFacts['attributes']>>;
  /** Numbers that only its library asks for. */
  readonly limits?: Readonly<Record<string, number>>;
}

/** By name; the first is taken where none is named. */
export type DriverChips = Readonly<Record<string, DriverChip>>;

export interface FoundMachine extends MachineFacts {
  readonly driver: Driver;
  /** The driver's number of the device. */
  readonly device: number;
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

/** The facts of a chip, or of the least of a kind. */
export const factsOf = (
  least: LeastMachine,
  { architecture, memoryBytes = least.memoryBytes, attributes }: Partial<DriverChip> & Pick<DriverChip, 'architecture'>,
): MachineFacts => ({
  architecture,
  memoryBytes,
  attributes: { ...least.attributes, ...attributes },
});

/** What a grid of threads can do. */
export const gridCapabilities =
  (least: LeastMachine) =>
  ({ architecture, memoryBytes, attributes: { maxThreads, subgroupThreads, sharedBytes, givenSharedBytes = sharedBytes, units } }: MachineFacts): Capabilities => ({
    family: 'simt',
    storage: least.storage ?? storedDTypes,
    simt: {
      maxThreads,
      subgroupThreads,
      shuffleThreads: shuffleThreads(least, subgroupThreads),
      sharedBytes,
      givenSharedBytes,
      fetchBytes: least.fetchBytesOf?.(architecture) ?? [],
      vectorLanes: 1,
      units,
      matrixUnits: least.matrixUnitsOf(architecture),
    },
    maxBufferBytes: memoryBytes,
  });

const withoutSpaces = (text: string): string => text.replaceAll(' ', '');

/** The chip that the driver calls so: 'Ascend910B2C' is an Ascend 910B2. */
function chipCalled(name: string, chips: DriverChips): DriverChip | undefined {
  const fitting = Object.values(chips).filter(({ title }) => withoutSpaces(name).startsWith(withoutSpaces(title)));
  return fitting.sort((a, b) => b.title.length - a.title.length)[0];
}

function architectureOf(driver: Driver, device: number, model: Model | undefined, chip: DriverChip | undefined, ask: (name: DeviceAttribute) => number): string {
  const { architecture, title } = driver.table;
  if ('always' in architecture) return architecture.always;
  if ('attribute' in architecture) return model!.architecture;
  if ('textAt' in architecture) return driver.propertyText(device, architecture.textAt);
  if ('prefix' in architecture) return `${architecture.prefix}${architecture.numbers.map(ask).join('')}`;
  if (chip !== undefined) return chip.architecture;
  throw new AnychipError('device', `${driver.deviceName(device) ?? title} is no chip of ${title} that kernels are made for`, {
    hint: 'Use another device.',
    facts: { devices: 1 },
  });
}

/** Versions are counted in thousands and tens: 12040 is 12.4. */
function versionOf(driver: Driver): string {
  if (!driver.has('version')) return '';
  const version = driver.number('version', {});
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

/** SimtFacts.shuffleThreads of subgroups of so many. */
const shuffleThreads = ({ shuffles = false }: LeastMachine, subgroupThreads: number): number => (shuffles ? subgroupThreads : 1);

/** The device of this number; `least`: what every device of the kind has, unless it is one of `chips`. Rejects with a 'device' error. */
export async function findMachine(table: DriverTable, ordinal: number, least: LeastMachine, chips: DriverChips = {}): Promise<FoundMachine> {
  const driver = await Driver.open(table);
  const count = driver.number('countDevices', {});
  if (ordinal >= count) {
    throw new AnychipError('device', `there is no device ${ordinal}: the driver finds ${count}`, { hint: 'Choose a smaller number.', facts: { ordinal, devices: count } });
  }
  const device = driver.has('device') ? driver.number('device', { ordinal }) : ordinal;
  const model = modelOf(driver, device);
  const name = driver.deviceName(device) ?? model?.name;
  const chip = chipCalled(name ?? table.title, chips);
  const known = { ...least.attributes, ...chip?.attributes };
  const ask = (attribute: DeviceAttribute): number => {
    const numbers = table.attributes[attribute];
    if (numbers === undefined) return known[attribute] ?? known.sharedBytes;
    return [numbers].flat().reduce((product, number) => product * driver.number('deviceAttribute', { attribute: number, device }), 1);
  };
  const architecture = architectureOf(driver, device, model, chip, ask);
  const units = ask('units');
  const given = table.attributes.givenSharedBytes === undefined ? {} : { givenSharedBytes: ask('givenSharedBytes') };
  return {
    driver,
    device,
    architecture,
    ...(name === undefined ? {} : { chip: name }),
    attributes: { maxThreads: ask('maxThreads'), sharedBytes: ask('sharedBytes'), ...given, subgroupThreads: ask('subgroupThreads'), units },
    memoryBytes: driver.has('deviceBytes') ? Number(driver.create('deviceBytes', { device })) : (chip?.memoryBytes ?? least.memoryBytes),
    title: `${name ?? table.title} (${architecture}, ${units} ${least.unit ?? 'multiprocessors'})`,
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
