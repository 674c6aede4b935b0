// The engine on virtual chips: the same driver calls to a library over host memory, and an atc that compiles models for this processor.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { AnychipError } from '../../../core/error.ts';
import type { CompileCache } from '../../../runtime/compileCache.ts';
import type { ModelEngine, VirtualChips } from '../../../runtime/device.ts';
import { findHostCompiler } from '../../../runtime/hostCompiler.ts';
import { buildVirtualChip } from '../../../runtime/virtualChip.ts';
import { ascendTable } from '../driver.ts';
import { ascendChips, ascendRules } from '../facts.ts';
import type { Atc } from './compiler.ts';
import type { OmOptions } from './engine.ts';
import { omCapabilities, socOf } from './facts.ts';

/** The same kind of file as this one: .ts when run from source, .js when built. */
const KIND = extname(import.meta.url);
const ATC = fileURLToPath(new URL(`../../../virtualAtc${KIND}`, import.meta.url));
/** What it makes depends on all of this package: it is kept for this process only. */
const PROCESS = randomUUID();
const virtualAtc = (identity: string): Atc => ({
  command: [process.execPath, ...(KIND === '.ts' ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : []), ATC],
  identity: `virtual ${identity} ${PROCESS}`,
});

export const omVirtualChips = (cache: CompileCache, create: (options: OmOptions) => ModelEngine): VirtualChips<ModelEngine> => ({
  names: Object.keys(ascendChips),
  open: (name, called) => {
    const chip = Object.entries(ascendChips).find(([own]) => own === name)?.[1];
    if (chip === undefined) return undefined;
    const { title, ...facts } = chip;
    let made: Promise<ModelEngine> | undefined;
    const engine = (): Promise<ModelEngine> =>
      (made ??= buildVirtualChip({ vendor: 'ascend', family: 'tile', title, facts: { ...facts, ...ascendRules } }, cache).then(({ path, identity }) =>
        create({ cache, table: { ...ascendTable, title: 'virtual Ascend', libraries: { other: [path] } }, soc: socOf(name), find: () => Promise.resolve(virtualAtc(identity)) }),
      ));
    return {
      name: called,
      evidence: 'E0',
      rank: 0,
      capabilities: omCapabilities(chip.memoryBytes),
      probe: async () => {
        try {
          const { version } = await findHostCompiler();
          return { ok: true, isVirtual: true, detail: `a virtual ${title} on this processor, built by ${version}`, memoryBytes: chip.memoryBytes };
        } catch (error) {
          if (!(error instanceof AnychipError)) throw error;
          return { ok: false, needs: 'software', reason: error.reason, hint: error.hint ?? 'Install a C++ compiler.' };
        }
      },
      createCompiler: () => ({ compile: async (source) => (await engine()).createCompiler().compile(source) }),
      openDevice: async (options) => (await engine()).openDevice(options),
    };
  },
});
