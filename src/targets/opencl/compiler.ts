// OpenCL C to a program of this machine's device, by its driver, kept in the compile cache.
import { AnychipError } from '../../core/error.ts';
import { trace } from '../../core/trace.ts';
import { HostMemory } from '../../ffi/hostMemory.ts';
import { contentKey } from '../../runtime/compileCache.ts';
import type { CompileCache } from '../../runtime/compileCache.ts';
import type { CompileReport, Compiler, Source } from '../../runtime/device.ts';
import { packProgram } from '../../runtime/launchPlan.ts';
import { leaveMachine, useMachine } from './machine.ts';
import type { ClFound, ClMachine } from './machine.ts';

const PROGRAM_BINARY_SIZES = 0x1165;
const PROGRAM_BINARIES = 0x1166;
const PROGRAM_BUILD_LOG = 0x1183;

/** What programs of this machine are called. */
export const binaryFormat = ({ identity }: ClFound): string => `opencl-${contentKey(identity).slice(0, 16)}`;

/** Builds a program; the error quotes the compiler. */
export async function buildProgram({ cl, device, buildOptions }: ClFound, program: bigint): Promise<void> {
  try {
    await cl.callInBackground('clBuildProgram', program, 1, HostMemory.words(cl.native, [device]), HostMemory.string(cl.native, buildOptions), 0n, 0n);
  } catch (error) {
    const log = cl.query('clGetProgramBuildInfo', [program, device], PROGRAM_BUILD_LOG).text;
    throw new AnychipError('device', `the OpenCL compiler failed: ${log.split('\n').slice(0, 4).join(' ').slice(0, 600) || 'it said nothing'}`, {
      hint: 'Update the driver, or use another device.',
      facts: { log },
      cause: error,
    });
  }
}

export class ClCompiler implements Compiler {
  readonly #cache: CompileCache;
  readonly #machine: () => Promise<ClFound>;

  constructor(cache: CompileCache, machine: () => Promise<ClFound>) {
    this.#cache = cache;
    this.#machine = machine;
  }

  async compile({ units, launches }: Source): Promise<CompileReport> {
    const [text] = units;
    if (typeof text !== 'string' || launches === undefined) throw new AnychipError('internal', 'the OpenCL compiler was given something else than OpenCL C');
    const machine = await this.#machine();
    const key = contentKey([...machine.identity, machine.buildOptions, text]);
    const kept = this.#cache.get(key);
    const format = binaryFormat(machine);
    if (kept !== undefined) return { binary: { format, bytes: packProgram(launches, kept) }, cached: true };
    const start = performance.now();
    const code = await compileText(machine, text);
    trace(2, () => ({ kind: 'time', message: 'OpenCL compiler', facts: { millis: performance.now() - start, characters: text.length, bytes: code.byteLength } }));
    this.#cache.put(key, code);
    return { binary: { format, bytes: packProgram(launches, code) }, cached: false };
  }
}

async function compileText(found: ClFound, text: string): Promise<Uint8Array> {
  const machine = useMachine(found);
  try {
    return await compileIn(machine, text);
  } finally {
    leaveMachine(machine);
  }
}

async function compileIn({ context, ...machine }: ClMachine, text: string): Promise<Uint8Array> {
  const { cl } = machine;
  const source = HostMemory.string(cl.native, text);
  const program = cl.create('clCreateProgramWithSource', context, 1, HostMemory.words(cl.native, [source.address]), 0n);
  try {
    await buildProgram(machine, program);
    const size = cl.query('clGetProgramInfo', [program], PROGRAM_BINARY_SIZES).u64[0]!;
    const code = new HostMemory(cl.native, Number(size));
    await cl.callInBackground('clGetProgramInfo', program, PROGRAM_BINARIES, 8, HostMemory.words(cl.native, [code.address]), 0n);
    return code.bytes;
  } finally {
    cl.call('clReleaseProgram', program);
  }
}
