// What this machine's processor can do: vector registers, caches, cores, and a fingerprint of its instructions.
// Features are looked up in tables; no chip is known by its name.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { AnychipError } from '../../core/error.ts';
import type { WordParts } from '../../core/words.ts';
import type { SimdFacts } from '../../runtime/device.ts';

interface VectorUnit {
  /** The name of the feature as /proc/cpuinfo spells it; '' always matches. */
  readonly feature: string;
  readonly title: string;
  readonly lanes: number;
  readonly registers: number;
  /** The feature of processors among them that convert half floats; '' where all do, undefined where none does. */
  readonly halves?: string;
  /** How words of small integers are multiplied; `bytes` where the processor has one of the features named there too. */
  readonly words?: WordParts;
  /** What tells a compiler of processors that have this much and no more. */
  readonly flags: readonly string[];
}

/** Best first. */
const vectorUnits: Partial<Record<string, readonly VectorUnit[]>> = {
  x64: [
    { feature: 'avx512f', title: 'AVX-512', lanes: 16, registers: 32, halves: 'f16c', words: 'shorts', flags: ['-march=x86-64-v4'] },
    { feature: 'avx2', title: 'AVX2', lanes: 8, registers: 16, halves: 'f16c', words: 'shorts', flags: ['-march=x86-64-v3'] },
    { feature: 'avx', title: 'AVX', lanes: 8, registers: 16, flags: ['-march=sandybridge'] },
    { feature: '', title: 'SSE2', lanes: 4, registers: 16, words: 'shorts', flags: ['-march=x86-64'] },
  ],
  arm64: [{ feature: '', title: 'NEON', lanes: 4, registers: 32, halves: '', flags: ['-march=armv8-a'] }],
};
const UNKNOWN_UNIT: VectorUnit = { feature: '', title: 'vectors of 128 bits', lanes: 4, registers: 16, flags: [] };

/** Features with which words of four bytes are multiplied: those of AVX-512, and those of AVX alone. */
const BYTE_PRODUCTS: Partial<Record<string, readonly string[]>> = { 'AVX-512': ['avx512_vnni'], AVX2: ['avx_vnni'] };

export interface CpuFacts extends SimdFacts {
  readonly words: WordParts | undefined;
  readonly vectorTitle: string;
  /** Compiler flags for this processor, tried in order. */
  readonly machineFlags: readonly (readonly string[])[];
  readonly cores: number;
  /** Differs between processors that cannot run each other's code. */
  readonly fingerprint: string;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** '32K' → 32768; 0 if it is not a size. */
function parseSize(text: string): number {
  const match = /^(\d+)([KM]?)/.exec(text.trim());
  if (match === null) return 0;
  return Number(match[1]) * { '': 1, K: 1 << 10, M: 1 << 20 }[match[2] === 'K' ? 'K' : match[2] === 'M' ? 'M' : ''];
}

/** Bytes of the data cache of this level, of one core. */
function cacheBytes(level: number, otherwise: number): number {
  for (let i = 0; i < 8; i++) {
    const folder = `/sys/devices/system/cpu/cpu0/cache/index${i}`;
    if (Number(read(`${folder}/level`)) !== level || read(`${folder}/type`).trim() === 'Instruction') continue;
    const bytes = parseSize(read(`${folder}/size`));
    if (bytes > 0) return bytes;
  }
  return otherwise;
}

/** Cores this process may use: affinity, and the quota of its control group. */
function usableCores(): number {
  const [quota, period] = read('/sys/fs/cgroup/cpu.max').split(/\s+/).map(Number);
  const limit = quota !== undefined && period !== undefined && quota > 0 && period > 0 ? Math.ceil(quota / period) : Infinity;
  return Math.max(1, Math.min(availableParallelism(), limit));
}

/** The processor at hand, else what the compiler takes for granted. */
const NATIVE_FLAGS: readonly (readonly string[])[] = [['-march=native'], ['-mcpu=native'], []];

/** `ANYCHIP_CPU_VECTORS=AVX2` makes programs for processors with smaller vectors than this one has: to test them, or to run them elsewhere. */
export function chooseUnit(features: readonly string[], asked: string | undefined): { readonly unit: VectorUnit; readonly isNative: boolean } {
  const units = (vectorUnits[process.arch] ?? [UNKNOWN_UNIT]).filter((u) => u.feature === '' || features.includes(u.feature));
  if (asked === undefined || asked === '') return { unit: units[0] ?? UNKNOWN_UNIT, isNative: true };
  const unit = units.find((u) => u.title === asked);
  if (unit !== undefined) return { unit, isNative: false };
  throw new AnychipError('device', `ANYCHIP_CPU_VECTORS=${asked}: this processor has no such vectors`, { hint: `It has ${units.map((u) => u.title).join(', ')}.` });
}

function detect(): CpuFacts {
  const features = /^(?:flags|Features)\s*:(.*)$/m.exec(read('/proc/cpuinfo'))?.[1]?.trim().split(/\s+/).sort() ?? [];
  const { unit, isNative } = chooseUnit(features, process.env['ANYCHIP_CPU_VECTORS']);
  const hasBytes = isNative && BYTE_PRODUCTS[unit.title]?.some((feature) => features.includes(feature)) === true;
  return {
    words: hasBytes ? 'bytes' : unit.words,
    vectorLanes: unit.lanes,
    vectorRegisters: unit.registers,
    vectorTitle: unit.title,
    machineFlags: isNative ? NATIVE_FLAGS : [unit.flags],
    loadsFirst: false,
    l1Bytes: cacheBytes(1, 32 << 10),
    l2Bytes: cacheBytes(2, 512 << 10),
    pointerBytes: 8,
    convertsHalves: unit.halves === '' || features.includes(unit.halves ?? 'none'),
    cores: usableCores(),
    fingerprint: createHash('sha256')
      .update([process.platform, process.arch, ...(isNative ? features : unit.flags)].join(' '))
      .digest('hex')
      .slice(0, 12),
  };
}

let facts: CpuFacts | undefined;

export const cpuFacts = (): CpuFacts => (facts ??= detect());
