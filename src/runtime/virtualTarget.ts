// A target on a virtual chip: everything is the real target's but the library behind it, which is built when something is first compiled
// or opened. It must not know which target it is.
import { AnychipError } from '../core/error.ts';
import type { CompileCache } from './compileCache.ts';
import type { Capabilities, Target } from './device.ts';
import { findHostCompiler } from './hostCompiler.ts';
import { buildVirtualChip } from './virtualChip.ts';
import type { BuiltChip, VirtualChip } from './virtualChip.ts';

export interface VirtualTargetOptions {
  /** As users call it: 'cuda:virtual/a100'. */
  readonly name: string;
  readonly chip: VirtualChip;
  readonly capabilities: Capabilities;
  /** What it stands in for, which says how kernels are rendered. */
  readonly real: Target;
  readonly cache: CompileCache;
  /** The real target on another library. */
  readonly on: (built: BuiltChip) => Target;
}

export function createVirtualTarget({ name, chip, capabilities, real, cache, on }: VirtualTargetOptions): Target {
  let made: Promise<Target> | undefined;
  const target = async (): Promise<Target> => {
    made ??= buildVirtualChip(chip, cache).then(on);
    return made;
  };
  return {
    name,
    evidence: real.evidence,
    // Never taken by `auto`, which does not ask virtual chips.
    rank: 0,
    capabilities,
    probe: async () => {
      try {
        const { version } = await findHostCompiler();
        return { ok: true, isVirtual: true, detail: `a virtual ${chip.title} on this processor, built by ${version}`, memoryBytes: capabilities.maxBufferBytes };
      } catch (error) {
        if (!(error instanceof AnychipError)) throw error;
        return { ok: false, needs: 'software', reason: error.reason, hint: error.hint ?? 'Install a C++ compiler.' };
      }
    },
    createRenderer: () => real.createRenderer(),
    createCompiler: () => ({ compile: async (source) => (await target()).createCompiler().compile(source) }),
    openDevice: async (options) => (await target()).openDevice(options),
  };
}
