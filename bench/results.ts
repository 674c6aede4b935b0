// What a run of the bench found, as its JSON file has it, and what follows from it. It must not know how anything was measured.
import type { Peaks } from './probes.ts';
import type { Start } from './worker.ts';
import type { Timing } from './timing.ts';
import type { Work } from './work.ts';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly vectors: string;
  readonly memoryBytes: number;
  readonly system: string;
  /** Of the machine over the last minute, before and behind the run: processes that want a processor. */
  readonly load: { readonly before: number; readonly after: number };
}

/** One runner of a case. */
export interface Entry {
  readonly runner: string;
  /** Missing where it did not open or run. */
  readonly timing?: Timing;
  /** With nothing in anychip's cache, and once more, in a new process, with what the first one left there. */
  readonly start?: { readonly cold: Start; readonly warm?: Start };
  /** Why it has no times, or what is wrong with what it computes. */
  readonly problem?: string;
}

/** A device of anychip and the peers that took turns with it, the first of them being what it is compared with. */
export interface Race {
  readonly device: Entry;
  readonly peers: readonly Entry[];
}

export interface Row {
  readonly name: string;
  readonly group: string;
  readonly work?: Work;
  readonly probes?: { readonly before: Peaks; readonly after: Peaks };
  readonly races: readonly Race[];
  /** Why there is nothing else. */
  readonly problem?: string;
}

export interface Results {
  readonly date: string;
  readonly machine: Machine;
  /** Of Node, of the compiler and of each package. */
  readonly versions: Readonly<Record<string, string>>;
  readonly threads: number;
  readonly clock: string;
  readonly seconds: number;
  readonly rows: readonly Row[];
}

/** The time of what it is compared with by that of the device: above 1 the device is ahead. */
export function ratioOf({ device, peers: [peer] }: Race): number | undefined {
  if (device.timing === undefined || peer?.timing === undefined || device.problem !== undefined || peer.problem !== undefined) return undefined;
  return peer.timing.medianMillis / device.timing.medianMillis;
}

export const raceOf = ({ races }: Row, device: string): Race | undefined => races.find((race) => race.device.runner === device);

/** Of what the machine did in the probes beside the case, the better of the two. */
export function partsOfPeak({ work, probes }: Row, { timing }: Entry): { readonly flops: number; readonly bytes: number } | undefined {
  if (work === undefined || probes === undefined || timing === undefined) return undefined;
  const seconds = timing.medianMillis / 1000;
  const { before, after } = probes;
  return {
    flops: work.flops / seconds / Math.max(before.flopsPerSecond, after.flopsPerSecond),
    bytes: work.bytes / seconds / Math.max(before.bytesPerSecond, after.bytesPerSecond),
  };
}

/** What a start takes besides a run, milliseconds: reading, compiling, loading. */
export const startMillis = ({ firstMillis }: Start, { medianMillis }: Timing): number => Math.max(0, firstMillis - medianMillis);
/** What a runner takes in memory over an empty process. */
export const ownBytes = ({ peakBytes, emptyBytes }: Start): number => peakBytes - emptyBytes;

export function geometricMean(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.exp(values.reduce((sum, x) => sum + Math.log(x), 0) / values.length);
}

export const devicesOf = ({ rows }: Results): string[] => [...new Set(rows.flatMap(({ races }) => races.map(({ device }) => device.runner)))];
export const groupsOf = (rows: readonly Row[]): string[] => [...new Set(rows.map(({ group }) => group))];

/** The ratios of a device in a group's rows, or in all. */
export const ratiosOf = (rows: readonly Row[], device: string): number[] =>
  rows.flatMap((row) => {
    const race = raceOf(row, device);
    const ratio = race === undefined ? undefined : ratioOf(race);
    return ratio === undefined ? [] : [ratio];
  });
