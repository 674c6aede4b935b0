// The driver interface that CUDA began and other vendors took over, as data: what a row says of one vendor's spelling of it.
// A row has names and numbers only; `driver.ts` and `runtimeCompiler.ts` bind every row the same way.

/**
 * The functions of a driver, with their arguments by letter: u 32 bits, s size_t or 64 bits, p pointer or handle. All answer a status, 0
 * for success, and give what they make through their first argument.
 */
export const driverCalls = {
  init: 'u',
  version: 'p',
  countDevices: 'p',
  device: 'pu',
  deviceName: 'puu',
  deviceAttribute: 'puu',
  deviceBytes: 'pu',
  retainContext: 'pu',
  releaseContext: 'u',
  useContext: 'p',
  memoryInfo: 'pp',
  allocate: 'ps',
  free: 'p',
  copyIn: 'ppsp',
  copyOut: 'ppsp',
  copy: 'ppsp',
  loadModule: 'pp',
  unloadModule: 'p',
  findKernel: 'ppp',
  launch: 'puuuuuuuppp',
  createStream: 'pu',
  destroyStream: 'p',
  waitForStream: 'p',
  pollStream: 'p',
  createEvent: 'pu',
  recordEvent: 'pp',
  eventMillis: 'ppp',
  destroyEvent: 'p',
  beginCapture: 'pu',
  endCapture: 'pp',
  instantiate: 'pps',
  launchGraph: 'pp',
  destroyGraph: 'p',
  destroyGraphExec: 'p',
  errorName: 'up',
  errorText: 'up',
} as const satisfies Record<string, string>;
export type DriverCall = keyof typeof driverCalls;

/** The functions of a compiler at run time. */
export const compilerCalls = {
  version: 'pp',
  create: 'pppupp',
  compile: 'pup',
  logBytes: 'pp',
  log: 'pp',
  binaryBytes: 'pp',
  binary: 'pp',
  destroy: 'p',
} as const satisfies Record<string, string>;
export type CompilerCall = keyof typeof compilerCalls;

/** Names of a library, tried in order; `other` where the platform has none of its own. */
export type LibraryNames = Readonly<Partial<Record<NodeJS.Platform, readonly string[]>> & { other: readonly string[] }>;

/** What went wrong: memory ran out, a launch was refused or failed, the device is of no use until the process ends. */
export type DriverFault = 'memory' | 'launch' | 'lost';

export interface DriverTable {
  /** For people: 'CUDA'. */
  readonly title: string;
  readonly vendor: string;
  readonly libraries: LibraryNames;
  /** How to get the library. */
  readonly install: string;
  /** Vendor number of its chips on the PCI bus: tells a missing driver from a missing chip. */
  readonly pciVendor: number;
  readonly symbols: Readonly<Record<DriverCall, string>>;
  readonly attributes: Readonly<Record<'maxThreads' | 'sharedBytes' | 'subgroupThreads' | 'units' | 'major' | 'minor', number>>;
  /** A stream that does not wait for others. */
  readonly streamFlags: number;
  /** Captures only what this thread hands in. */
  readonly captureMode: number;
  readonly noDevice: number;
  readonly notReady: number;
  readonly faults: Readonly<Record<number, DriverFault>>;
  readonly compiler: CompilerTable;
}

export interface CompilerTable {
  readonly title: string;
  readonly libraries: LibraryNames;
  readonly install: string;
  readonly symbols: Readonly<Record<CompilerCall, string>>;
  readonly options: (architecture: string) => readonly string[];
  /** A program that does the same: its name, its arguments before the names of output and input, and how its input is called. */
  readonly program: { readonly name: string; readonly folders: readonly string[]; readonly args: (architecture: string) => readonly string[]; readonly input: string };
}
