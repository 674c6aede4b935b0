// A WebAssembly module from its functions: sections in the order of the specification (§5.5). It knows nothing of kernels.
import { ByteWriter } from './bytes.ts';
import { VALUE_TYPES, encodeBody } from './code.ts';
import type { WasmFunction } from './code.ts';

export interface WasmModule {
  /** Imported as `env.memory`. Shared memories must say how large they may grow. */
  readonly memory: { readonly minPages: number; readonly maxPages: number; readonly isShared: boolean };
  readonly functions: readonly WasmFunction[];
  /** Functions by their index, for indirect calls. */
  readonly table: readonly number[];
  readonly exports: readonly { readonly name: string; readonly function: number }[];
  readonly custom: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

const SECTIONS = { custom: 0, type: 1, import: 2, function: 3, table: 4, export: 7, element: 9, code: 10 } as const;
const FUNCTION_TYPE = 0x60;
const FUNCTION_REFERENCE = 0x70;
const [IMPORT_MEMORY, EXPORT_FUNCTION] = [0x02, 0x00];
const LIMITS = { min: 0, minMax: 1, sharedMinMax: 3 } as const;
const I32_CONST = 0x41;
const END = 0x0b;
const [NAMES_OF_FUNCTIONS, NAME_SECTION] = [1, 'name'];

/** The index of the type with these parameters; types are listed in the order in which functions first use them. */
export function typeIndexOf(functions: readonly WasmFunction[]): { readonly types: readonly WasmFunction['params'][]; readonly indexOf: (f: WasmFunction) => number } {
  const known = new Map<string, number>();
  const types: WasmFunction['params'][] = [];
  const indexOf = ({ params }: WasmFunction): number => {
    const key = params.map((p) => p.type).join();
    let index = known.get(key);
    if (index === undefined) {
      known.set(key, (index = types.length));
      types.push(params);
    }
    return index;
  };
  functions.forEach(indexOf);
  return { types, indexOf };
}

// oxlint-disable-next-line max-lines-per-function -- the sections of a module, in order
export function encodeModule(module: WasmModule): Uint8Array {
  const out = new ByteWriter();
  out.append([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);
  const section = (id: number, write: (into: ByteWriter) => void): void => {
    const content = new ByteWriter();
    write(content);
    out.byte(id);
    out.sized(content.bytes);
  };
  const { types, indexOf } = typeIndexOf(module.functions);
  for (const { name, bytes } of module.custom) {
    section(SECTIONS.custom, (into) => {
      into.name(name);
      into.append(bytes);
    });
  }
  section(SECTIONS.type, (into) =>
    into.vector(types, (params) => {
      into.byte(FUNCTION_TYPE);
      into.vector(params, (p) => into.byte(VALUE_TYPES[p.type]));
      into.vector([], () => undefined);
    }),
  );
  section(SECTIONS.import, (into) => {
    const { minPages, maxPages, isShared } = module.memory;
    into.unsigned(1);
    into.name('env');
    into.name('memory');
    into.append([IMPORT_MEMORY, isShared ? LIMITS.sharedMinMax : LIMITS.minMax]);
    into.unsigned(minPages);
    into.unsigned(maxPages);
  });
  section(SECTIONS.function, (into) => into.vector(module.functions, (f) => into.unsigned(indexOf(f))));
  section(SECTIONS.table, (into) => {
    into.append([1, FUNCTION_REFERENCE, LIMITS.min]);
    into.unsigned(module.table.length);
  });
  section(SECTIONS.export, (into) =>
    into.vector(module.exports, (e) => {
      into.name(e.name);
      into.byte(EXPORT_FUNCTION);
      into.unsigned(e.function);
    }),
  );
  section(SECTIONS.element, (into) => {
    into.append([1, 0, I32_CONST, 0, END]);
    into.vector(module.table, (f) => into.unsigned(f));
  });
  section(SECTIONS.code, (into) => into.vector(module.functions, (f) => into.sized(encodeBody(f))));
  section(SECTIONS.custom, (into) => {
    into.name(NAME_SECTION);
    into.byte(NAMES_OF_FUNCTIONS);
    const names = new ByteWriter();
    names.vector([...module.functions.entries()], ([i, f]) => {
      names.unsigned(i);
      names.name(f.name.slice(1));
    });
    into.sized(names.bytes);
  });
  return out.bytes;
}
