// The machine's own processor, through C and the system's compiler.
import { totalmem } from 'node:os';
import { AnychipError } from '../../core/error.ts';
import { openNative } from '../../ffi/native.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';
import { gnuDialect } from '../../render/c/gnuDialect.ts';
import { gnuHalfDialect } from '../../render/c/gnuHalves.ts';
import { CRenderer } from '../../render/c/renderer.ts';
import { CompileCache } from '../../runtime/compileCache.ts';
import type { Availability, Device, OpenOptions, Target } from '../../runtime/device.ts';
import { CpuCompiler, programIdentity } from './compiler.ts';
import { CpuDevice, MAX_BUFFER_BYTES } from './device.ts';
import { cpuFacts } from './facts.ts';
import { createLibrary } from './library.ts';
import { compileUnits, findToolchain } from './toolchain.ts';
import type { Toolchain } from './toolchain.ts';

/** Vectors, two units, and functions of the C library that programs may call: they must be found when the library is loaded. */
const TRIAL_UNITS = [
  'typedef float v __attribute__((vector_size(16)));\nfloat half(float x) { v a = {x, x, x, x}; return (a * 0.5f)[2]; }\n',
  `float half(float);
double floor(double), fma(double, double, double); float floorf(float), fmaf(float, float, float);
void *memcpy(void *, const void *, unsigned long), *calloc(unsigned long, unsigned long); int pthread_create(), pthread_cond_wait(), clock_gettime();
void *const needed[] = {floor, fma, floorf, fmaf, memcpy, calloc, pthread_create, pthread_cond_wait, clock_gettime};
int anychip_trial(int x) { return (int)half((float)x); }
`,
];

/** Compiles two units, links and loads them, and calls what came out. */
async function tryOut(toolchain: Toolchain, folder: string): Promise<void> {
  const device = new CpuDevice(await openNative(), folder, 1);
  const library = device.openLibrary(await compileUnits(toolchain, TRIAL_UNITS));
  const answer = library.find('anychip_trial', 'i32', ['i32'])(84);
  library.close();
  if (answer !== 42) throw new AnychipError('device', `${toolchain.command.join(' ')} compiles wrongly: 84 / 2 gave ${answer}`);
}

async function probe(toolchain: () => Promise<Toolchain>): Promise<Availability> {
  let loads = false;
  try {
    if (process.platform === 'win32') throw new AnychipError('device', 'native kernels need a POSIX system', { hint: 'Use the wasm device, or run under WSL.' });
    await openNative();
    loads = true;
    const { version: driver } = await toolchain();
    const { vectorTitle, cores } = cpuFacts();
    return { ok: true, detail: `${vectorTitle}, ${cores} ${cores === 1 ? 'core' : 'cores'}`, driver, memoryBytes: totalmem() };
  } catch (error) {
    const hint = (error instanceof AnychipError ? error.hint : undefined) ?? 'Use the wasm device.';
    return { ok: false, needs: 'software', loads, reason: error instanceof Error ? error.message : String(error), hint };
  }
}

export function createCpuTarget(cache: CompileCache = new CompileCache()): Target {
  let found: Promise<Toolchain> | undefined;
  const toolchain = (): Promise<Toolchain> => (found ??= findToolchain(cache, (candidate) => tryOut(candidate, cache.folder)));
  return {
    name: 'cpu',
    evidence: 'E4',
    rank: 100,
    probe: () => probe(toolchain),
    capabilities: { family: 'simd', storage: storedDTypes, simd: cpuFacts(), words: cpuFacts().words, maxBufferBytes: MAX_BUFFER_BYTES },
    identity: async () => programIdentity(await toolchain()),
    createRenderer: () => new CRenderer(cpuFacts().convertsHalves ? gnuHalfDialect : gnuDialect),
    createCompiler: () => new CpuCompiler(cache, toolchain),
    createLibrary: async (source, library) => createLibrary(await toolchain(), source, library),
    openDevice: async (options: OpenOptions = {}): Promise<Device> => new CpuDevice(await openNative(), cache.folder, options.threads ?? cpuFacts().cores),
  };
}
