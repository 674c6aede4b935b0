// A model as a shared library of its own: the program's units, the library's own functions around them, and its data, linked with the
// system's C library.
import { headerText, exampleText, DATA_FILE, libraryUnit } from '../../render/c/library.ts';
import type { Source } from '../../runtime/device.ts';
import type { LibraryDescription, LibraryFile } from '../../runtime/library.ts';
import { cpuFacts } from './facts.ts';
import { compileUnits } from './toolchain.ts';
import type { Toolchain } from './toolchain.ts';

const isMac = process.platform === 'darwin';

/** What is linked with it, and the name that programs linked with it ask for. */
const linking = (file: string): string[] => (isMac ? [`-Wl,-install_name,@rpath/${file}`] : [`-Wl,-soname,${file}`, '-Wl,-z,now', '-lm', '-lpthread']);

/** The library, its header, and an example. Rejects with a 'device' error that quotes the compiler. */
export async function createLibrary(toolchain: Toolchain, source: Source | undefined, library: LibraryDescription): Promise<readonly LibraryFile[]> {
  const file = `lib${library.name}.${isMac ? 'dylib' : 'so'}`;
  const units = [...(source?.units.map(String) ?? []), ...(source?.common === undefined ? [] : [source.common]), libraryUnit(library)];
  // What units have in common with those of other libraries in a process stays each one's own.
  const own: Toolchain = { ...toolchain, flags: [...toolchain.flags, '-fvisibility=hidden'], libraries: linking(file) };
  const content = await compileUnits(own, units, [], [{ name: DATA_FILE, content: library.data }]);
  const made = `Made by anychip for ${process.platform} on ${process.arch} with ${cpuFacts().vectorTitle}.`;
  return [
    { name: file, content },
    { name: `${library.name}.h`, content: headerText(library, made) },
    { name: 'main.c', content: exampleText(library) },
  ];
}
