// The part of WebAssembly's JavaScript interface used here, which the types of Node lack.

export interface Memory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Throws a RangeError where the system or the maximum forbids it. */
  grow(pages: number): number;
}

declare const MODULE: unique symbol;
/** A compiled module: can be sent to workers. */
export interface Module {
  readonly [MODULE]: true;
}

export interface Instance {
  readonly exports: Readonly<Record<string, (...args: readonly number[]) => void>>;
}

interface WebAssemblyInterface {
  validate(bytes: Uint8Array): boolean;
  compile(bytes: Uint8Array): Promise<Module>;
  readonly Module: { customSections(module: Module, name: string): ArrayBuffer[] };
  readonly Instance: new (module: Module, imports: { readonly env: { readonly memory: Memory } }) => Instance;
  readonly Memory: new (descriptor: { readonly initial: number; readonly maximum: number; readonly shared: boolean }) => Memory;
}

/** Undefined in engines without WebAssembly. */
export const webAssembly: WebAssemblyInterface | undefined = Reflect.get(globalThis, 'WebAssembly');

export const PAGE_BYTES = 65_536;
