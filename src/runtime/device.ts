// What a chip offers a plan: the interfaces of targets and devices. Everything shared code may know about a chip is a field here.
import { AnychipError } from '../core/error.ts';
import type { DType, NumericDType } from '../core/dtype.ts';
import type { IntegerProducts, WordParts } from '../core/words.ts';
import type { BinaryFn, CompareFn, ComputeDType, KernelModule, MatrixUnit, TileRules, UnaryFn } from '../kernel/ir.ts';
import type { LibraryDescription, LibraryFile } from './library.ts';
import type { LaunchPlan } from './launchPlan.ts';

/** Facts of a machine that a schedule of the `simd` family asks for. */
export interface SimdFacts {
  /** f32 lanes of one vector register. */
  readonly vectorLanes: number;
  readonly vectorRegisters: number;
  /** The compiler behind moves all loads of a block before its arithmetic: every value loaded there needs a register of its own. */
  readonly loadsFirst: boolean;
  readonly l1Bytes: number;
  readonly l2Bytes: number;
  /** Bytes of a memory address: bounds every buffer. */
  readonly pointerBytes: 4 | 8;
  /** Whether it has instructions that convert half floats from and to f32. */
  readonly convertsHalves: boolean;
}

/**
 * Of machines whose threads are run by a processor: those of a block take turns, several at a time in a vector. Shared memory is memory like
 * any other, and to wait for each other is to change threads.
 */
export interface TurnFacts {
  /** Values that a thread holds at a time. */
  readonly registers: number;
  /** Multiply-adds in the time of a load, and how many times that takes where neighbouring threads do not load neighbouring elements. */
  readonly loadCost: number;
  readonly stridedCost: number;
}

/** Facts of a machine that a schedule of the `simt` family asks for. */
export interface SimtFacts {
  /** Most threads of a block. */
  readonly maxThreads: number;
  /** Threads that run in step. */
  readonly subgroupThreads: number;
  /** Neighbouring threads, the first a multiple of as many, that take each other's values without memory: a power of two; 1 where none do. */
  readonly shuffleThreads: number;
  /** Memory that the threads of a block share. */
  readonly sharedBytes: number;
  /** As much as a launch may give a block of it, where that is more. */
  readonly givenSharedBytes?: number;
  /** How many bytes together a thread can bring into it beside other work: of 16, 8 and 4, in this order; none where absent. */
  readonly fetchBytes?: readonly number[];
  /** f32 lanes of one thread's own vectors; 1 where threads are scalar. */
  readonly vectorLanes: number;
  /** Blocks that run at the same time, at least: multiprocessors, compute units. */
  readonly units: number;
  /** Of each subgroup; none where there are none. */
  readonly matrixUnits: readonly MatrixUnit[];
  /** Where the threads of a block take turns; absent where they run at the same time. */
  readonly turns?: TurnFacts;
}

/** Facts of a machine that a schedule of the `tile` family asks for. */
export interface TileFacts {
  readonly cores: number;
  /** What its scratchpads ask of kernels. */
  readonly rules: TileRules;
  readonly vectors: VectorUnit;
  /** Cores with the matrix unit whose rules the scratchpads' have; as many as all where absent. */
  readonly matrixCores?: number;
  /** Copies are of as many elements as is known when the kernel is made. */
  readonly fixedCopies?: boolean;
}

/** Operations of vector instructions: functions of kernel IR, and filling with a scalar. */
export type VectorFn = UnaryFn | BinaryFn | CompareFn | 'select' | 'across' | 'splat';
/** What a vector unit can do. */
export interface VectorUnit {
  /** The types of elements that each function takes; for `bool` masks. Scalars may stand for the last operand where there are several. */
  readonly functions: { readonly [F in VectorFn]?: readonly ComputeDType[] };
  /** Conversions by value, from one dtype in scratch memory to another; floats to integers truncate, others round to nearest even. */
  readonly conversions: readonly (readonly [NumericDType, NumericDType])[];
  /** Conversions of integers to narrower ones that keep the low bits. */
  readonly narrowing?: readonly (readonly [NumericDType, NumericDType])[];
}

interface CommonCapabilities {
  /** dtypes that buffers of kernels may have. */
  readonly storage: readonly DType[];
  /**
   * Stored dtypes that the machine has no arithmetic for, so that kernels build it from integers: right for moves, casts and simple
   * arithmetic; functions and sums of products in them are faster on the host.
   */
  readonly simulated?: readonly DType[];
  /** How it multiplies words of small integers and adds the products up, where it has an instruction for that. */
  readonly words?: WordParts | undefined;
  /** Largest single buffer, bytes. */
  readonly maxBufferBytes: number;
}
export type SimdCapabilities = CommonCapabilities & { readonly family: 'simd'; readonly simd: SimdFacts };
export type SimtCapabilities = CommonCapabilities & { readonly family: 'simt'; readonly simt: SimtFacts };
export type TileCapabilities = CommonCapabilities & { readonly family: 'tile'; readonly tile: TileFacts };
/** Of machines that kernels are made for. */
export type Capabilities = SimdCapabilities | SimtCapabilities | TileCapabilities;
/** Of an engine that compiles whole models itself: it takes files of ONNX with operators of this opset. */
export type ModelCapabilities = CommonCapabilities & { readonly family: 'model'; readonly opset: number };

export function integerProducts(capabilities: Capabilities | ModelCapabilities): IntegerProducts | undefined {
  if (capabilities.words !== undefined) return capabilities.words;
  return capabilities.family === 'simt' && capabilities.simt.matrixUnits.some((unit) => unit.in === 'i8') ? 'matrices' : undefined;
}

/** Rendered source, or machine code where the renderer encodes it itself. */
export interface Source {
  readonly language: string;
  /** Units that compile on their own and link together. Text, or bytes of an encoded module. */
  readonly units: readonly (string | Uint8Array)[];
  /** One more unit, the same in everything this renderer makes: compiling it once is enough. */
  readonly common?: string;
  /** For devices whose driver launches kernels one by one. */
  readonly launches?: LaunchPlan;
  /** Whether it uses what the very architecture that it is compiled for has, and none beside or after it. */
  readonly isSpecific?: boolean;
}

/** What a compiler made: enough to load it here or elsewhere. Plain data, part of a saved ExecutionPlan. */
export interface Binary {
  /** What the bytes are: 'elf-x86-64', 'wasm', … A device refuses a format that is not its own. */
  readonly format: string;
  /** The chip that was at hand when it was made, by the name that its driver gives it: others of the same format refuse it. */
  readonly chip?: string;
  readonly bytes: Uint8Array;
}

export interface Renderer {
  render(module: KernelModule): Source;
  /** One kernel alone, for people to read. */
  renderKernel(module: KernelModule, kernel: number): string;
}

export interface CompileReport {
  readonly binary: Binary;
  /** Whether the binary came from the cache. */
  readonly cached: boolean;
}

export interface Compiler {
  compile(source: Source): Promise<CompileReport>;
}

/** A block of device memory. */
export interface Buffer {
  readonly bytes: number;
  dispose(): void;
}

/** A loaded binary. */
export interface Program {
  dispose(): void;
}

export interface DeviceLimits {
  readonly threads: number;
  readonly maxBufferBytes: number;
}

export interface Device {
  readonly limits: DeviceLimits;
  /** The device is gone (reset, unplugged, a fault of a kernel): nothing on it works any more. A session then opens it anew. */
  readonly isLost?: boolean;
  /** Uninitialised memory, 64-byte aligned. */
  allocate(bytes: number): Buffer;
  /**
   * A buffer over host memory without a copy, where the device can read and write it; undefined where it cannot. Valid until the
   * buffer is disposed; the caller keeps `bytes` alive.
   */
  wrap(bytes: Uint8Array): Buffer | undefined;
  load(binary: Binary, module: { readonly scratchBytes: number }): Promise<Program>;
  createQueue(): Queue;
  dispose(): void;
}

/** In order. A call may return before its work is done; `finish` waits for it. */
export interface Queue {
  write(target: Buffer, offsetBytes: number, data: Uint8Array): void;
  read(source: Buffer, offsetBytes: number, into: Uint8Array): void;
  copy(source: Buffer, sourceOffset: number, target: Buffer, targetOffset: number, bytes: number): void;
  /**
   * Runs all `run` calls of the module, or one of its `init` calls, with `bases` as the table of base pointers. An error that one call of
   * `run` caused has the call's number in `facts.call`.
   */
  dispatch(program: Program, entry: 'run' | { readonly init: number }, bases: readonly Buffer[]): void;
  /** Like `dispatch` of 'run' and `finish`; gives the nanoseconds of each call. Absent where the device cannot tell. */
  profile?(program: Program, bases: readonly Buffer[], calls: number): Promise<readonly number[]>;
  finish(): Promise<void>;
}

export interface OpenOptions {
  /** Worker threads including the caller's; default: the machine's cores. */
  readonly threads?: number;
}

export interface Available {
  readonly ok: true;
  /** For people: what was found. */
  readonly detail: string;
  /** The driver, compiler or engine behind it, with its version. */
  readonly driver?: string;
  /** Memory that all buffers together may fill, bytes. */
  readonly memoryBytes?: number;
  /** For `auto`, where the machine that was found deserves less than the target's rank. */
  readonly rank?: number;
  /** What answers is a virtual chip: it proves logic, never speed. */
  readonly isVirtual?: boolean;
}
export interface Unavailable {
  readonly ok: false;
  /** What is missing can be installed, or is the chip itself. */
  readonly needs: 'software' | 'hardware';
  /** Only what compiles is missing: programs that were compiled before can be loaded and run. */
  readonly loads?: boolean;
  /** What is missing, one sentence. */
  readonly reason: string;
  /** What to do. */
  readonly hint: string;
}
export type Availability = Available | Unavailable;

/** Chips that a target can be tried on without one: libraries of the vendor's functions over host memory (docs/virtual-chips.md). */
export interface VirtualChips<E = Target> {
  /** The first is taken where none is named. */
  readonly names: readonly string[];
  /** The target on one of them, called `name`; undefined where there is no such chip. */
  open(chip: string, name: string): E | undefined;
}

/** What targets and engines of whole models have in common. */
export interface CommonEngine {
  /** What users call it: 'cpu', 'wasm'. */
  readonly name: string;
  /** Evidence ladder E0–E4 (docs/architecture.md). */
  readonly evidence: 'E0' | 'E1' | 'E2' | 'E3' | 'E4';
  /** For `auto`: higher is taken first. What the best machine of the kind deserves. */
  readonly rank: number;
  /** Whether it can be used here and now, and why not. Never throws. */
  probe(): Promise<Availability>;
  /**
   * All that decides what it makes of a model, besides the model and the capabilities: of the machine that `probe` found, with its tools.
   * Absent where not all of that is known; what was compiled is then not kept as a whole.
   */
  identity?(): Promise<readonly string[]>;
  createCompiler(): Compiler;
  openDevice(options?: OpenOptions): Promise<Device>;
}

/** A machine that runs kernels made here. */
export interface Target extends CommonEngine {
  /** Of the machine that `probe` found; before that, what every machine of the kind has. */
  readonly capabilities: Capabilities;
  /** The same on another device of the kind, by its number from 0. Absent where a machine has one only. */
  at?(ordinal: number): Target;
  readonly virtual?: VirtualChips;
  createRenderer(): Renderer;
  /** The files of a library of a program, which needs nothing of ours to run. Absent where there are none. */
  createLibrary?(source: Source | undefined, library: LibraryDescription): Promise<readonly LibraryFile[]>;
}

/** An engine that is given whole models: its compiler takes one as the only unit, in bytes. */
export interface ModelEngine extends CommonEngine {
  readonly capabilities: ModelCapabilities;
  /** Like a target's. */
  at?(ordinal: number): ModelEngine;
  readonly virtual?: VirtualChips<ModelEngine>;
}

/** What runs device programs, under a name of its own. */
export type Engine = Target | ModelEngine;

export const takesModels = (engine: Engine): engine is ModelEngine => engine.capabilities.family === 'model';

/** Throws `unsupported` where no buffer of the device holds elements of `dtype`. */
export function requireStorage({ name, capabilities }: Engine, dtype: DType): void {
  if (capabilities.storage.includes(dtype)) return;
  throw new AnychipError('unsupported', `${name} has no ${dtype}`, { hint: `It has ${capabilities.storage.join(', ')}.` });
}

/** Throws `bad-argument` for an engine that no kernels are made for. */
export function requireKernels(engine: Engine): Target {
  if (!takesModels(engine)) return engine;
  throw new AnychipError('bad-argument', `${engine.name} is given models whole: there are no kernels of ours`, { hint: 'Choose a device of another family: anychip devices.' });
}
