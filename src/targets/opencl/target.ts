// Whatever OpenCL drives: GPUs of all vendors, accelerators, and processors through drivers such as PoCL.
import { AnychipError } from '../../core/error.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';
import { LaunchedRenderer } from '../../render/c/launched.ts';
import { clLanguage } from '../../render/cl/language.ts';
import { CompileCache } from '../../runtime/compileCache.ts';
import type { Availability, SimtCapabilities, SimtFacts, Target } from '../../runtime/device.ts';
import { ClCompiler } from './compiler.ts';
import { ClDevice } from './device.ts';
import { openMachine } from './machine.ts';
import type { ClMachine } from './machine.ts';

/** What every full-profile device of OpenCL 1.2 has at least. */
const LEAST_FACTS: SimtFacts = { maxThreads: 64, subgroupThreads: 32, sharedBytes: 32 << 10, vectorLanes: 1, units: 1, matrixUnits: [] };
const LEAST_BUFFER_BYTES = 128 << 20;

const capabilitiesOf = (machine: ClMachine | undefined): SimtCapabilities => ({
  family: 'simt',
  // Doubles stay on the host where the device has none.
  storage: machine?.hasDoubles === true ? storedDTypes : storedDTypes.filter((dtype) => dtype !== 'f64'),
  simt: machine?.facts ?? LEAST_FACTS,
  maxBufferBytes: machine?.maxBufferBytes ?? LEAST_BUFFER_BYTES,
});

export function createOpenClTarget(cache: CompileCache = new CompileCache()): Target {
  let opened: Promise<ClMachine> | undefined;
  let found: ClMachine | undefined;
  const machine = async (): Promise<ClMachine> => {
    found = await (opened ??= openMachine());
    return found;
  };
  const probe = async (): Promise<Availability> => {
    try {
      return { ok: true, detail: (await machine()).title };
    } catch (error) {
      const hint = (error instanceof AnychipError ? error.hint : undefined) ?? 'Use another device.';
      return { ok: false, needs: 'software', reason: error instanceof AnychipError ? error.reason : String(error), hint };
    }
  };
  return {
    name: 'opencl',
    evidence: 'E3',
    rank: 60,
    probe,
    get capabilities() {
      return capabilitiesOf(found);
    },
    createRenderer: () => new LaunchedRenderer(clLanguage),
    createCompiler: () => new ClCompiler(cache, machine),
    openDevice: async () => new ClDevice(await machine()),
  };
}
