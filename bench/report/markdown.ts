// Results as a page of Markdown: what was measured, where, and tables of it.
import { devicesOf, geometricMean, groupsOf, ownBytes, partsOfPeak, raceOf, ratioOf, ratiosOf, startMillis } from '../results.ts';
import type { Entry, Race, Results, Row } from '../results.ts';

const MEANS = 'geometric mean of ratios';

const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
/** Columns that hold no numbers. */
const TEXTS = new Set(['case', 'runner', MEANS]);
const table = (titles: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(titles), line(titles.map((title) => (TEXTS.has(title) ? '---' : '--:'))), ...rows.map((cells) => line(cells.map(escaped)))].join('\n');

/** Three digits that count. */
export const formatTime = (millis: number): string => (millis >= 100 ? millis.toFixed(0) : millis >= 10 ? millis.toFixed(1) : millis >= 1 ? millis.toFixed(2) : millis.toFixed(3));
const formatRatio = (ratio: number | undefined): string => (ratio === undefined ? '' : ratio.toFixed(2));
const percent = (part: number): string => `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
const time = ({ timing, problem }: Entry): string =>
  timing === undefined ? (problem === undefined ? '' : '–') : `${formatTime(timing.medianMillis)}${problem === undefined ? '' : ' (!)'}`;

const bold = (ratio: number | undefined): string => (ratio === undefined ? '' : `**${formatRatio(ratio)}**`);

function raceTitles(results: Results, device: string): string[] {
  const peers = results.rows.map((row) => raceOf(row, device)?.peers ?? []).find((found) => found.length > 0) ?? [];
  return [...peers.map(({ runner }) => `${runner} ms`), `anychip ${device} ms`, 'ratio'];
}

const raceCells = (race: Race | undefined, width: number): string[] =>
  race === undefined ? Array.from({ length: width }, () => '') : [...race.peers.map(time), time(race.device), bold(ratioOf(race))];

/** Times of all cases of a group. */
function timesOf(results: Results, rows: readonly Row[]): string {
  const devices = devicesOf(results);
  const [first] = devices;
  const titles = ['case', ...devices.flatMap((device) => [...raceTitles(results, device), ...(device === first ? ['of FMA peak', 'of bandwidth'] : [])])];
  const cells = rows.map((row) => [
    row.name,
    ...devices.flatMap((device) => {
      const race = raceOf(row, device);
      const parts = race === undefined ? undefined : partsOfPeak(row, race.device);
      const peaks = parts === undefined ? ['', ''] : [percent(parts.flops), percent(parts.bytes)];
      return [...raceCells(race, raceTitles(results, device).length), ...(device === first ? peaks : [])];
    }),
  ]);
  return table(titles, cells);
}

/** Geometric means of ratios, by group. */
function meansOf(results: Results): string {
  const devices = devicesOf(results);
  const groups = groupsOf(results.rows);
  const titles = [MEANS, ...devices.map((device) => `${device} to ${raceTitles(results, device)[0]!.replace(' ms', '')}`), 'cases'];
  const rowsOf = (group: string): readonly Row[] => results.rows.filter((row) => row.group === group);
  const cells = groups.map((group) => [group, ...devices.map((device) => formatRatio(geometricMean(ratiosOf(rowsOf(group), device)))), String(rowsOf(group).length)]);
  return table(titles, cells);
}

const withStart = (entry: Entry): entry is Entry & Required<Pick<Entry, 'start' | 'timing'>> => entry.start?.warm !== undefined && entry.timing !== undefined;

/** How whole models start, and what memory they take. */
function startsOf({ rows }: Results): string {
  const titles = ['case', 'runner', 'start, ms', 'start again, ms', 'peak memory, MiB', 'started again, MiB', 'empty process, MiB'];
  const cells = rows.flatMap((row) => {
    const entries = row.races.flatMap(({ peers, device }) => [...peers, device]).filter(withStart);
    return entries.map(({ runner, timing, start: { cold, warm } }, i) => [
      i === 0 ? row.name : '',
      runner,
      startMillis(cold, timing).toFixed(0),
      startMillis(warm!, timing).toFixed(0),
      mebibytes(ownBytes(cold)),
      mebibytes(ownBytes(warm!)),
      mebibytes(warm!.emptyBytes),
    ]);
  });
  return cells.length === 0 ? '' : `## Start and memory\n\n${STARTS}\n\n${table(titles, cells)}\n`;
}

const STARTS = `Each runner in a process of its own. *Start* is the time from a file to the first answer, less one run: reading, compiling, loading; anychip's with nothing in its cache, C compiler and all. *Start again* is the same in a new process, with what the first left in the cache.
Peak memory is the largest resident set after a few runs, less that of the same process before it loaded the runner (*empty process*).`;

function problemsOf({ rows }: Results): string {
  const said = rows.flatMap((row) => [
    ...(row.problem === undefined ? [] : [`- ${row.name}: ${row.problem}`]),
    ...row.races.flatMap(({ peers, device }) => [...peers, device]).flatMap(({ runner, problem }) => (problem === undefined ? [] : [`- ${row.name}, ${runner}: ${problem}`])),
  ]);
  return said.length === 0 ? '' : `## What did not run\n\nMarked – or (!) in the tables; (!) ran, but gives something else than the first runner.\n\n${said.join('\n')}\n`;
}

function peaksOf({ rows, threads }: Results): string {
  const peaks = rows.flatMap(({ probes }) => (probes === undefined ? [] : [probes.before, probes.after]));
  if (peaks.length === 0) return '';
  const range = (values: readonly number[]): string => `${(Math.min(...values) / 1e9).toFixed(0)} to ${(Math.max(...values) / 1e9).toFixed(0)}`;
  return `Probes beside each case, ${threads} ${threads === 1 ? 'thread' : 'threads'}: ${range(peaks.map((p) => p.flopsPerSecond))} GFLOP/s of fused multiply-adds, ${range(peaks.map((p) => p.bytesPerSecond))} GB/s read.`;
}

/** The whole page. `picture` is the name of the file beside it. */
export function markdownOf(results: Results, picture: string): string {
  const { machine, versions, threads, clock, date, seconds } = results;
  const facts = [
    `${date}, ${machine.processor}, ${machine.cores} cores, ${machine.vectors}, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, ${machine.system}; ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`,
    `${threads} ${threads === 1 ? 'thread' : 'threads'}, ${clock} clock, ${(seconds / 60).toFixed(0)} minutes; load ${machine.load.before.toFixed(2)} before, ${machine.load.after.toFixed(2)} behind. ${peaksOf(results)}`,
  ];
  const groups = groupsOf(results.rows).map((group) => `## ${group[0]!.toUpperCase()}${group.slice(1)}\n\n${timesOf(results, results.rows.filter((row) => row.group === group))}\n`); // prettier-ignore
  return [
    '# Results of the bench\n',
    `${facts.join('\n')}\n`,
    'Medians of runs that took turns, milliseconds. **Ratio**: the first peer’s time by anychip’s, so above 1 anychip is ahead. *Of FMA peak*: multiply-adds of products and convolutions, counted plainly (filtering needs fewer, and bytes are multiplied faster than floats, so both can pass 100 %), by time, of what the probe did. *Of bandwidth*: weights, inputs and outputs, each once, the same way; what stays in caches between runs goes beyond 100 %. tfjs-wasm has one thread in Node.\n',
    `![Ratios](${picture})\n`,
    `${meansOf(results)}\n`,
    ...groups,
    startsOf(results),
    problemsOf(results),
  ]
    .filter((part) => part !== '')
    .join('\n');
}
