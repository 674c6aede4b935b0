// WebAssembly in whatever engine runs this: needs nothing installed, and is always there.
import { AnychipError } from '../../core/error.ts';
import { storedDTypes } from '../../kernel/storedDTypes.ts';
import { WasmRenderer } from '../../render/wasm/renderer.ts';
import type { Availability, Capabilities, Compiler, Target } from '../../runtime/device.ts';
import { WasmDevice, binaryFormat } from './device.ts';
import { detectFeatures } from './features.ts';
import type { EngineFeatures } from './features.ts';
import type { WasmHost } from './host.ts';
import { MAX_BUFFER_BYTES } from './memory.ts';

/** The caches behind an engine are not known; nearly all processors have these. */
const [L1_BYTES, L2_BYTES] = [32 << 10, 512 << 10];
/** x64 has 16, of which V8 keeps one for itself; arm64 has 32. */
const VECTOR_REGISTERS = 15;

/** The renderer has encoded the machine code already. */
const createCompiler = (features: EngineFeatures): Compiler => ({
  compile: async ({ units: [bytes] }) => {
    if (!(bytes instanceof Uint8Array)) throw new AnychipError('internal', 'the wasm compiler was given text');
    return { binary: { format: binaryFormat(features), bytes }, cached: false };
  },
});

function probe(host: WasmHost, { simd, relaxed, isShared }: EngineFeatures): Availability {
  if (!simd) return { ok: false, needs: 'software', reason: 'this engine has no WebAssembly SIMD', hint: 'Use a newer engine.' };
  const sharing = host.memorySharing();
  const cores = isShared ? host.availableCores() : 1;
  const threads = cores === 1 ? 'one thread' : `${cores} threads`;
  const detail = `${relaxed ? 'relaxed SIMD' : 'SIMD'}, ${threads}${sharing === 'shared' ? '' : `: ${sharing.whyNot}`}`;
  return { ok: true, detail, ...(host.engine === undefined ? {} : { driver: host.engine }), memoryBytes: MAX_BUFFER_BYTES };
}

export function createWasmTarget(host: WasmHost): Target {
  let found: EngineFeatures | undefined;
  const features = (): EngineFeatures => (found ??= detectFeatures(host));
  return {
    name: 'wasm',
    evidence: 'E4',
    rank: 50,
    probe: async () => probe(host, features()),
    get capabilities(): Capabilities {
      const simd = {
        vectorLanes: 4,
        vectorRegisters: VECTOR_REGISTERS,
        loadsFirst: true,
        l1Bytes: L1_BYTES,
        l2Bytes: L2_BYTES,
        pointerBytes: 4,
        convertsHalves: false,
      } as const;
      return { family: 'simd', storage: storedDTypes, simd, words: 'shorts', maxBufferBytes: MAX_BUFFER_BYTES };
    },
    identity: () => Promise.resolve([binaryFormat(features())]),
    createRenderer: () => new WasmRenderer(features()),
    createCompiler: () => createCompiler(features()),
    openDevice: async (options = {}) => new WasmDevice(host, features(), options.threads ?? host.availableCores()),
  };
}
