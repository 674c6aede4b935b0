// Builds virtual chips: shared libraries that export a vendor's functions over host memory, from the sources in `virtual/` at the root of
// the package, kept on disk by the hash of all they are made from. It must not know a vendor: folders and facts are given.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageFile } from '../core/packageFiles.ts';
import { trace } from '../core/trace.ts';
import { contentKey, removeIfThere } from './compileCache.ts';
import type { CompileCache } from './compileCache.ts';
import { findHostCompiler, runHostCompiler } from './hostCompiler.ts';
import type { HostCompiler } from './hostCompiler.ts';

/** A chip that a target can be tried on where there is none: its name, and numbers that its library enforces. */
export interface VirtualChip {
  /** Folder of `virtual/` with the vendor's interface and the header of its kernel language. */
  readonly vendor: string;
  /** For vendors that compile by a program: its name, and the folder of `vendor` that it is made from. */
  readonly program?: string;
  /** Folder of `virtual/core` with the runtime that programs are linked to: one for each kernel family. */
  readonly family: 'simt' | 'tile';
  /** For people: 'NVIDIA H100'. */
  readonly title: string;
  readonly facts: Readonly<Record<string, number>>;
}

const SOURCES = fileURLToPath(packageFile('virtual'));
const LIBRARY_FLAGS = ['-std=c++17', '-O1', '-fPIC', '-fvisibility=hidden', '-Wall', '-Wextra', '-pthread'];
/** Programs jump between the stacks of their threads, which checked forms of the jump forbid. */
const RUNTIME_FLAGS = ['-std=c++17', '-O3', '-fPIC', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti', '-fno-stack-protector', '-U_FORTIFY_SOURCE', '-Wall', '-Wextra'];

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

export interface BuiltChip {
  /** Of the library. */
  readonly path: string;
  /** A name for what it was made from. */
  readonly identity: string;
  /** Of the program that compiles, where the vendor has one. */
  readonly program?: string;
}

/** Rejects with a 'device' error where the chip cannot be built. */
export async function buildVirtualChip(chip: VirtualChip, cache: CompileCache): Promise<BuiltChip> {
  const compiler = await findHostCompiler();
  // Vendors share parts of each other.
  const sources = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(cpp|h)$/.test(name))
    .sort();
  const identity = contentKey([
    'virtual 1',
    compiler.identity,
    SOURCES,
    ...LIBRARY_FLAGS,
    ...RUNTIME_FLAGS,
    ...sources.flatMap((name) => [name, readFileSync(join(SOURCES, name))]),
  ]);
  const object = async (name: string, text: string, flags: readonly string[] = LIBRARY_FLAGS): Promise<string> => {
    const path = join(cache.folder, `virtual-${name}-${contentKey([identity, text])}.o`);
    await make(path, (output) => compile(compiler, [...flags, '-c', '-o', output], text, output));
    return path;
  };
  const runtime = await object(chip.family, unitOf(filesOf(join('core', chip.family), /\.cpp$/)), RUNTIME_FLAGS);
  const [core, facts, vendor] = await Promise.all([
    object('core', unitOf(filesOf('core', /\.cpp$/))),
    object('chip', factsText(chip, compiler, runtime)),
    object(chip.vendor, unitOf(filesOf(chip.vendor, /^names\.h$|\.cpp$/).sort((a, b) => Number(b.endsWith('.h')) - Number(a.endsWith('.h'))))),
  ]);
  const linked = async (objects: readonly string[], suffix: string, flags: readonly string[]): Promise<string> => {
    const path = join(cache.folder, `virtual-${chip.vendor}-${contentKey([identity, ...objects])}${suffix}`);
    await make(path, (output) => runHostCompiler(compiler, [...flags, '-pthread', '-o', output, ...objects, '-ldl']));
    return path;
  };
  const path = await linked([core, facts, vendor], '.so', ['-shared']);
  if (chip.program === undefined) return { path, identity };
  const main = await object(chip.program, unitOf(filesOf(join(chip.vendor, chip.program), /\.cpp$/)));
  return { path, identity, program: await linked([core, facts, main], `-${chip.program}`, []) };
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
