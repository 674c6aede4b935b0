// NVIDIA's GPUs, through the driver's own interface: no toolkit is needed but a compiler, as a library or a program.
import { AnychipError } from '../../core/error.ts';
import { cudaTable } from '../../ffi/driver/cuda.ts';
import type { DriverTable } from '../../ffi/driver/table.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';
import { LaunchedRenderer } from '../../render/c/launched.ts';
import { cudaLanguage } from '../../render/cuda/language.ts';
import { CompileCache } from '../../runtime/compileCache.ts';
import type { Availability, SimtFacts, Target } from '../../runtime/device.ts';
import { cudaVirtualChips } from './virtual.ts';
import { CudaCompiler, findCompiler } from './compiler.ts';
import { CudaDevice } from './device.ts';
import { findMachine, hasChip, useMachine } from './machine.ts';
import type { CudaFound } from './machine.ts';

/** What every device of this architecture or a later one has. */
const LEAST_ARCHITECTURE = 'sm_80';
const LEAST_FACTS: SimtFacts = { maxThreads: 1024, subgroupThreads: 32, sharedBytes: 48 << 10, vectorLanes: 1, units: 16, matrixUnits: [] };
const LEAST_MEMORY_BYTES = 4 * 2 ** 30;

export interface CudaOptions {
  readonly cache?: CompileCache;
  readonly table?: DriverTable;
  /** Which of several devices. */
  readonly ordinal?: number;
  /** What to compile for where there is no device. */
  readonly architecture?: string;
}

export function createCudaTarget(options: CudaOptions = {}): Target {
  const { cache = new CompileCache(), table = cudaTable, ordinal = 0, architecture = process.env['ANYCHIP_CUDA_ARCH'] ?? LEAST_ARCHITECTURE } = options;
  let opened: Promise<CudaFound> | undefined;
  let found: CudaFound | undefined;
  const machine = async (): Promise<CudaFound> => (found = await (opened ??= findMachine(table, ordinal)));
  const probe = async (): Promise<Availability> => {
    try {
      const { title, driverVersion, memoryBytes } = await machine();
      await findCompiler(table.compiler);
      return { ok: true, detail: title, driver: driverVersion, memoryBytes };
    } catch (error) {
      if (!(error instanceof AnychipError)) return { ok: false, needs: 'software', reason: String(error), hint: table.install };
      const hint = 'Use another device, or a machine with one.';
      if (Number(error.facts['devices'] ?? 0) > 0) return { ok: false, needs: 'hardware', reason: error.reason, hint };
      // Where the system does not show its bus, a driver that is missing is taken for missing software.
      if (found === undefined && hasChip(table.pciVendor) === false) {
        return { ok: false, needs: 'hardware', reason: `this machine has no chip of ${table.vendor} (${error.reason})`, hint };
      }
      return { ok: false, needs: 'software', reason: error.reason, hint: error.hint ?? table.install };
    }
  };
  const architectureHere = async (): Promise<string> => {
    try {
      return (await machine()).architecture;
    } catch {
      return architecture;
    }
  };
  const target: Target = {
    name: ordinal === 0 ? 'cuda' : `cuda:${ordinal}`,
    evidence: 'E1',
    rank: 200,
    probe,
    get capabilities() {
      return { family: 'simt', storage: storedDTypes, simt: found?.facts ?? LEAST_FACTS, maxBufferBytes: found?.memoryBytes ?? LEAST_MEMORY_BYTES } as const;
    },
    at: (other) => createCudaTarget({ ...options, ordinal: other }),
    virtual: cudaVirtualChips(
      cache,
      () => target,
      (other) => createCudaTarget({ cache, table: other }),
    ),
    createRenderer: () => new LaunchedRenderer(cudaLanguage),
    createCompiler: () => new CudaCompiler(cache, table.compiler, architectureHere),
    openDevice: async () => new CudaDevice(useMachine(await machine())),
  };
  return target;
}
