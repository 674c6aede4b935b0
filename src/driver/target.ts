// A target from what is known of its chips: a row of the driver table, the language of its kernels, and what every device of the kind has.
import { AnychipError } from '../core/error.ts';
import { storedDTypes } from '../kernel/storedDTypes.ts';
import { LaunchedRenderer } from '../render/c/launched.ts';
import type { LaunchedLanguage } from '../render/c/launched.ts';
import { CompileCache } from '../runtime/compileCache.ts';
import type { Availability, Capabilities, SimtCapabilities, Target, Unavailable, VirtualChips } from '../runtime/device.ts';
import { LaunchedCompiler, findCompiler } from './compiler.ts';
import type { MadeFor } from './compiler.ts';
import { DriverDevice } from './device.ts';
import { findMachine, hasChip, shuffleThreads, useMachine } from './machine.ts';
import type { FoundMachine, LeastMachine } from './machine.ts';
import type { DriverTable } from './table.ts';
import { virtualChipsOf } from './virtualChips.ts';
import type { DriverChips } from './virtualChips.ts';

export interface DriverTarget {
  /** What users call it. */
  readonly name: string;
  readonly evidence: Target['evidence'];
  readonly rank: number;
  readonly table: DriverTable;
  readonly language: LaunchedLanguage;
  readonly least: LeastMachine;
  /** What to compile for where there is no device and ANYCHIP_<NAME>_ARCH does not say. */
  readonly architecture: string;
  /** What such a chip can do, where it is no grid of threads. */
  readonly capabilities?: Capabilities;
  readonly cache?: CompileCache;
  /** Grids of threads that it can be tried on without one. */
  readonly chips?: DriverChips;
  /** Chips of another kind that it can be tried on. */
  readonly virtual?: VirtualChips;
  /** Which of several devices. */
  readonly ordinal?: number;
}

function leastCapabilities(least: LeastMachine, architecture: string): SimtCapabilities {
  const { maxThreads, subgroupThreads, sharedBytes, givenSharedBytes = sharedBytes, units } = least.attributes;
  const given = { givenSharedBytes, fetchBytes: least.fetchBytesOf?.(architecture) ?? [] };
  const ofSubgroups = { subgroupThreads, shuffleThreads: shuffleThreads(least, subgroupThreads), matrixUnits: least.matrixUnitsOf(architecture) };
  return {
    family: 'simt',
    storage: least.storage ?? storedDTypes,
    simt: { maxThreads, sharedBytes, ...given, vectorLanes: 1, units, ...ofSubgroups },
    maxBufferBytes: least.memoryBytes,
  };
}

/** What an error of looking for a device or its compiler says to users. */
export function whyMissing(error: unknown, table: DriverTable, isFound: boolean): Unavailable {
  if (!(error instanceof AnychipError)) return { ok: false, needs: 'software', reason: String(error), hint: table.install };
  const hint = 'Use another device, or a machine with one.';
  if (Number(error.facts['devices'] ?? 0) > 0) return { ok: false, needs: 'hardware', reason: error.reason, hint };
  // Where the system does not show its bus, a driver that is missing is taken for missing software.
  if (!isFound && hasChip(table) === false) {
    const sign = table.deviceFiles === undefined ? `chip of ${table.vendor}` : `${table.deviceFiles.join(' or ')}, which the driver of ${table.vendor} makes`;
    return { ok: false, needs: 'hardware', reason: `this machine has no ${sign} (${error.reason})`, hint };
  }
  return { ok: false, needs: 'software', reason: error.reason, hint: error.hint ?? table.install };
}

export function createDriverTarget(options: DriverTarget): Target {
  const { name, evidence, rank, table, language, least, cache = new CompileCache(), ordinal = 0, chips } = options;
  const architecture = process.env[`ANYCHIP_${name.toUpperCase().replaceAll(':', '_')}_ARCH`] ?? options.architecture;
  let opened: Promise<FoundMachine> | undefined;
  let found: FoundMachine | undefined;
  const machine = async (): Promise<FoundMachine> => (found = await (opened ??= findMachine(table, ordinal, least)));
  const probe = async (): Promise<Availability> => {
    try {
      const { title, driverVersion, memoryBytes } = await machine();
      await findCompiler(table.compiler);
      return { ok: true, detail: title, memoryBytes, ...(driverVersion === '' ? {} : { driver: `driver ${driverVersion}` }) };
    } catch (error) {
      return whyMissing(error, table, found !== undefined);
    }
  };
  const madeFor = async (): Promise<MadeFor> => {
    try {
      return await machine();
    } catch {
      return { architecture };
    }
  };
  const target: Target = {
    name: ordinal === 0 ? name : `${name}:${ordinal}`,
    evidence,
    rank,
    probe,
    get capabilities() {
      if (options.capabilities !== undefined) return { ...options.capabilities, ...(found === undefined ? {} : { maxBufferBytes: found.memoryBytes }) };
      const capabilities = leastCapabilities(least, architecture);
      return found === undefined ? capabilities : { ...capabilities, simt: found.facts, maxBufferBytes: found.memoryBytes };
    },
    at: (other) => createDriverTarget({ ...options, ordinal: other }),
    ...(options.virtual === undefined ? {} : { virtual: options.virtual }),
    ...(chips === undefined
      ? {}
      : {
          virtual: virtualChipsOf(
            { name, table, least, chips },
            cache,
            () => target,
            (other) => createDriverTarget({ ...options, table: other }),
          ),
        }),
    createRenderer: () => new LaunchedRenderer(language),
    createCompiler: () => new LaunchedCompiler(cache, table.compiler, madeFor),
    openDevice: async () => new DriverDevice(useMachine(await machine())),
  };
  return target;
}
