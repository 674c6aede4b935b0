// From the name a user gives to one of some targets, which works here. `auto` takes the fastest that works; `reference` is the interpreter.
// Which targets there are is said by whoever calls: Node's are in devices.ts, a browser's in web/devices.ts.
import { AnychipError } from '../core/error.ts';
import type { Availability, Engine } from '../runtime/device.ts';
import type { Decide } from '../schedule/decide.ts';
import type { Compile } from './compiler.ts';

export const REFERENCE = 'reference';
export const AUTO = 'auto';
const VIRTUAL = 'virtual';
const REFERENCE_DETAIL = 'plain TypeScript, slow';

export interface DeviceStatus {
  readonly name: string;
  readonly family: string;
  readonly evidence: string;
  readonly availability: Availability;
}

/** What is here: every target with whether it works, and the reference. */
export async function listAmong(targets: readonly Engine[]): Promise<DeviceStatus[]> {
  const all = targets.flatMap((target) => [target, findTarget(targets, `${target.name}:${VIRTUAL}`) ?? []].flat());
  const found = await Promise.all(
    all.map(async (target) => {
      const availability = await target.probe();
      // Only now does the target know which machine it has.
      return { name: target.name, family: target.capabilities.family, evidence: target.evidence, availability };
    }),
  );
  return [...found, { name: REFERENCE, family: 'interpreter', evidence: 'the definition', availability: { ok: true, detail: REFERENCE_DETAIL } }];
}

/** Undefined target: the reference. `why` says how `auto` decided. */
export interface Choice {
  readonly name: string;
  readonly target: Engine | undefined;
  readonly why: string;
  /** What was found of it: its units, its threads. */
  readonly detail: string;
  /** Takes what schedules leave open, where more is known of the machine than their models say. */
  readonly decide?: Decide;
  /** How plans for it come about, where not by compiling alone. */
  readonly compile?: Compile;
}

/** What a device is for: to compile for and run on, or only to load what was compiled before. */
type Use = 'compile' | 'load';
/** Takes a device for the names that a caller gives, most wanted first. */
export type ChooseDevice = (names: readonly string[], use?: Use) => Promise<Choice>;

/** The best of the targets that were looked at so far. */
interface Found {
  readonly target: Engine;
  readonly rank: number;
  readonly detail: string;
}

interface Refusal {
  readonly name: string;
  readonly reason: string;
  readonly hint: string;
}
const spoken = (refused: readonly Refusal[]): string => refused.map(({ name, reason }) => `${name}: ${reason}`).join('; ');

/**
 * The target that a user calls so: `cuda`; `cuda:1` where a machine may have several; `cuda:virtual` and `cuda:virtual/a100` for virtual
 * chips of it.
 */
export function findTarget(targets: readonly Engine[], name: string): Engine | undefined {
  const [, kind = name, , ordinal, virtual, chip] = DEVICE_NAME.exec(name) ?? [];
  const target = targets.find((other) => other.name === kind);
  if (virtual !== undefined) return target?.virtual?.open(chip ?? target.virtual.names[0]!, name);
  return ordinal === undefined ? target : target?.at?.(Number(ordinal));
}
const DEVICE_NAME = /^(.+?)(:(?:(\d{1,3})|(virtual)(?:\/([^:/]+))?))?$/;

/** The target of this name, to compile for; it need not work here. */
export function resolveAmong(targets: readonly Engine[], name: string): Engine {
  const target = findTarget(targets, name);
  if (target !== undefined) return target;
  throw new AnychipError('bad-argument', `there is no target '${name}'`, { hint: `Targets: ${targets.map((t) => t.name).join(', ')}.` });
}

/** The best of the targets, best first, that works; those that do not are added to `refused`. */
async function findBest(targets: readonly Engine[], use: Use, refused: Refusal[]): Promise<Found | undefined> {
  let best: Found | undefined;
  for (const target of targets) {
    if (best !== undefined && best.rank >= target.rank) break;
    const availability = await target.probe();
    if (!availability.ok) {
      const { reason, hint, loads = false } = availability;
      if (use === 'load' && loads) best ??= { target, rank: target.rank, detail: reason };
      else refused.push({ name: target.name, reason, hint });
      continue;
    }
    const rank = availability.rank ?? target.rank;
    if (best === undefined || rank > best.rank) best = { target, rank, detail: availability.detail };
  }
  return best;
}

/** The first of `names` that works here; names of devices that anychip does not have are passed over where another works. */
export async function chooseAmong(targets: readonly Engine[], names: readonly string[], use: Use = 'compile'): Promise<Choice> {
  const known = [AUTO, ...targets.map((t) => t.name), REFERENCE];
  const virtual = targets.flatMap((t) => (t.virtual === undefined ? [] : [`${t.name}:${VIRTUAL}, or ${t.name}:${VIRTUAL}/ and one of ${t.virtual.names.join(', ')}`]));
  const devices = `Devices: ${known.join(', ')}.${virtual.length === 0 ? '' : ` Virtual chips: ${virtual.join('; ')}.`}`;
  const refused: Refusal[] = [];
  const why = (reason: string): string => (refused.length === 0 ? reason : `${reason} (not ${spoken(refused)})`);
  for (const name of names) {
    if (name === REFERENCE) return { name, target: undefined, why: why('asked for'), detail: REFERENCE_DETAIL };
    const named = findTarget(targets, name);
    if (named === undefined && name !== AUTO) refused.push({ name, reason: 'there is no such device', hint: devices });
    const best = await findBest(name === AUTO ? targets : named === undefined ? [] : [named], use, refused);
    if (best === undefined) continue;
    const { target, detail } = best;
    return { name: target.name, target, why: why(name === AUTO ? `the fastest that works: ${detail}` : 'asked for'), detail };
  }
  if (!names.some((name) => known.includes(name) || findTarget(targets, name) !== undefined))
    throw new AnychipError('bad-argument', `there is no device ${names.map((name) => `'${name}'`).join(', ')}`, { hint: devices, facts: { known } });
  throw new AnychipError('device', `no device that was asked for works here: ${spoken(refused)}`, {
    hint: [...new Set(refused.map(({ hint }) => hint))].join(' '),
    facts: { refused },
  });
}
