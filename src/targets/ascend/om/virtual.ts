// The engine on virtual chips: the same driver calls to a library over host memory, and an atc that compiles models for this processor.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { codeFile, isSource } from '../../../core/packageFiles.ts';
import { factsOf } from '../../../driver/machine.ts';
import { onVirtual, virtualChip, virtualChipsOf } from '../../../driver/virtualChips.ts';
import type { CompileCache } from '../../../runtime/compileCache.ts';
import type { ModelEngine, VirtualChips } from '../../../runtime/device.ts';
import type { BuiltChip } from '../../../runtime/virtualChip.ts';
import { virtualEngine } from '../../../runtime/virtualTarget.ts';
import { ascendCapabilities, ascendChips, ascendLeast } from '../facts.ts';
import type { Atc } from './compiler.ts';
import type { OmOptions } from './engine.ts';
import { omCapabilities, omTable } from './facts.ts';

const ATC = fileURLToPath(codeFile('virtualAtc'));
/** What it makes depends on all of this package: it is kept for this process only. */
const PROCESS = randomUUID();
const virtualAtc = (identity: string): Atc => ({
  command: [process.execPath, ...(isSource ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : []), ATC],
  identity: `virtual ${identity} ${PROCESS}`,
});

/** `create` makes the engine on another library. */
export const omVirtualChips = (cache: CompileCache, evidence: ModelEngine['evidence'], create: (options: OmOptions) => ModelEngine): VirtualChips<ModelEngine> =>
  virtualChipsOf(ascendChips, (chip, called) => {
    const on = (built: BuiltChip): ModelEngine => create({ cache, table: onVirtual(omTable, chip, built), find: () => Promise.resolve(virtualAtc(built.identity)) });
    const { memoryBytes } = chip;
    const kernels = ascendCapabilities(factsOf(ascendLeast, chip));
    return { ...virtualEngine({ name: called, chip: virtualChip('ascend', chip, kernels), memoryBytes, evidence, cache, on }), capabilities: omCapabilities(memoryBytes) };
  });
