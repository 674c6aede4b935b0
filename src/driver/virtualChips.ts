// Virtual chips of a row of the driver table: the same row on another library, and the chip's numbers.
import { basename, dirname } from 'node:path';
import type { Capabilities, VirtualChips } from '../runtime/device.ts';
import type { BuiltChip, VirtualChip } from '../runtime/virtualChip.ts';
import type { DriverChip, DriverChips } from './machine.ts';
import type { CompilerProgram, CompilerTable, DriverTable } from './table.ts';

/** What the libraries say of their version: 12.8, as CUDA counts. */
const DRIVER_VERSION = 12_080;

/** `open` makes what users call `called`. */
export const virtualChipsOf = <E>(chips: DriverChips, open: (chip: DriverChip, called: string) => E): VirtualChips<E> => ({
  names: Object.keys(chips),
  open: (name, called) => (Object.hasOwn(chips, name) ? open(chips[name]!, called) : undefined),
});

/** Fragments that are filled by the chip's own assembly mean nothing here, and kernels do without; units that read memory themselves do. */
export const withoutFragments = (capabilities: Capabilities): Capabilities =>
  capabilities.family === 'simt'
    ? { ...capabilities, simt: { ...capabilities.simt, matrixUnits: capabilities.simt.matrixUnits.filter(({ layout }) => layout === 'swizzled') } }
    : capabilities;

/** Numbers of a machine that its library holds kernels to. */
function limitsOf(capabilities: Capabilities): Readonly<Record<string, number>> {
  switch (capabilities.family) {
    case 'simt': {
      const { maxThreads, subgroupThreads, sharedBytes, givenSharedBytes = sharedBytes, units } = capabilities.simt;
      return { maxThreads, subgroupThreads, sharedBytes, givenSharedBytes, units };
    }
    case 'tile': {
      const { scratchBytes, alignBytes, lineBytes, countMultiple, matrix } = capabilities.tile.rules;
      const memories = Object.fromEntries(Object.entries(matrix?.bytes ?? {}).map(([memory, bytes]) => [`${memory}Bytes`, bytes]));
      return { cores: capabilities.tile.cores, scratchBytes, alignBytes, lineBytes, countMultiple, ...memories };
    }
    case 'simd':
      return {};
  }
}

/** What the compiler's program is called, where there is no library that compiles. */
export const programOf = ({ library, program }: CompilerTable): string | undefined => (library === undefined ? program?.name : undefined);

/** What is built for a chip with the interface of `vendor`; `program`: its folder there of the program that compiles. */
export function virtualChip(vendor: string, { title, architecture, memoryBytes, limits }: DriverChip, capabilities: Capabilities, program?: string): VirtualChip {
  const facts = { memoryBytes, ...limitsOf(capabilities), architecture: Number(/\d+/.exec(architecture)?.[0]), driverVersion: DRIVER_VERSION, ...limits };
  const family = capabilities.family === 'tile' ? 'tile' : 'simt';
  return { vendor, family, title, facts, ...(program === undefined ? {} : { program }) };
}

/** The row with a virtual library in place of the vendor's, which is its compiler too, or has one program beside it for all that the vendor has. */
export function onVirtual(table: DriverTable, { architecture }: DriverChip, { path, identity, program }: BuiltChip): DriverTable {
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
