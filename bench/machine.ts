// What a run was measured on, and with what.
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { cpuFacts } from '../src/targets/cpu/facts.ts';
import { createCpuTarget } from '../src/targets/cpu/target.ts';
import type { Machine } from './results.ts';

export const loadNow = (): number => loadavg()[0]!;

export const machineFacts = (load: Machine['load']): Machine => ({
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  vectors: cpuFacts().vectorTitle,
  memoryBytes: totalmem(),
  system: `${platform()} ${release()} ${arch()}`,
  load,
});

/** Packages of this folder that are peers, and what all of them and anychip run on. */
const PACKAGES = ['onnxruntime-node', 'onnxruntime-web', '@tensorflow/tfjs-backend-wasm'];

function versionIn(path: string): string | undefined {
  const url = new URL(path, import.meta.url);
  if (!existsSync(url)) return undefined;
  const { version }: { readonly version: string } = JSON.parse(readFileSync(url, 'utf8'));
  return version;
}

export async function versionsHere(): Promise<Record<string, string>> {
  const compiler = await createCpuTarget().probe();
  const packages = PACKAGES.map((name) => [name, versionIn(`node_modules/${name}/package.json`)] as const);
  const all = [['node', process.versions.node], ['anychip', versionIn('../package.json')], ...packages, ['C compiler', compiler.ok ? compiler.driver : undefined]] as const;
  return Object.fromEntries(all.flatMap(([name, version]) => (version === undefined ? [] : [[name, version]])));
}
