// Builds virtual chips: shared libraries that export a vendor's functions over host memory, from the sources in `virtual/` at the root of
// the package, kept on disk by the hash of all they are made from. It must not know a vendor: folders and facts are given.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { trace } from '../core/trace.ts';
import { contentKey, removeIfThere } from './compileCache.ts';
import type { CompileCache } from './compileCache.ts';
import { findHostCompiler, runHostCompiler } from './hostCompiler.ts';
import type { HostCompiler } from './hostCompiler.ts';

/** A chip that a target can be tried on where there is none: its name, and numbers that its library enforces. */
export interface VirtualChip {
  /** Folder of `virtual/` with the vendor's interface and the header of its kernel language. */
  readonly vendor: string;
  /** Folder of `virtual/core` with the runtime that programs are linked to: one for each kernel family. */
  readonly family: 'simt' | 'tile';
  /** For people: 'NVIDIA H100'. */
  readonly title: string;
  readonly facts: Readonly<Record<string, number>>;
}

const SOURCES = fileURLToPath(new URL('../../virtual', import.meta.url));
const LIBRARY_FLAGS = ['-std=c++17', '-O2', '-fPIC', '-shared', '-fvisibility=hidden', '-Wall', '-Wextra', '-pthread'];
/** Programs jump between the stacks of their threads, which checked forms of the jump forbid. */
const RUNTIME_FLAGS = ['-std=c++17', '-O2', '-fPIC', '-c', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti', '-fno-stack-protector', '-U_FORTIFY_SOURCE', '-Wall', '-Wextra'];

const filesOf = (folder: string, suffix: RegExp): string[] =>
  readdirSync(join(SOURCES, folder))
    .filter((name) => suffix.test(name))
    .sort()
    .map((name) => join(SOURCES, folder, name));

const quote = (text: string): string => JSON.stringify(text);

/** One unit that takes in all others, so that headers of the standard library are read once. */
const unitOf = (files: readonly string[]): string => files.map((file) => `#include ${quote(file)}\n`).join('');

function factsText(chip: VirtualChip, compiler: HostCompiler, runtime: string): string {
  const facts = Object.entries(chip.facts);
  return [
    `#include ${quote(join(SOURCES, 'core', 'chip.h'))}`,
    'namespace anychip {',
    `static const Fact facts[] = {${facts.map(([name, value]) => `{${quote(name)}, ${value}LL}`).join(', ')}};`,
    `static const char *const command[] = {${compiler.command.map(quote).join(', ')}, nullptr};`,
    `const ChipFacts chip = {${[quote(`virtual ${chip.title}`), 'facts', facts.length, 'command', quote(join(SOURCES, chip.vendor)), quote(runtime)].join(', ')}};`,
    '}\n',
  ].join('\n');
}

/** Path of the chip's library and a name for what it was made from. Rejects with a 'device' error where it cannot be built. */
export async function buildVirtualChip(chip: VirtualChip, cache: CompileCache): Promise<{ readonly path: string; readonly identity: string }> {
  const compiler = await findHostCompiler();
  const folders = ['core', join('core', chip.family), chip.vendor];
  const identity = contentKey(['virtual 1', compiler.identity, ...folders.flatMap((folder) => filesOf(folder, /\.(cpp|h)$/).flatMap((file) => [file, readFileSync(file)]))]);
  const runtime = join(cache.folder, `virtual-${chip.family}-${identity}.o`);
  const facts = factsText(chip, compiler, runtime);
  const path = join(cache.folder, `virtual-${chip.vendor}-${contentKey([identity, facts])}.so`);
  await make(runtime, (output) => compile(compiler, [...RUNTIME_FLAGS, '-o', output], unitOf(filesOf(join('core', chip.family), /\.cpp$/)), output));
  await make(path, (output) =>
    compile(
      compiler,
      [...LIBRARY_FLAGS, '-o', output],
      `${facts}${unitOf(filesOf(chip.vendor, /^names\.h$/))}${unitOf([...filesOf('core', /\.cpp$/), ...filesOf(chip.vendor, /\.cpp$/)])}`,
      output,
    ),
  );
  return { path, identity };
}

async function compile(compiler: HostCompiler, args: readonly string[], text: string, output: string): Promise<void> {
  const source = `${output}.cpp`;
  try {
    writeFileSync(source, text);
    const start = performance.now();
    await runHostCompiler(compiler, [...args, source]);
    trace(2, () => ({ kind: 'time', message: 'virtual chip', facts: { millis: performance.now() - start } }));
  } finally {
    removeIfThere(source);
  }
}

/** Makes a file beside its place and renames it, unless it is there. */
async function make(path: string, write: (output: string) => Promise<void>): Promise<void> {
  if (existsSync(path)) return;
  const temporary = join(path, '..', `${randomBytes(8).toString('hex')}.tmp`);
  mkdirSync(join(path, '..'), { recursive: true });
  try {
    await write(temporary);
    renameSync(temporary, path);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
}
