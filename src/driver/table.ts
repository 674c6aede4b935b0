// The drivers that launch kernels one by one, as data: what a row says of one vendor's spelling of what they all do. A row has names and
// numbers only; the files beside this one bind every row the same way.

/** How wide an operand is: 32 bits, size_t, or an address or handle. */
export type OperandType = 'u32' | 'size' | 'pointer';

/** What every driver does, and with what. `out`: where it puts what it makes or tells. */
const neededCalls = {
  init: {},
  countDevices: { out: 'pointer' },
  /** Makes the device the one that this thread's calls are for. */
  useDevice: { device: 'u32', context: 'pointer' },
  allocate: { out: 'pointer', bytes: 'size' },
  free: { address: 'pointer' },
  copyIn: { to: 'pointer', from: 'pointer', bytes: 'size', stream: 'pointer' },
  copyOut: { to: 'pointer', from: 'pointer', bytes: 'size', stream: 'pointer' },
  copy: { to: 'pointer', from: 'pointer', bytes: 'size', stream: 'pointer' },
  launch: { kernel: 'pointer', blocks: 'u32', threads: 'u32', sharedBytes: 'u32', stream: 'pointer', args: 'pointer', argBytes: 'size' },
  createStream: { out: 'pointer' },
  destroyStream: { stream: 'pointer' },
  waitForStream: { stream: 'pointer' },
} as const satisfies Record<string, Readonly<Record<string, OperandType>>>;
/** What drivers do that load programs of several kernels. */
const moduleCalls = {
  loadModule: { out: 'pointer', image: 'pointer', bytes: 'size' },
  unloadModule: { module: 'pointer' },
  findKernel: { out: 'pointer', module: 'pointer', name: 'pointer' },
} as const satisfies Record<string, Readonly<Record<string, OperandType>>>;
/** What some drivers have no call for: they have no such thing, or it is known without asking. */
const dispensableCalls = {
  version: { out: 'pointer' },
  device: { out: 'pointer', ordinal: 'u32' },
  deviceName: { out: 'pointer', bytes: 'u32', device: 'u32' },
  deviceAttribute: { out: 'pointer', attribute: 'u32', device: 'u32' },
  deviceBytes: { out: 'pointer', device: 'u32' },
  deviceProperties: { out: 'pointer', device: 'u32' },
  memoryInfo: { free: 'pointer', total: 'pointer' },
  retainContext: { out: 'pointer', device: 'u32' },
  releaseContext: { device: 'u32' },
  /** Lets launches of the kernel give it as much memory of the block, beyond what they may without asking. */
  allowShared: { kernel: 'pointer', sharedBytes: 'u32' },
  /** Hands in one argument of the next launch, `offset` bytes from the first. */
  setArgument: { value: 'pointer', bytes: 'size', offset: 'size' },
  /** Hands in the shape of the next launch. */
  configure: { blocks: 'u32', threads: 'u32', stream: 'pointer' },
  pollStream: { stream: 'pointer' },
  createEvent: { out: 'pointer' },
  recordEvent: { event: 'pointer', stream: 'pointer' },
  eventMillis: { out: 'pointer', start: 'pointer', end: 'pointer' },
  destroyEvent: { event: 'pointer' },
  beginCapture: { stream: 'pointer' },
  endCapture: { stream: 'pointer', out: 'pointer' },
  instantiate: { out: 'pointer', graph: 'pointer' },
  launchGraph: { graph: 'pointer', stream: 'pointer' },
  destroyGraph: { graph: 'pointer' },
  destroyGraphExec: { graph: 'pointer' },
  errorName: { status: 'u32', out: 'pointer' },
  errorText: { status: 'u32', out: 'pointer' },
} as const satisfies Record<string, Readonly<Record<string, OperandType>>>;
export const driverCalls = { ...neededCalls, ...moduleCalls, ...dispensableCalls };
export type DriverCall = keyof typeof driverCalls;

/** The functions of a compiler at run time. */
export const compilerCalls = {
  version: { major: 'pointer', minor: 'pointer' },
  create: { out: 'pointer', source: 'pointer', name: 'pointer' },
  compile: { program: 'pointer', count: 'u32', options: 'pointer' },
  logBytes: { program: 'pointer', out: 'pointer' },
  log: { program: 'pointer', out: 'pointer' },
  binaryBytes: { program: 'pointer', out: 'pointer' },
  binary: { program: 'pointer', out: 'pointer' },
  destroy: { program: 'pointer', programCell: 'pointer' },
} as const satisfies Record<string, Readonly<Record<string, OperandType>>>;
export type CompilerCall = keyof typeof compilerCalls;

/** An argument that is the same in every call. */
export interface Fixed {
  readonly type: OperandType;
  readonly value: number;
}
export const u32 = (value: number): Fixed => ({ type: 'u32', value });
export const size = (value: number): Fixed => ({ type: 'size', value });
export const none: Fixed = { type: 'pointer', value: 0 };

/** One function: its name, what it is given in its order, and whether it answers a status, 0 for success, or a text. */
export interface Spelling<Operand extends string = string> {
  readonly symbol: string;
  readonly args: readonly (Operand | Fixed)[];
  readonly answers: 'status' | 'text';
}
export const fn = <Operand extends string = never>(symbol: string, ...args: readonly (Operand | Fixed)[]): Spelling<Operand> => ({ symbol, args, answers: 'status' });
export const text = <Operand extends string = never>(symbol: string, ...args: readonly (Operand | Fixed)[]): Spelling<Operand> => ({ symbol, args, answers: 'text' });

type Spellings<Calls> = { readonly [C in keyof Calls]: Spelling<Extract<keyof Calls[C], string>> };
type CommonSpellings = Spellings<typeof neededCalls> & Partial<Spellings<typeof dispensableCalls>>;
export type CompilerSpellings = Spellings<Omit<typeof compilerCalls, 'version'>> & Partial<Spellings<Pick<typeof compilerCalls, 'version'>>>;

/** Names of a library, tried in order; `other` where the platform has none of its own. */
export type LibraryNames = Readonly<Partial<Record<NodeJS.Platform, readonly string[]>> & { other: readonly string[] }>;

/** What went wrong: memory ran out, a launch was refused or failed, the device is of no use until the process ends. */
export type DriverFault = 'memory' | 'launch' | 'lost';

/** A number that a driver answers, in words. */
export interface VendorError {
  readonly name: string;
  readonly meaning: string;
  readonly cause: string;
  /** What to do next. */
  readonly remedy: string;
  readonly fault?: DriverFault;
}
export type VendorErrors = Readonly<Record<number, VendorError>>;

/** What may be asked of a device; what a row does not number is what every machine of the kind has. */
export type DeviceAttribute = 'maxThreads' | 'sharedBytes' | 'subgroupThreads' | 'units' | 'major' | 'minor' | 'givenSharedBytes';

/**
 * What a driver without modules takes for a kernel: a record in host memory that tells of its code, which lies there too. Bytes from the
 * record's beginning; everything else in it is 0.
 */
export interface KernelRecord {
  readonly bytes: number;
  /** 64 bits: the address of the code, a number that no other code has, the address of the kernel's name. */
  readonly codeAt: number;
  readonly hashAt: number;
  readonly nameAt: number;
  /** 32 bits. */
  readonly codeBytesAt: number;
}

export interface Model {
  readonly name: string;
  readonly architecture: string;
}

/** How a row's kernels come to the device. */
type KernelLoading =
  | { readonly calls: CommonSpellings & Spellings<typeof moduleCalls>; readonly record?: undefined }
  | { readonly calls: CommonSpellings; readonly record: KernelRecord };

interface CommonTable {
  /** For people: the driver's name, and whose it is. */
  readonly title: string;
  readonly vendor: string;
  readonly libraries: LibraryNames;
  /** How to get the library. */
  readonly install: string;
  /** Vendor numbers of its chips on the PCI bus: tell a missing driver from a missing chip. */
  readonly pciVendors: readonly number[];
  /** For vendors whose number is not public: what their driver makes in /dev where there is a chip. */
  readonly deviceFiles?: readonly string[];
  /**
   * What `args` of a launch is. addresses: a list with the address of each argument. packed: the arguments themselves, 8 bytes each.
   * separate: nothing; each is handed in by `setArgument` before.
   */
  readonly launchArguments: 'addresses' | 'packed' | 'separate';
  /** Numbers of what may be asked; of a list, the product of the answers. */
  readonly attributes: Readonly<Partial<Record<DeviceAttribute, number | readonly number[]>>>;
  /**
   * What machine code is made for: numbers of the device behind a prefix, a text in its properties, that of its model (the one with the
   * greatest number that is not above the attribute), that of the chip whose name the driver tells (a device of another name is refused), or
   * what this row says.
   */
  readonly architecture:
    | { readonly prefix: string; readonly numbers: readonly DeviceAttribute[] }
    | { readonly textAt: number }
    | { readonly attribute: number; readonly models: Readonly<Record<number, Model>> }
    | { readonly ofChip: true }
    | { readonly always: string };
  /** Statuses mean the same with a minus sign. */
  readonly signless?: true;
  /** Statuses that tell that there is none. */
  readonly noDevice: readonly number[];
  /** What `init` answers where this process has called it before. */
  readonly started?: number;
  readonly notReady?: number;
  readonly errors: VendorErrors;
  readonly compiler: CompilerTable;
}
export type DriverTable = CommonTable & KernelLoading;

/** A compiler as a library, as a program, or either; where there is neither, programs are compiled elsewhere. */
export interface CompilerTable {
  readonly title: string;
  /** How the compiler calls an architecture with all that it alone has, where that is another name. */
  readonly specific?: (architecture: string) => string;
  readonly install: string;
  readonly library?: {
    readonly names: LibraryNames;
    readonly calls: CompilerSpellings;
    readonly options: (architecture: string) => readonly string[];
  };
  readonly program?: CompilerProgram;
}

/** A program that compiles one unit to the file 'out', which a second call may have to link. */
export interface CompilerProgram {
  readonly name: string;
  readonly folders: readonly string[];
  /** A file that lies beside the right one, where others have the same name. */
  readonly beside?: string;
  /** Kinds of cores of one chip, for each of which a unit is compiled: to 'out-KIND', to be linked. */
  readonly kinds?: readonly string[];
  /** Arguments before the names of output and input; `folder`: where the program lies. */
  readonly args: (architecture: string, kind: string, folder: string) => readonly string[];
  /** What the unit is called. */
  readonly input: string;
  /** A second call, which makes 'linked' of 'out', where that is no program yet; `folder` is that of the first. */
  readonly link?: (architecture: string, folder: string) => LinkCall;
}

export interface LinkCall {
  /** All of them. */
  readonly args: readonly string[];
  /** The program that is called, where it is another. */
  readonly linker?: { readonly name: string; readonly folders: readonly string[] };
}
