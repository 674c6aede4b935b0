// One model on several devices: each runs it on the same inputs and is held to the first of them that runs. What differs and what fails is
// said for each device; nothing here prints.
import { AnychipError } from '../core/error.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Model } from '../formats/onnx/import.ts';
import type { HostValue } from '../graph/graph.ts';
import { AUTO } from '../session/choose.ts';
import { chooseDevice, listDevices } from '../session/devices.ts';
import { openModel } from '../session/create.ts';
import type { SessionOptions } from '../session/options.ts';
import type { HostNode, Placement } from '../session/placement.ts';
import { compareValues } from './compare.ts';
import { opsOf } from './runData.ts';
import { toleranceFor } from './tolerances.ts';
import type { Tolerance } from './tolerances.ts';

/** A device that was asked for, and whether it works here. */
export interface Candidate {
  readonly device: string;
  /** For `auto`: why this one. */
  readonly why: string;
  readonly missing: { readonly reason: string; readonly hint: string } | undefined;
}

/** The devices of these names in their order, each once. Throws `bad-argument` for names that anychip does not have, `device` where none works. */
export async function findDevices(names: readonly string[]): Promise<readonly Candidate[]> {
  const known = await listDevices();
  const found = new Map<string, Candidate>();
  for (const name of names) {
    const status = known.find((device) => device.name === name);
    if (status?.availability.ok === false) {
      const { reason, hint } = status.availability;
      found.set(name, { device: name, why: 'asked for', missing: { reason, hint } });
      continue;
    }
    const { name: device, why } = await chooseDevice([name]);
    if (!found.has(device)) found.set(device, { device, why: name === AUTO ? why : 'asked for', missing: undefined });
  }
  const candidates = [...found.values()];
  if (candidates.every(({ missing }) => missing !== undefined)) await chooseDevice(names);
  return candidates;
}

/** Throws where a device is missing: for those who asked for all of them. */
export function requireAll(candidates: readonly Candidate[]): void {
  const missing = candidates.flatMap(({ device, missing }) => (missing === undefined ? [] : [{ device, ...missing }]));
  if (missing.length === 0) return;
  throw new AnychipError('device', `not every device that was asked for works here: ${missing.map(({ device, reason }) => `${device}: ${reason}`).join('; ')}`, {
    hint: [...new Set(missing.map(({ hint }) => hint))].join(' '),
    facts: { missing },
  });
}

/** How far one output lies from that of the standard. */
export interface OutputDifference {
  readonly name: string;
  readonly largest: number;
  /** What is wrong; undefined when within tolerance. */
  readonly mismatch: string | undefined;
}

export interface DeviceRan {
  readonly device: string;
  readonly why: string;
  readonly status: 'ran';
  /** From a model in memory to its first answer: opening, compiling, loading and one run. */
  readonly firstMillis: number;
  /** The run after it. */
  readonly millis: number;
  readonly placement: Placement;
  readonly host: readonly HostNode[];
  /** Against the standard; empty for the standard itself. */
  readonly differences: readonly OutputDifference[];
}
export interface DeviceFailed {
  readonly device: string;
  readonly why: string;
  readonly status: 'failed';
  readonly error: unknown;
}
export interface DeviceMissing {
  readonly device: string;
  readonly why: string;
  readonly status: 'missing';
  readonly reason: string;
  readonly hint: string;
}
export type DeviceOutcome = DeviceRan | DeviceFailed | DeviceMissing;

export interface Agreement {
  /** In the order of the candidates. */
  readonly devices: readonly DeviceOutcome[];
  /** The first device that ran; undefined when none did. */
  readonly standard: string | undefined;
  /** Undefined where fewer than two devices ran. */
  readonly agree: boolean | undefined;
}

export interface AgreementOptions {
  /** Options of every session; the device is added. */
  readonly session: Omit<SessionOptions, 'executionProviders'>;
  readonly onStart?: (device: string) => void;
  readonly onOutputs?: (device: string, outputs: ReadonlyMap<string, HostValue>) => void;
}

/** Runs `model` on each candidate that works, one after the other, and compares. The bound is that of the conformance suites. */
export async function runOnEach(model: Model, feeds: ReadonlyMap<string, HostValue>, candidates: readonly Candidate[], options: AgreementOptions): Promise<Agreement> {
  const ops = opsOf(model.graph);
  const devices: DeviceOutcome[] = [];
  let expected: ReadonlyMap<string, HostValue> | undefined;
  let standard: string | undefined;
  for (const { device, why, missing } of candidates) {
    if (missing !== undefined) {
      devices.push({ device, why, status: 'missing', ...missing });
      continue;
    }
    options.onStart?.(device);
    try {
      const { outputs, ...ran } = await runOn(device, model, feeds, options.session);
      const differences = expected === undefined ? [] : differencesOf(outputs, expected, (tensor) => toleranceFor(ops, tensor.dtype, options.session.precision));
      devices.push({ device, why, status: 'ran', ...ran, differences });
      expected ??= outputs;
      standard ??= device;
      options.onOutputs?.(device, outputs);
    } catch (error) {
      if (!(error instanceof AnychipError)) throw error;
      devices.push({ device, why, status: 'failed', error });
    }
  }
  const ran = devices.filter((outcome) => outcome.status === 'ran');
  return { devices, standard, agree: ran.length < 2 ? undefined : ran.every(isWithin) };
}

/** Whether every output lies within tolerance. */
export const isWithin = ({ differences }: DeviceRan): boolean => differences.every(({ mismatch }) => mismatch === undefined);

async function runOn(device: string, model: Model, feeds: ReadonlyMap<string, HostValue>, options: SessionOptions) {
  const start = performance.now();
  const session = await openModel(model, { ...options, executionProviders: [device] });
  try {
    const outputs = await session.runValues(feeds);
    const first = performance.now();
    const { placement, hostNodes: host } = session;
    await session.runValues(feeds);
    return { outputs, placement, host, firstMillis: first - start, millis: performance.now() - first };
  } finally {
    await session.release();
  }
}

function differencesOf(outputs: ReadonlyMap<string, HostValue>, expected: ReadonlyMap<string, HostValue>, toleranceOf: (tensor: Tensor) => Tolerance): OutputDifference[] {
  return [...expected].map(([name, value]) => ({ name, ...compareValues(outputs.get(name) ?? null, value, toleranceOf) }));
}
