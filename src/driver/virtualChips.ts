// Virtual chips of a target whose driver is a row of the table: the same row on another library, and the chip's numbers.
import { basename, dirname } from 'node:path';
import { storedDTypes } from '../kernel/storedDTypes.ts';
import type { CompileCache } from '../runtime/compileCache.ts';
import type { SimtCapabilities, Target, VirtualChips } from '../runtime/device.ts';
import type { BuiltChip } from '../runtime/virtualChip.ts';
import { createVirtualTarget } from '../runtime/virtualTarget.ts';
import { shuffleThreads } from './machine.ts';
import type { LeastMachine } from './machine.ts';
import type { CompilerProgram, DriverTable } from './table.ts';

/** One chip: what differs from what every device of the kind has. */
export interface DriverChip {
  /** For people: 'NVIDIA H100'. */
  readonly title: string;
  /** What machine code for it is made for, as the row's compiler spells it, with a number in it. */
  readonly architecture: string;
  readonly memoryBytes: number;
  readonly attributes?: Readonly<Partial<Record<'maxThreads' | 'subgroupThreads' | 'sharedBytes' | 'givenSharedBytes' | 'units', number>>>;
  /** Numbers that only its library asks for. */
  readonly limits?: Readonly<Record<string, number>>;
}

/** By name; the first is taken where none is named. */
export type DriverChips = Readonly<Record<string, DriverChip>>;

/** What the libraries say of their version: 12.8, as CUDA counts. */
const DRIVER_VERSION = 12_080;

/** `on` is the target on another row. */
export function virtualChipsOf(
  { name: vendor, table, least, chips }: { readonly name: string; readonly table: DriverTable; readonly least: LeastMachine; readonly chips: DriverChips },
  cache: CompileCache,
  real: () => Target,
  on: (table: DriverTable) => Target,
): VirtualChips {
  const open = (name: string, called: string): Target | undefined => {
    const chip = Object.hasOwn(chips, name) ? chips[name] : undefined;
    if (chip === undefined) return undefined;
    const { title, architecture, memoryBytes, limits = {} } = chip;
    const { maxThreads, subgroupThreads, sharedBytes, givenSharedBytes = sharedBytes, units } = { ...least.attributes, ...chip.attributes };
    const fetchBytes = least.fetchBytesOf?.(architecture) ?? [];
    // Fragments of matrix units are the chip's own assembly, which means nothing here: kernels do without.
    const capabilities: SimtCapabilities = {
      family: 'simt',
      storage: least.storage ?? storedDTypes,
      simt: {
        maxThreads,
        subgroupThreads,
        shuffleThreads: shuffleThreads(least, subgroupThreads),
        sharedBytes,
        givenSharedBytes,
        fetchBytes,
        vectorLanes: 1,
        units,
        matrixUnits: [],
      },
      maxBufferBytes: memoryBytes,
    };
    const facts = {
      memoryBytes,
      maxThreads,
      subgroupThreads,
      sharedBytes,
      givenSharedBytes,
      units,
      architecture: Number(/\d+/.exec(architecture)?.[0]),
      driverVersion: DRIVER_VERSION,
      ...limits,
    };
    const { library, program } = table.compiler;
    return createVirtualTarget({
      name: called,
      chip: { vendor, family: 'simt', title, facts, ...(library === undefined && program !== undefined ? { program: program.name } : {}) },
      capabilities,
      real: real(),
      cache,
      on: (built) => on(onChip(table, built, architecture)),
    });
  };
  return { names: Object.keys(chips), open };
}

/** The row with a virtual library in place of the vendor's, which is its compiler too, or has one program beside it for all that the vendor has. */
export function onChip(table: DriverTable, { path, identity, program }: BuiltChip, architecture: string): DriverTable {
  const libraries = { other: [path] };
  const { library, program: command, ...compiler } = table.compiler;
  return {
    ...table,
    title: `virtual ${table.title}`,
    libraries,
    architecture: 'always' in table.architecture ? { always: architecture } : table.architecture,
    compiler: {
      ...compiler,
      title: `virtual ${compiler.title} ${identity}`,
      ...(library === undefined ? {} : { library: { ...library, names: libraries } }),
      ...(program === undefined || command === undefined ? {} : { program: asOne(command, program) }),
    },
  };
}

/** The calls of a compiler to one program. */
function asOne({ input, args, link }: CompilerProgram, path: string): CompilerProgram {
  const linked = link === undefined ? {} : { link: (architecture: string, folder: string) => ({ args: link(architecture, folder).args }) };
  return { input, args, ...linked, name: basename(path), folders: [dirname(path)] };
}
