// `anychip run --device A,B,…`: the same run on each device, and whether they agree.
import { findDevices, isWithin, requireAll, runOnEach } from '../conformance/agreement.ts';
import type { Agreement, DeviceOutcome, DeviceRan } from '../conformance/agreement.ts';
import type { Model } from '../formats/onnx/import.ts';
import type { HostValue } from '../graph/graph.ts';
import type { PreparedFeeds } from './feeds.ts';
import { join } from 'node:path';
import { writeOutputs } from './outputs.ts';
import { describeError, endProgress, exitCodes, formatMillis, note, print, printJson, progress, table } from './print.ts';
import { printOutputs, summaries } from './summary.ts';
import { sessionOptions } from './sessionOptions.ts';
import type { GivenSession } from './sessionOptions.ts';

export interface GivenForEach extends GivenSession {
  readonly output?: string;
  readonly requireAll?: boolean;
  readonly json?: boolean;
}

/** Exit code 1 where two devices disagree, 2 where one that works here failed on this model. */
export async function runForEach(names: readonly string[], model: Model, { values, random, assumed }: PreparedFeeds, given: GivenForEach): Promise<void> {
  const candidates = await findDevices(names);
  if (given.requireAll === true) requireAll(candidates);
  const files: string[] = [];
  let first: ReadonlyMap<string, HostValue> | undefined;
  const agreement = await runOnEach(model, values, candidates, {
    session: sessionOptions(given),
    onStart: (device) => progress(`running on ${device}`),
    onOutputs: (device, outputs) => {
      first ??= outputs;
      if (given.output !== undefined) files.push(...writeOutputs(outputs, join(given.output, device)));
    },
  });
  endProgress();
  if (agreement.agree === false) process.exitCode = exitCodes.mismatch;
  if (agreement.devices.some(({ status }) => status === 'failed')) process.exitCode = exitCodes.error;
  if (given.json === true) {
    const devices = agreement.devices.map(toJson);
    return printJson({ devices, standard: agreement.standard ?? null, agree: agreement.agree ?? null, random, assumed, outputs: summaries(first ?? new Map()), files });
  }
  printAgreement(agreement);
  if (first !== undefined) printOutputs(first);
  for (const file of files) note(`wrote ${file}`);
}

/** JSON has no infinity: a difference without measure (another shape, NaN) is null. */
const finite = (largest: number): number | null => (Number.isFinite(largest) ? largest : null);
const largestOf = ({ differences }: DeviceRan): number => Math.max(0, ...differences.map(({ largest }) => largest));

function toJson(outcome: DeviceOutcome): object {
  if (outcome.status === 'failed') return { ...outcome, error: describeError(outcome.error) };
  if (outcome.status === 'missing') return outcome;
  const differences = outcome.differences.map(({ name, largest, mismatch }) => ({ name, largest: finite(largest), ...(mismatch === undefined ? {} : { mismatch }) }));
  return { ...outcome, largestDifference: finite(largestOf(outcome)), agrees: isWithin(outcome), differences };
}

function printAgreement({ devices, standard, agree }: Agreement): void {
  const ran = devices.filter((outcome) => outcome.status === 'ran');
  const rows = ran.map((outcome) => {
    const isStandard = outcome.device === standard;
    const { device, host } = outcome.placement;
    const largest = largestOf(outcome);
    return [
      outcome.device,
      formatMillis(outcome.firstMillis),
      formatMillis(outcome.millis),
      host === 0 ? `all ${device}` : `${device}, ${host} on the host`,
      isStandard ? '–' : largest === 0 ? '0' : Number.isFinite(largest) ? largest.toExponential(1) : 'no measure',
      isStandard ? 'the others are held to it' : isWithin(outcome) ? 'within tolerance' : 'DIFFERS',
    ];
  });
  const titles = ['device', 'first answer', 'next run', 'nodes on it', 'largest difference', 'agreement'];
  if (rows.length > 0) print(`${table(titles, rows, titles.slice(1, 3))}\n`);
  for (const outcome of devices) for (const line of linesOf(outcome)) print(line);
  print(`${verdict(agree, ran.length, standard)}\n`);
}

/** What a row has no room for. */
function linesOf(outcome: DeviceOutcome): string[] {
  if (outcome.status === 'missing') return [`${outcome.device} is not here: ${outcome.reason}. ${outcome.hint}`];
  if (outcome.status === 'ran') {
    const why = outcome.why === 'asked for' ? [] : [`${outcome.device}: ${outcome.why}`];
    return [...why, ...outcome.differences.flatMap(({ name, mismatch }) => (mismatch === undefined ? [] : [`${outcome.device} differs in output '${name}': ${mismatch}`]))];
  }
  const { code, message, hint } = describeError(outcome.error);
  return [`${outcome.device} failed: ${message} [${code}]${hint === undefined ? '' : `\n  ${hint}`}`];
}

function verdict(agree: boolean | undefined, ran: number, standard: string | undefined): string {
  if (agree === undefined) return ran === 0 ? 'no device ran it' : `only ${standard} ran it: there is nothing to compare with`;
  return agree ? `${ran} devices agree` : `the devices do not agree`;
}
