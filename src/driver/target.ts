// A target from what is known of its chips: a row of the driver table, the language of its kernels, and what every device of the kind has.
import { AnychipError } from '../core/error.ts';
import { LaunchedRenderer } from '../render/c/launched.ts';
import type { LaunchedLanguage } from '../render/c/launched.ts';
import { CompileCache } from '../runtime/compileCache.ts';
import type { Availability, Capabilities, Renderer, Target, Unavailable } from '../runtime/device.ts';
import type { BuiltChip } from '../runtime/virtualChip.ts';
import { virtualEngine } from '../runtime/virtualTarget.ts';
import { LaunchedCompiler, findCompiler } from './compiler.ts';
import type { MadeFor } from './compiler.ts';
import { DriverDevice } from './device.ts';
import { factsOf, findMachine, gridCapabilities, hasChip, useMachine } from './machine.ts';
import type { DriverChip, DriverChips, FoundMachine, LeastMachine, MachineFacts } from './machine.ts';
import type { DriverTable } from './table.ts';
import { onVirtual, programOf, virtualChip, virtualChipsOf, withoutFragments } from './virtualChips.ts';

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
  /** What a machine of the kind can do, where it is no grid of threads. */
  readonly capabilities?: (machine: MachineFacts) => Capabilities;
  readonly cache?: CompileCache;
  /** Chips that it can be tried on without one. */
  readonly chips?: DriverChips;
  /** What their libraries say besides what the vendor's do, and the program that stands for its compiler where that has another name. */
  readonly virtual?: { readonly table?: DriverTable; readonly program?: string };
  /** Chips that are told apart by the name that the driver has for them; those of `chips` where absent. */
  readonly known?: DriverChips;
  /** Which of several devices. */
  readonly ordinal?: number;
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
  const { name, evidence, rank, table, language, least, cache = new CompileCache(), ordinal = 0, chips, known = chips, virtual = {} } = options;
  const capabilitiesOf = options.capabilities ?? gridCapabilities(least);
  const architecture = process.env[`ANYCHIP_${name.toUpperCase().replaceAll(':', '_')}_ARCH`] ?? options.architecture;
  let opened: Promise<FoundMachine> | undefined;
  let found: FoundMachine | undefined;
  const machine = async (): Promise<FoundMachine> => (found = await (opened ??= findMachine(table, ordinal, least, known)));
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
  const createRenderer = (): Renderer => new LaunchedRenderer(language);
  const onChip = (chip: DriverChip, called: string): Target => {
    const capabilities = withoutFragments(capabilitiesOf(factsOf(least, chip)));
    const on = (built: BuiltChip): Target => createDriverTarget({ ...options, table: onVirtual(virtual.table ?? table, chip, built) });
    const engine = virtualEngine({
      name: called,
      chip: virtualChip(name, chip, capabilities, virtual.program ?? programOf(table.compiler)),
      memoryBytes: chip.memoryBytes,
      evidence,
      cache,
      on,
    });
    return { ...engine, capabilities, createRenderer };
  };
  return {
    name: ordinal === 0 ? name : `${name}:${ordinal}`,
    evidence,
    rank,
    probe,
    get capabilities() {
      return capabilitiesOf(found ?? factsOf(least, { architecture }));
    },
    at: (other) => createDriverTarget({ ...options, ordinal: other }),
    ...(chips === undefined ? {} : { virtual: virtualChipsOf(chips, onChip) }),
    createRenderer,
    createCompiler: () => new LaunchedCompiler(cache, table.compiler, madeFor),
    openDevice: async () => new DriverDevice(useMachine(await machine())),
  };
}
