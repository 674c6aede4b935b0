// Whatever OpenCL drives: GPUs of all vendors, accelerators, and processors through drivers such as PoCL.
import { AnychipError } from '../../core/error.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';
import { LaunchedRenderer } from '../../render/c/launched.ts';
import { ClCoreRenderer } from '../../render/cl/coreRenderer.ts';
import { clLanguage } from '../../render/cl/language.ts';
import { CompileCache } from '../../runtime/compileCache.ts';
import type { Availability, Capabilities, SimtFacts, Target } from '../../runtime/device.ts';
import { ClCompiler } from './compiler.ts';
import { ClDevice } from './device.ts';
import { KINDS, findMachine } from './machine.ts';
import type { ClFound } from './machine.ts';

/** What every full-profile device of OpenCL 1.2 has at least. */
const LEAST_FACTS: SimtFacts = { maxThreads: 64, subgroupThreads: 32, shuffleThreads: 1, sharedBytes: 32 << 10, vectorLanes: 1, units: 1, matrixUnits: [] };
const LEAST_BUFFER_BYTES = 128 << 20;

const capabilitiesOf = (found: ClFound | undefined): Capabilities => ({
  ...(found?.machine ?? { family: 'simt', simt: LEAST_FACTS }),
  // Doubles stay on the host where the device has none.
  storage: found?.hasDoubles === true ? storedDTypes : storedDTypes.filter((dtype) => dtype !== 'f64'),
  maxBufferBytes: found?.maxBufferBytes ?? LEAST_BUFFER_BYTES,
});

/** `family`: the kernels it is given, where not those that suit the device. */
export function createOpenClTarget(cache: CompileCache = new CompileCache(), family?: Capabilities['family']): Target {
  let finding: Promise<ClFound> | undefined;
  let found: ClFound | undefined;
  const machine = async (): Promise<ClFound> => {
    found = await (finding ??= findMachine(family));
    return found;
  };
  const probe = async (): Promise<Availability> => {
    try {
      const { title, kind, driver, memoryBytes } = await machine();
      return { ok: true, detail: title, driver, memoryBytes, rank: kind.rank };
    } catch (error) {
      const hint = (error instanceof AnychipError ? error.hint : undefined) ?? 'Use another device.';
      return { ok: false, needs: 'software', reason: error instanceof AnychipError ? error.reason : String(error), hint };
    }
  };
  return {
    name: 'opencl',
    evidence: 'E3',
    rank: Math.max(...KINDS.map((kind) => kind.rank)),
    probe,
    get capabilities() {
      return capabilitiesOf(found);
    },
    createRenderer: () => (found?.machine.family === 'simd' ? new ClCoreRenderer() : new LaunchedRenderer(clLanguage)),
    createCompiler: () => new ClCompiler(cache, machine),
    openDevice: async () => new ClDevice(await machine()),
  };
}
