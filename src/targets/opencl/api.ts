// OpenCL's C interface: the functions this target calls as a table of their arguments, error numbers as names, and queries.
// Names, numbers and signatures are those of the OpenCL 1.2 specification (Khronos); what is newer is optional.
import { AnychipError } from '../../core/error.ts';
import { HostMemory } from '../../ffi/hostMemory.ts';
import type { Native, NativeFunction, NativeLibrary, NativeType, NativeValue } from '../../ffi/native.ts';

/** Arguments by letter: u 32 bits, s size_t or 64 bits, p pointer or handle. The result is a status; `create…` give a handle instead. */
const functions = {
  clGetPlatformIDs: 'upp',
  clGetPlatformInfo: 'puspp',
  clGetDeviceIDs: 'psupp',
  clGetDeviceInfo: 'puspp',
  clCreateContext: 'puppp',
  clReleaseContext: 'p',
  clCreateCommandQueue: 'pps',
  clReleaseCommandQueue: 'p',
  clCreateBuffer: 'pssp',
  clReleaseMemObject: 'p',
  clCreateProgramWithSource: 'pupp',
  clCreateProgramWithBinary: 'pupppp',
  clBuildProgram: 'pupppp',
  clGetProgramInfo: 'puspp',
  clGetProgramBuildInfo: 'ppuspp',
  clReleaseProgram: 'p',
  clCreateKernel: 'pp',
  clSetKernelArg: 'pusp',
  clReleaseKernel: 'p',
  clEnqueueNDRangeKernel: 'ppupppupp',
  clEnqueueWriteBuffer: 'ppusspupp',
  clEnqueueReadBuffer: 'ppusspupp',
  clEnqueueCopyBuffer: 'pppsssupp',
  clGetEventProfilingInfo: 'puspp',
  clReleaseEvent: 'p',
  clFlush: 'p',
  clFinish: 'p',
} as const satisfies Record<string, string>;
export type ClFunction = keyof typeof functions;
type Creator = Extract<ClFunction, `clCreate${string}`>;

const argTypes = { u: 'i32', s: 'i64', p: 'pointer' } as const satisfies Record<string, NativeType>;
const isLetter = (letter: string): letter is keyof typeof argTypes => letter in argTypes;

/** Table 5.x of the specification: what a call may answer. */
const errors: Readonly<Record<number, string>> = {
  [-1]: 'CL_DEVICE_NOT_FOUND',
  [-2]: 'CL_DEVICE_NOT_AVAILABLE',
  [-3]: 'CL_COMPILER_NOT_AVAILABLE',
  [-4]: 'CL_MEM_OBJECT_ALLOCATION_FAILURE',
  [-5]: 'CL_OUT_OF_RESOURCES',
  [-6]: 'CL_OUT_OF_HOST_MEMORY',
  [-7]: 'CL_PROFILING_INFO_NOT_AVAILABLE',
  [-11]: 'CL_BUILD_PROGRAM_FAILURE',
  [-14]: 'CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST',
  [-15]: 'CL_COMPILE_PROGRAM_FAILURE',
  [-30]: 'CL_INVALID_VALUE',
  [-33]: 'CL_INVALID_DEVICE',
  [-34]: 'CL_INVALID_CONTEXT',
  [-36]: 'CL_INVALID_COMMAND_QUEUE',
  [-38]: 'CL_INVALID_MEM_OBJECT',
  [-42]: 'CL_INVALID_BINARY',
  [-43]: 'CL_INVALID_BUILD_OPTIONS',
  [-44]: 'CL_INVALID_PROGRAM',
  [-45]: 'CL_INVALID_PROGRAM_EXECUTABLE',
  [-46]: 'CL_INVALID_KERNEL_NAME',
  [-48]: 'CL_INVALID_KERNEL',
  [-49]: 'CL_INVALID_ARG_INDEX',
  [-50]: 'CL_INVALID_ARG_VALUE',
  [-51]: 'CL_INVALID_ARG_SIZE',
  [-52]: 'CL_INVALID_KERNEL_ARGS',
  [-54]: 'CL_INVALID_WORK_GROUP_SIZE',
  [-55]: 'CL_INVALID_WORK_ITEM_SIZE',
  [-61]: 'CL_INVALID_BUFFER_SIZE',
  [-1001]: 'CL_PLATFORM_NOT_FOUND_KHR',
};
const OUT_OF_MEMORY: ReadonlySet<number> = new Set([-4, -5, -6, -61]);

function failure(name: string, status: number): AnychipError {
  const title = errors[status] ?? `error ${status}`;
  return OUT_OF_MEMORY.has(status)
    ? new AnychipError('limit', `the OpenCL device is out of memory or resources: ${name} gave ${title}`, {
        hint: 'Bind smaller dimensions, close other sessions, or use a device with more memory.',
        facts: { status },
      })
    : new AnychipError('device', `${name} gave ${title}`, { hint: 'Try another device, such as cpu; update the driver if it persists.', facts: { status } });
}

/** Memory is passed by its address, and lives until the call is over. */
export type ClArg = NativeValue | HostMemory;
const valueOf = (arg: ClArg): NativeValue => (arg instanceof HostMemory ? arg.address : arg);

export class OpenCl {
  readonly native: Native;
  readonly #library: NativeLibrary;
  readonly #found = new Map<ClFunction, NativeFunction>();
  readonly #status: HostMemory;
  /** What the last call was given: nothing of it may be collected before the call is over. */
  held: readonly ClArg[] = [];

  constructor(native: Native, library: NativeLibrary) {
    this.native = native;
    this.#library = library;
    this.#status = new HostMemory(native, 8);
  }

  #function(name: ClFunction): NativeFunction {
    let found = this.#found.get(name);
    if (found === undefined) {
      const args = [...functions[name]].map((letter) => argTypes[isLetter(letter) ? letter : 'p']);
      const isCreator = name.startsWith('clCreate');
      found = this.#library.find(name, isCreator ? 'pointer' : 'i32', isCreator ? [...args, 'pointer'] : args);
      this.#found.set(name, found);
    }
    return found;
  }

  /** Calls `name` and throws an error that names what went wrong. */
  call(name: Exclude<ClFunction, Creator>, ...args: readonly ClArg[]): void {
    this.held = args;
    const status = Number(this.#function(name)(...args.map(valueOf)));
    if (status !== 0) throw failure(name, status);
  }

  /** The same on a thread of its own. */
  async callInBackground(name: Exclude<ClFunction, Creator>, ...args: readonly ClArg[]): Promise<void> {
    const status = Number(await this.#function(name).inBackground(...args.map(valueOf)));
    this.held = args;
    if (status !== 0) throw failure(name, status);
  }

  /** The handle of what `name` creates. */
  create(name: Creator, ...args: readonly ClArg[]): bigint {
    this.held = args;
    const handle = BigInt(this.#function(name)(...args.map(valueOf), this.#status.address));
    const status = this.#status.i32[0]!;
    if (status !== 0 || handle === 0n) throw failure(name, status);
    return handle;
  }

  /** What `name` tells about the object, as bytes. */
  query(
    name: 'clGetPlatformInfo' | 'clGetDeviceInfo' | 'clGetProgramInfo' | 'clGetProgramBuildInfo' | 'clGetEventProfilingInfo',
    object: readonly bigint[],
    what: number,
  ): HostMemory {
    const size = new HostMemory(this.native, 8);
    this.call(name, ...object, what, 0, 0n, size);
    const memory = new HostMemory(this.native, Number(size.u64[0]!));
    if (memory.bytes.byteLength > 0) this.call(name, ...object, what, memory.bytes.byteLength, memory, 0n);
    return memory;
  }
}
