// WebAssembly in whatever engine runs this: needs nothing installed, and is always there.
import { AnychipError } from '../../core/error.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';
import { WasmRenderer } from '../../render/wasm/renderer.ts';
import type { Availability, Capabilities, CompileReport, Compiler, Device, OpenOptions, Source, Target } from '../../runtime/device.ts';
import { WasmDevice, binaryFormat } from './device.ts';
import { engineFeatures } from './features.ts';
import { availableCores } from './host.ts';
import { MAX_BUFFER_BYTES } from './memory.ts';

/** The caches behind an engine are not known; nearly all processors have these. */
const [L1_BYTES, L2_BYTES] = [32 << 10, 512 << 10];
/** x64 has 16, of which V8 keeps one for itself; arm64 has 32. */
const VECTOR_REGISTERS = 15;

/** The renderer has encoded the machine code already. */
const compiler: Compiler = {
  compile: ({ units: [bytes] }: Source): Promise<CompileReport> => {
    if (!(bytes instanceof Uint8Array)) return Promise.reject(new AnychipError('internal', 'the wasm compiler was given text'));
    return Promise.resolve({ binary: { format: binaryFormat(engineFeatures()), bytes }, cached: false });
  },
};

function probe(): Availability {
  const { simd, relaxed, isShared } = engineFeatures();
  if (!simd) return { ok: false, needs: 'software', reason: 'this engine has no WebAssembly SIMD', hint: 'Use a newer engine.' };
  const cores = isShared ? availableCores() : 1;
  return { ok: true, detail: `${relaxed ? 'relaxed SIMD' : 'SIMD'}, ${isShared ? `${cores} ${cores === 1 ? 'thread' : 'threads'}` : 'one thread: memory cannot be shared here'}` };
}

export function createWasmTarget(): Target {
  return {
    name: 'wasm',
    evidence: 'E4',
    rank: 50,
    probe: () => Promise.resolve(probe()),
    get capabilities(): Capabilities {
      const simd = {
        vectorLanes: 4,
        vectorRegisters: VECTOR_REGISTERS,
        loadsFirst: true,
        l1Bytes: L1_BYTES,
        l2Bytes: L2_BYTES,
        pointerBytes: 4,
      } as const;
      return { family: 'simd', storage: storedDTypes, simd, maxBufferBytes: MAX_BUFFER_BYTES };
    },
    createRenderer: () => new WasmRenderer(engineFeatures()),
    createCompiler: () => compiler,
    openDevice: (options: OpenOptions = {}): Promise<Device> => Promise.resolve(new WasmDevice(engineFeatures(), options.threads ?? availableCores())),
  };
}
